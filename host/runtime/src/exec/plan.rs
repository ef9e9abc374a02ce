//! What would run and what it would reach: for a person as a table, for a program as JSON, and for
//! an approval as the part that is bound.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ringfence_approval::terminal::quote;
use ringfence_approval::{Action, Argument, Draft, Exec, Executable, Nonce, Request};
use ringfence_capability::{Digest, Kind, text};
use ringfence_interfaces::http::AddressRules;
use ringfence_policy::{Explanation, Verdicts};
use ringfence_sandbox::{Enforcement, Program, SandboxExecutor, SandboxPlan, Status};
use serde_json::{Value, json};
use sha2::Digest as _;

use super::{ExecError, ExecOptions};

/// One start of a native program that policy lets through to the question. Nothing ran yet.
#[non_exhaustive]
pub struct ExecPlan {
    /// The opened and hashed program.
    pub program: Program,
    /// Its arguments, the name it is called by first.
    pub argv: Vec<OsString>,
    /// What it would reach.
    pub sandbox: SandboxPlan,
    /// What policy says about the command.
    pub exec: Explanation,
    /// What policy says about everything else.
    pub verdicts: Verdicts,
    /// What a person should know before saying yes, but for what this system does not hold.
    pub(super) notes: Vec<String>,
    /// The toolchains that are shown to it.
    pub toolchains: Vec<String>,
    pub(super) environment: Vec<(String, OsString)>,
    pub(super) addresses: AddressRules,
    pub(super) executor: Arc<dyn SandboxExecutor>,
    pub(super) options: ExecOptions,
}

impl ExecPlan {
    /// Returns the request a person approves, made now: only the expiry and a random number in it
    /// differ from the next one.
    ///
    /// # Errors
    /// When the command is too long for a person to approve.
    pub fn request(&self) -> Result<Request, ExecError> {
        let program = &self.program;
        let exec = Exec {
            executable: Executable { path: program.path().into(), digest: program.digest() },
            argv: self.argv.iter().map(|word| Argument::from(word.as_os_str())).collect(),
            working_directory: self.sandbox.working_directory().into(),
            environment: self.sandbox.environment().to_vec(),
        };
        let now = jiff::Timestamp::now();
        let patience = jiff::SignedDuration::try_from(self.options.patience).unwrap_or_default();
        let draft = Draft {
            asker: self.options.asker.clone(),
            signer: self.options.signer.clone(),
            capability: self.exec.request.capability.to_string(),
            action: Action::Exec(exec),
            plan: self.bound(),
            reason: self.options.reason.clone(),
            expires: now.checked_add(patience + SLACK).unwrap_or(now),
            nonce: Nonce::random()?,
        };
        Ok(draft.seal()?)
    }

    /// Returns what an approval is bound to beside the command: the sandbox plan, the hosts, and the
    /// interpreter of a script.
    fn bound(&self) -> Value {
        let mut plan: Value =
            serde_json::from_str(&self.sandbox.canonical_json()).unwrap_or(Value::Null);
        let Value::Object(members) = &mut plan else { return Value::Null };
        // Dozens of names that are the same every time would hide what differs.
        members.insert("protected".to_owned(), json!(self.protected()));
        let hosts = self.hosts();
        if !hosts.is_empty() {
            members.insert("hosts".to_owned(), json!(hosts));
        }
        if !self.options.addresses.is_empty() {
            members.insert("addresses".to_owned(), json!(self.options.addresses));
        }
        if let Some(server) = &self.options.server {
            members.insert("mcp-server".to_owned(), server.as_json());
        }
        if let Some((path, digest)) = self.program.interpreter() {
            let interpreter =
                json!({ "path": path.to_string_lossy(), "digest": digest.to_string() });
            members.insert("interpreter".to_owned(), interpreter);
        }
        plan
    }

    /// Returns the hosts it may send requests to through the proxy, each with what kind of request.
    pub fn hosts(&self) -> Vec<String> {
        let http = |kind: Kind| matches!(kind, Kind::HttpRead | Kind::HttpWrite);
        let granted = self.verdicts.granted.iter().map(|grant| &grant.capability);
        granted.filter(|one| http(one.kind())).map(ToString::to_string).collect()
    }

    /// Returns the protected names as a number and a digest over all of them.
    fn protected(&self) -> String {
        let names = self.sandbox.protected();
        let digest = sha2::Sha256::digest(names.join("\n"));
        format!("{} names, {}", names.len(), Digest::from_bytes(digest.into()))
    }

    /// Returns what of it this system holds. It is tried out, so ask only to show it.
    pub fn enforcement(&self) -> Vec<Enforcement> {
        self.executor.enforcement(&self.sandbox)
    }

    /// Returns what a person is warned of.
    pub fn warnings(&self) -> Vec<String> {
        let own = self.exec.warning.iter().map(|why| format!("`{}`: {why}", self.name()));
        let server = self.options.server.iter().flat_map(|server| server.notes.iter().cloned());
        let unheld = unheld(&self.enforcement());
        own.chain(self.notes.iter().cloned()).chain(unheld).chain(server).collect()
    }

