//! What is kept about one outside server.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ringfence::mcp::contract::Contract;
use ringfence::{Digest, ExecOptions, Name, OutsideServer, Pinned, Role, ServerSpec};
use ringfence_capability::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{Add, ApproverKind, CommitRule, Exec, Global, MadeArg, Reach, WriteRule};
use crate::commands::exec::command;
use crate::error::CliError;

const VERSION: u32 = 1;

/// One outside server, as it was added.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    version: u32,
    /// Its name.
    pub(super) name: String,
    /// The workspace it was added in.
    pub(super) workspace: String,
    /// Where its program is.
    pub(super) program: String,
    /// Its arguments, the program's name first.
    pub(super) argv: Vec<String>,
    /// What it is pinned to.
    pub(super) pinned: Vec<File>,
    /// What is not pinned.
    pub(super) notes: Vec<String>,
    /// The revision of the protocol it spoke last.
    pub(super) revision: Option<String>,
    /// What it was given.
    pub(super) given: Given,
    /// Its tools, as they were accepted.
    pub(super) tools: BTreeMap<String, Accepted>,
}

/// One pinned file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) role: String,
    pub(super) path: String,
    pub(super) digest: String,
}

/// One accepted tool.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    pub(super) digest: String,
    pub(super) definition: Value,
}

/// The flags it was added with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    pub(super) profile: String,
    approve: Vec<String>,
    deny: Vec<String>,
    limit: Vec<String>,
    dir: Vec<String>,
    env: Vec<String>,
    http: Vec<String>,
    http_write: Vec<String>,
    allow_address: Vec<String>,
    toolchain: Vec<String>,
    direct: bool,
}

impl Given {
    /// Returns what these arguments give, with paths that mean the same wherever one stands.
    pub(super) fn of(args: &Add) -> Result<Self, CliError> {
        // A digest given ahead is for this one start.
        let kept = |text: &&String| !text.starts_with("sha256:");
        let reach = args.reach.clone();
        Ok(Self {
            profile: args.profile.clone(),
            approve: args.approve.iter().filter(kept).cloned().collect(),
            deny: reach.deny,
            limit: args.limit.clone(),
            dir: reach.dir.iter().map(|text| absolute(text)).collect::<Result<_, _>>()?,
            env: args.env.clone(),
            http: reach.http,
            http_write: reach.http_write,
            allow_address: reach.allow_address,
            toolchain: reach.toolchain,
            direct: reach.write == WriteRule::Direct,
        })
    }

    /// Returns this as the arguments of `exec`, which turns them into options.
    pub(super) fn as_exec(&self, approve: &[String], approver: ApproverKind) -> Exec {
        let ahead = approve.iter().filter(|text| text.starts_with("sha256:"));
        Exec {
            command: None,
            profile: self.profile.clone(),
            approve: self.approve.iter().chain(ahead).cloned().collect(),
            reach: Reach {
                deny: self.deny.clone(),
                dir: self.dir.clone(),
                http: self.http.clone(),
                http_write: self.http_write.clone(),
                allow_address: self.allow_address.clone(),
                toolchain: self.toolchain.clone(),
                write: if self.direct { WriteRule::Direct } else { WriteRule::Staged },
            },
            policy: Vec::new(),
            approver,
            limit: self.limit.clone(),
            timeout: None,
            env: self.env.clone(),
            commit: CommitRule::Ask,
            made_protected: MadeArg::Aside,
            plan: false,
            argv: Vec::new(),
        }
    }
}

fn absolute(text: &str) -> Result<String, CliError> {
    let (path, mode) = text.strip_suffix(":ro").map_or((text, ""), |path| (path, ":ro"));
    let real = std::fs::canonicalize(path).map_err(|source| CliError::File {
        what: "directory",
        path: path.to_owned(),
        source,
    })?;
    match real.to_str() {
        Some(real) => Ok(format!("{real}{mode}")),
        None => Err(CliError::Usage(format!("`--dir {text}` is not UTF-8"))),
    }
}

