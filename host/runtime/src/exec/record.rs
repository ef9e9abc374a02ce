//! What the audit log gets to know about a native program: names, digests, verdicts and counts;
//! never an argument, a path of the host or a value.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringfence_approval::{Asker, Denied, Event};
use ringfence_audit::{
    Approval, Decision, Entry, How, Outcome, Plugin as LoggedPlugin, Target, Usage,
};
use ringfence_capability::{Digest, Kind, Origin, Profile};
use ringfence_interfaces::proxy::ProxySummary;
use ringfence_interfaces::{Effect, EffectSink, NotRecorded, Verdict};
use ringfence_sandbox::Exit;
use sha2::Digest as _;

use super::{ExecOptions, ExecPlan};
use crate::RunError;
use crate::record::{self, Log};

/// Whom the entries are about.
#[derive(Clone)]
pub(super) struct About {
    plugin: Option<LoggedPlugin>,
    profile: Profile,
}

impl About {
    pub(super) fn of(options: &ExecOptions) -> Self {
        let plugin = match &options.asker {
            Asker::Operator => None,
            Asker::Plugin { name, digest } => {
                Some(LoggedPlugin::new(name, *digest, options.signer.as_deref()))
            }
        };
        Self { plugin, profile: options.profile }
    }

    fn entry(&self, operation: &str) -> Entry {
        let entry = Entry::new(operation);
        match &self.plugin {
            Some(plugin) => entry.by_plugin(plugin.clone()),
            None => entry,
        }
    }

    /// Records that a program was not even asked about.
    pub(super) fn not_started(
        &self,
        log: &dyn Log,
        program: &Path,
        error: &RunError,
    ) -> Result<(), RunError> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let entry = self.entry("exec.refused").at(Target::name(&name));
        let code = ringfence_capability::Diagnostic::code(error);
        let layer = self.profile.name();
        log.append(&[entry.decided(Decision::Forbid, layer, &Origin::BuiltIn, code)])
    }
}

/// The entries of one run of a native program. Clones write for the same run.
#[derive(Clone)]
pub(super) struct ExecLog {
    about: About,
    log: Arc<dyn Log>,
    run: Arc<str>,
}

impl ExecLog {
    pub(super) fn new(about: About, log: Arc<dyn Log>, run: &str) -> Self {
        Self { about, log, run: run.into() }
    }

    pub(super) fn run(&self) -> &str {
        &self.run
    }

    pub(super) fn entry(&self, operation: &str) -> Entry {
        self.about.entry(operation).in_run(&self.run)
    }

    /// Returns the same entry, with what became of it.
    pub(super) fn judged(&self, entry: Entry, decision: Decision, why: &str) -> Entry {
        entry.decided(decision, self.about.profile.name(), &Origin::BuiltIn, why)
    }

    /// Returns what is written before the program may start, or because it may not: what policy said
    /// of each request, and the answer of the person.
    pub(super) fn decided(
        &self,
        plan: &ExecPlan,
        target: &Target,
        event: &Event,
        denied: Option<&Denied>,
    ) -> Vec<Entry> {
        let of_run = |explanation| {
            let entry = record::decided(explanation).in_run(&self.run);
            match &self.about.plugin {
                Some(plugin) => entry.by_plugin(plugin.clone()),
                None => entry,
            }
        };
        let all = std::iter::once(&plan.exec).chain(&plan.verdicts.all);
        let mut entries: Vec<_> = all.map(of_run).collect();
        let why = denied.map_or_else(|| "a person approved it".to_owned(), ToString::to_string);
        let decision = if event.allowed { Decision::Allow } else { Decision::Forbid };
        let answer = self
            .entry("exec.approval")
            .at(target.clone())
            .for_request(event.request)
            .approved(approval(event, denied));
        entries.push(self.judged(answer, decision, &why));
        entries
    }

    /// Returns the entry of the start itself.
    pub(super) fn starts(&self, target: &Target, request: Digest) -> Entry {
        let entry = self.entry("exec.start").at(target.clone()).for_request(request);
        self.judged(entry, Decision::Allow, "approved")
    }