    /// Returns the whole plan as JSON.
    pub fn as_json(&self) -> Value {
        let program = &self.program;
        let subject = self.request().ok().map(|request| request.subject().to_string());
        json!({
            "program": { "path": shown(program.path()), "digest": program.digest().to_string() },
            "argv": self.argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>(),
            "subject": subject,
            "plan": self.bound(),
            "plan-digest": self.sandbox.digest().to_string(),
            "enforcement": self.enforcement(),
            "exec": self.exec,
            "granted": self.verdicts.granted.iter().map(|g| g.capability.to_string()).collect::<Vec<_>>(),
            "refused": self.verdicts.refused,
            "toolchains": self.toolchains,
            "warnings": self.warnings(),
        })
    }

    /// Returns the name the program is called by, without directories.
    pub fn name(&self) -> String {
        let called = self.argv.first().map(Path::new).and_then(Path::file_name);
        let name = called.or_else(|| self.program.path().file_name());
        text::plain(&name.unwrap_or_default().to_string_lossy())
    }
}

/// Between the end of a person's patience and the end of the request.
pub(super) const SLACK: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

impl fmt::Display for ExecPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> =
            self.argv.iter().map(|word| quote::word(&word.as_os_str().into())).collect();
        row(f, "runs", &words.join(" "))?;
        row(f, "program", &shown(self.program.path()))?;
        row(f, "", &self.program.digest().to_string())?;
        if let Some((path, digest)) = self.program.interpreter() {
            row(f, "interpreter", &shown(path))?;
            row(f, "", &digest.to_string())?;
        }
        for (path, digest) in self.options.server.iter().flat_map(|server| &server.files) {
            row(f, "pinned", &shown(path))?;
            row(f, "", &digest.to_string())?;
        }
        let by = &self.exec.decided_by;
        row(f, "decided by", &format!("{}: {} ({})", by.layer, by.rule, self.exec.verdict))?;
        let sandbox = self.sandbox.to_string();
        for line in sandbox.lines().filter(|line| !line.starts_with("protected ")) {
            writeln!(f, "{line}")?;
        }
        let names = self.sandbox.protected();
        row(f, "protected", &format!("{} names such as {}", names.len(), some_of(names)))?;
        for host in self.hosts() {
            row(f, "through proxy", &host)?;
        }
        if !self.toolchains.is_empty() {
            row(f, "toolchain", &self.toolchains.join(" "))?;
        }
        for refused in &self.verdicts.refused {
            let by = &refused.decided_by;
            row(
                f,
                "not given",
                &format!("{} ({}: {})", refused.request.capability, by.layer, by.reason),
            )?;
        }
        for warning in self.warnings() {
            row(f, "warning", &warning)?;
        }
        writeln!(f, "\nheld by this system:")?;
        for rule in &self.enforcement() {
            let held = match &rule.status {
                Status::Enforced => "yes".to_owned(),
                Status::Partial(what) => format!("partly: {what}"),
                Status::NotEnforced => "NO".to_owned(),
            };
            // The names stand above.
            let rule = rule.rule.split_once(": .").map_or(rule.rule.as_str(), |(rule, _)| rule);
            writeln!(f, "  {rule}: {held}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ExecPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ExecPlan");
        shown.field("program", &self.program).field("sandbox", &self.sandbox);
        shown.finish_non_exhaustive()
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "{name:<15} {value}")
}

/// Returns the protected names that most people know.
fn some_of(names: &[String]) -> String {
    let known = [".git", ".envrc", ".vscode", ".github"];
    known
        .into_iter()
        .filter(|name| names.iter().any(|one| one == name))
        .collect::<Vec<_>>()
        .join(", ")
}

fn shown(path: &Path) -> String {
    text::plain(&path.to_string_lossy())
}

/// Returns what a person should know about a system that does not hold the plan for certain.
fn unheld(enforcement: &[Enforcement]) -> Option<String> {
    let absent = enforcement.iter().filter(|rule| rule.status == Status::NotEnforced);
    let absent: Vec<&str> = absent.map(|rule| rule.rule.as_str()).collect();
    let unverified = enforcement.iter().filter(|rule| !rule.is_verified()).count() - absent.len();
    let verified = (unverified > 0)
        .then(|| format!("nobody has verified {unverified} rules of the sandbox of this system"));
    let held = (!absent.is_empty())
        .then(|| format!("this system does not hold at all that {}", absent.join(", that ")));
    let said: Vec<String> = verified.into_iter().chain(held).collect();
    (!said.is_empty()).then(|| format!("{}; `--plan` shows each rule", said.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_what_the_system_does_not_hold() {
        let held = Enforcement::enforced("there is no network");
        let gap = Enforcement::partial("processes are limited", "but for root");
        assert_eq!(unheld(&[held.clone(), gap.clone()]), None);
        let unseen = Enforcement::partial("files are read", "not verified on this system; links");
        let absent = Enforcement::absent("memory is limited");
        assert_eq!(
            unheld(&[held, gap, unseen, absent]).as_deref(),
            Some(
                "nobody has verified 1 rules of the sandbox of this system; this system does not \
                 hold at all that memory is limited; `--plan` shows each rule"
            )
        );
    }
}