impl Record {
    /// Returns the record of a server with these tools.
    pub(super) fn of(
        spec: &ServerSpec,
        given: Given,
        workspace: &Path,
        server: &OutsideServer,
    ) -> Result<Self, CliError> {
        let file = |pinned: &Pinned| {
            Ok::<_, CliError>(File {
                role: pinned.role.name().to_owned(),
                path: utf8(pinned.path.as_os_str())?,
                digest: pinned.digest.to_string(),
            })
        };
        let mut record = Self {
            version: VERSION,
            name: spec.name.to_string(),
            workspace: utf8(workspace.as_os_str())?,
            program: utf8(spec.program.as_os_str())?,
            argv: spec.argv.iter().map(|word| utf8(word)).collect::<Result<_, _>>()?,
            pinned: spec.pinned.iter().map(file).collect::<Result<_, _>>()?,
            notes: spec.notes.clone(),
            revision: server.revision().map(str::to_owned),
            given,
            tools: BTreeMap::new(),
        };
        for tool in server.tools() {
            record.accept(tool);
        }
        Ok(record)
    }

    /// Takes a tool as it is.
    pub(super) fn accept(&mut self, tool: &Contract) {
        let (digest, definition) = (tool.digest().to_string(), tool.definition().clone());
        self.tools.insert(tool.name().to_owned(), Accepted { digest, definition });
    }

    /// Reads a record.
    pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Self, CliError> {
        let bad = |why: String| {
            CliError::Refused(format!(
                "what is kept about server `{name}` cannot be used: {why}; remove it with \
                 `ringfence mcp remove {name}` and add it again"
            ))
        };
        let record: Self = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        if record.version != VERSION || record.name != name {
            return Err(bad("it is of another version or for another name".to_owned()));
        }
        for (tool, accepted) in &record.tools {
            let whole = Contract::read(&accepted.definition).is_ok_and(|found| {
                found.name() == tool && found.digest().to_string() == accepted.digest
            });
            if !whole {
                let tool = text::brief(tool, 80);
                return Err(bad(format!(
                    "the digest of tool `{tool}` is not that of its definition"
                )));
            }
        }
        Ok(record)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Returns what the server is started from.
    pub(super) fn spec(&self) -> Result<ServerSpec, CliError> {
        let pinned = self.pinned.iter().map(|file| {
            let role = Role::ALL.into_iter().find(|role| role.name() == file.role);
            let role = role.ok_or_else(|| {
                CliError::Refused(format!("server `{}` is pinned to a `{}`", self.name, file.role))
            })?;
            let digest = file.digest.parse::<Digest>();
            let digest = digest.map_err(|error| CliError::Refused(error.to_string()))?;
            Ok::<_, CliError>(Pinned { role, path: PathBuf::from(&file.path), digest })
        });
        Ok(ServerSpec {
            name: self.name.parse::<Name>()?,
            program: PathBuf::from(&self.program),
            argv: self.argv.iter().map(OsString::from).collect(),
            pinned: pinned.collect::<Result<_, _>>()?,
            notes: self.notes.clone(),
            revision: self.revision.clone(),
        })
    }

    /// Returns the accepted digests by tool.
    pub(super) fn pins(&self) -> BTreeMap<String, Digest> {
        let parsed = self
            .tools
            .iter()
            .filter_map(|(name, accepted)| Some((name.clone(), accepted.digest.parse().ok()?)));
        parsed.collect()
    }

    /// Returns the common arguments, with the workspace the server was added in.
    pub(super) fn global(&self, global: &Global) -> Global {
        Global { workspace: PathBuf::from(&self.workspace), ..global.clone() }
    }

    /// Returns the options it is started with.
    pub(super) fn exec_options(&self, global: &Global) -> Result<ExecOptions, CliError> {
        options(&self.given.as_exec(&[], ApproverKind::None), &self.global(global))
    }
}

fn utf8(text: &OsStr) -> Result<String, CliError> {
    let text = text.to_str().map(str::to_owned);
    text.ok_or_else(|| CliError::Usage("the command of a server is UTF-8 text".to_owned()))
}

/// Returns the options for a server with these arguments: it starts in the workspace, wherever the person
/// stands.
pub(super) fn options(args: &Exec, global: &Global) -> Result<ExecOptions, CliError> {
    Ok(ExecOptions { working_directory: None, ..command::options(args, global)? })
}
