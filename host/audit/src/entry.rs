//! What is written about one decision or effect, made safe to print and free of personal names.

use ringfence_capability::{Capability, Digest, Origin, PathScope, Place, Port};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest text in a record, in characters. Plugins choose some of them.
const MAX_TEXT: usize = 512;

/// One decision or effect, before it has a place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The run it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
    /// The plugin it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin: Option<Plugin>,
    /// What was asked or done, such as `fs.read` or `http.request`.
    pub operation: String,
    /// What it was asked of or done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<Target>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<Decision>,
    /// The policy layer that decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
    /// The rule that decided: the name of its file, without directories, and the line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The digest of the exact request that was decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<Digest>,
    /// How many bytes of a half-written record a `recovered` record stands for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dropped: Option<u64>,
}

/// The plugin a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// The digest of its bundle or component.
    pub digest: Digest,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the same three verdicts that policy has")]
pub enum Decision {
    /// It may be done, or was done.
    Allow,
    /// A person has to be asked.
    Prompt,
    /// It may not be done.
    Forbid,
}

/// What an operation was about. Masked by type: there is no variant for an arbitrary host path, so
/// that home directories and user names have no way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Target {
    /// A path as the guest sees it.
    GuestPath {
        /// The path.
        path: String,
    },
    /// A path inside the workspace, relative to its root.
    WorkspacePath {
        /// The path.
        path: String,
    },
    /// A host pattern and a port.
    Host {
        /// The host.
        host: String,
        /// The port; none means the usual one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        port: Option<u16>,
    },
    /// The name of a variable, key, tool, model, agent or program; never its value.
    Name {
        /// The name.
        name: String,
    },
    /// A secret and where it may be sent.
    Secret {
        /// Its name; never its value.
        name: String,
        /// The host.
        host: String,
    },
    /// Some bytes, by digest.
    Digest {
        /// The digest.
        digest: Digest,
    },
}

impl Entry {
    /// Returns the entry about `operation`, such as `fs.read`.
    pub fn new(operation: &str) -> Self {
        Self {
            run: None,
            plugin: None,
            operation: neutral(operation),
            target: None,
            decision: None,
            layer: None,
            rule: None,
            reason: None,
            request: None,
            dropped: None,
        }
    }

    /// Returns the entry about what was decided on `capability`.
    pub fn about(capability: &Capability, decision: Decision) -> Self {
        let target = Some(Target::of(capability));
        Self { target, decision: Some(decision), ..Self::new(capability.kind().name()) }
    }

    /// Returns the same entry, belonging to `run`.
    #[must_use]
    pub fn in_run(self, run: &str) -> Self {
        Self { run: Some(neutral(run)), ..self }
    }

    /// Returns the same entry, about `plugin`.
    #[must_use]
    pub fn by_plugin(self, plugin: Plugin) -> Self {
        Self { plugin: Some(plugin), ..self }
    }

    /// Returns the same entry, about `target`.
    #[must_use]
    pub fn at(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// Returns the same entry, decided so by `layer`, by the rule at `origin`, for `reason`. Of a
    /// file's path only the last part is written.
    #[must_use]
    pub fn decided(self, decision: Decision, layer: &str, origin: &Origin, reason: &str) -> Self {
        let rule = match origin {
            Origin::File { path, line } => format!("{}:{line}", file_name(path)),
            Origin::Flag(flag) => flag.split_whitespace().next().unwrap_or_default().to_owned(),
            Origin::BuiltIn => "built in".to_owned(),
        };
        Self {
            decision: Some(decision),
            layer: Some(neutral(layer)),
            rule: Some(neutral(&rule)),
            reason: Some(neutral(reason)),
            ..self
        }
    }

    /// Returns the same entry, with the digest of the exact request.
    #[must_use]
    pub fn for_request(self, request: Digest) -> Self {
        Self { request: Some(request), ..self }
    }

    pub(crate) fn recovered(dropped: u64) -> Self {
        let reason = Some("a half-written record at the end was dropped".to_owned());
        Self { reason, dropped: Some(dropped), ..Self::new(crate::record::RECOVERED) }
    }

    /// Returns the entry with every text made safe: public fields may have been set by hand.
    pub(crate) fn neutralised(&self) -> Self {
        let safe = |text: &Option<String>| text.as_deref().map(neutral);
        Self {
            run: safe(&self.run),
            plugin: self
                .plugin
                .as_ref()
                .map(|p| Plugin::new(&p.name, p.digest, p.signer.as_deref())),
            operation: neutral(&self.operation),
            target: self.target.as_ref().map(Target::neutralised),
            decision: self.decision,
            layer: safe(&self.layer),
            rule: safe(&self.rule),
            reason: safe(&self.reason),
            request: self.request,
            dropped: self.dropped,
        }
    }
}

impl Plugin {
    /// Returns the plugin of this name and digest, with the key that signed it if any.
    pub fn new(name: &str, digest: Digest, signer: Option<&str>) -> Self {
        Self { name: neutral(name), digest, signer: signer.map(neutral) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuestPath { path } => f.write_str(path),
            Self::WorkspacePath { path } => write!(f, "workspace:{path}"),
            Self::Host { host, port: None } => f.write_str(host),
            Self::Host { host, port: Some(port) } => write!(f, "{host}:{port}"),
            Self::Name { name } => f.write_str(name),
            Self::Secret { name, host } => write!(f, "{name}@{host}"),
            Self::Digest { digest } => write!(f, "{digest}"),
        }
    }
}

impl Target {
    /// Returns what `capability` reaches. A directory outside the workspace is written as the guest
    /// sees it.
    pub fn of(capability: &Capability) -> Self {
        match capability {
            Capability::FsRead(scope) | Capability::FsWrite(scope) => Self::of_path(scope),
            Capability::Http { host, port: Port::Default, .. } => {
                Self::host(&host.to_string(), None)
            }
            Capability::Http { host, port: Port::Number(port), .. }
            | Capability::Socket { host, port } => Self::host(&host.to_string(), Some(*port)),
            Capability::Secret { name, host } => {
                Self::Secret { name: neutral(name.as_str()), host: neutral(&host.to_string()) }
            }
            Capability::Kv { namespace: name, .. }
            | Capability::Env(name)
            | Capability::Config(name)
            | Capability::Model(name)
            | Capability::Tool(name)
            | Capability::Agent(name)
            | Capability::Mcp(name)
            | Capability::Exec(name) => Self::name(name.as_str()),
            Capability::Clock(fidelity) | Capability::Random(fidelity) => {
                Self::name(fidelity.name())
            }
        }
    }