    /// Records that the program did not start although it was approved.
    pub(super) fn failed(&self, target: Target, why: &str) -> Result<(), RunError> {
        let entry = self.entry("exec.failed").at(target);
        self.append(&[self.judged(entry, Decision::Forbid, why)])
    }

    /// Records how the program ended.
    pub(super) fn ended(
        &self,
        target: Target,
        exit: Exit,
        duration: Duration,
        network: Option<&ProxySummary>,
    ) -> Result<(), RunError> {
        let usage = Usage::new(duration);
        let (outcome, how) = match exit {
            Exit::Code(code) => (Outcome::Exited { code, usage }, "it ended by itself"),
            Exit::Signal(signal) => (Outcome::Killed { signal, usage }, "a signal ended it"),
            Exit::TimedOut => (Outcome::Killed { signal: 9, usage }, "its time was over"),
        };
        let how = network.map_or_else(
            || how.to_owned(),
            |network| {
                format!(
                    "{how}; through the proxy {} allowed, {} refused, {} bytes out, {} bytes in",
                    network.allowed,
                    network.refused,
                    network.moved.sent_bytes,
                    network.moved.received_bytes
                )
            },
        );
        let entry = self.entry("exec.end").at(target).came_to(outcome);
        self.append(&[self.judged(entry, Decision::Allow, &how)])
    }

    pub(super) fn append(&self, entries: &[Entry]) -> Result<(), RunError> {
        self.log.append(entries)
    }

    pub(super) fn append_synced(&self, entries: &[Entry]) -> Result<(), RunError> {
        self.log.append_synced(entries)
    }
}

impl EffectSink for ExecLog {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        let target = match effect.kind {
            Kind::HttpRead | Kind::HttpWrite | Kind::Socket => Target::host(&effect.target, None),
            _ => Target::name(&effect.target),
        };
        let (decision, reason) = match &effect.verdict {
            Verdict::Done => (Decision::Allow, "granted"),
            Verdict::Refused(reason) => (Decision::Forbid, reason.as_str()),
        };
        let moved = effect.moved.map(|moved| {
            format!("{reason}; {} bytes out, {} bytes in", moved.sent_bytes, moved.received_bytes)
        });
        let operation = format!("{}.{}", effect.kind, effect.operation);
        let entry = self.entry(&operation).at(target);
        let entry = self.judged(entry, decision, moved.as_deref().unwrap_or(reason));
        self.append(&[entry]).map_err(|_| NotRecorded::new())
    }
}

/// Returns what the entries of a run say it is about.
pub(super) fn target(plan: &ExecPlan) -> Target {
    let (program, sandbox) = (plan.program.digest(), plan.sandbox.digest());
    let path = plan.program.path().to_string_lossy();
    Target::program(&path, program, argv_digest(&plan.argv), sandbox)
}

/// Returns the SHA-256 over the arguments, each followed by a zero byte.
fn argv_digest(argv: &[OsString]) -> Digest {
    let mut hasher = sha2::Sha256::new();
    for word in argv {
        hasher.update(word.as_encoded_bytes());
        hasher.update([0]);
    }
    Digest::from_bytes(hasher.finalize().into())
}

pub(super) fn approval(event: &Event, denied: Option<&Denied>) -> Approval {
    let how = match (event.allowed, event.answer) {
        (true, Some("once")) => How::Once,
        (true, Some("for-this-run")) => How::Run,
        (true, _) => How::Lease,
        (false, None) if timed_out(denied) => How::Expired,
        (false, _) => How::Denied,
    };
    let mut approval = Approval::new(how);
    if let Some(by) = &event.by {
        approval = approval.by(by.channel.name());
    }
    match &event.lease {
        Some(lease) => approval.under(lease.as_str()),
        None => approval,
    }
}

fn timed_out(denied: Option<&Denied>) -> bool {
    use ringfence_approval::ApprovalError::TimedOut;
    matches!(denied, Some(Denied::Expired { .. } | Denied::Unanswered { source: TimedOut }))
}