    /// Returns the path as the guest sees it.
    pub fn guest_path(path: &str) -> Self {
        Self::GuestPath { path: neutral(path) }
    }

    /// Returns the host and port; no port means the usual one.
    pub fn host(host: &str, port: Option<u16>) -> Self {
        Self::Host { host: neutral(host), port }
    }

    /// Returns the name.
    pub fn name(name: &str) -> Self {
        Self::Name { name: neutral(name) }
    }

    fn of_path(scope: &PathScope) -> Self {
        match scope.place() {
            Place::Workspace => Self::WorkspacePath { path: neutral(scope.path()) },
            Place::Elsewhere => Self::guest_path(scope.guest()),
        }
    }

    fn neutralised(&self) -> Self {
        match self {
            Self::GuestPath { path } => Self::guest_path(path),
            // Whoever builds one by hand with an absolute path would let the home directory in.
            Self::WorkspacePath { path } => {
                Self::WorkspacePath { path: neutral(path.trim_start_matches('/')) }
            }
            Self::Host { host, port } => Self::host(host, *port),
            Self::Name { name } => Self::name(name),
            Self::Secret { name, host } => {
                Self::Secret { name: neutral(name), host: neutral(host) }
            }
            Self::Digest { digest } => Self::Digest { digest: *digest },
        }
    }
}

/// Returns `text` in one line, with what could steer a terminal or hide text replaced, and not too
/// long.
pub(crate) fn neutral(text: &str) -> String {
    let safe = |c: char| match c {
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let mut safe: String = text.chars().take(MAX_TEXT + 1).map(safe).collect();
    if let Some((end, _)) = safe.char_indices().nth(MAX_TEXT) {
        safe.truncate(end);
        safe.push('…');
    }
    safe
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_home_directory_never_gets_into_an_entry() {
        let home = Capability::FsRead(PathScope::elsewhere("/home/alice/notes", "/notes").unwrap());
        let origin =
            Origin::File { path: "/home/alice/.config/ringfence/policy.toml".to_owned(), line: 7 };
        let entry = Entry::about(&home, Decision::Prompt).decided(
            Decision::Prompt,
            "user policy",
            &origin,
            "r",
        );
        let flag = Origin::Flag("--approve fs.read:/home/alice/notes".to_owned());
        let approved =
            Entry::about(&home, Decision::Allow).decided(Decision::Allow, "profile", &flag, "r");
        for entry in [&entry, &approved] {
            assert!(!serde_json::to_string(entry).unwrap().contains("alice"), "{entry:?}");
        }
        assert_eq!(entry.target, Some(Target::guest_path("/notes")));
        assert_eq!(entry.rule.as_deref(), Some("policy.toml:7"));
    }

    #[test]
    fn texts_cannot_steer_a_terminal_and_are_bounded() {
        assert_eq!(neutral("a\x1b[2J\nb\u{202e}c"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
        assert_eq!(neutral(&"é".repeat(9999)).chars().count(), MAX_TEXT + 1);
        assert_eq!(neutral(&"é".repeat(MAX_TEXT)), "é".repeat(MAX_TEXT));
    }
}
