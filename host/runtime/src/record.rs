//! Writes what was decided and done into the audit log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cap_std::fs::Dir;
use ringfence_audit::{
    AuditLog, Decision, Durability, Entry, Plugin as LoggedPlugin, Target, Timestamp,
};
use ringfence_capability::{Kind, Limit, Origin, Profile};
use ringfence_engine::{EngineError, Meter};
use ringfence_interfaces::{Effect, EffectSink, Effects, NotRecorded, Verdict as Outcome};
use ringfence_policy::{Explanation, Verdict, Verdicts};

use crate::{Plugin, RunError, Usage};

/// The file the log is in, below the state directory.
const LOG_FILE: &str = "audit.jsonl";

/// Takes entries, all of one call or none.
pub(crate) trait Log: Send + Sync + 'static {
    fn append(&self, entries: &[Entry]) -> Result<(), RunError>;

    /// As `append`, and the disk has them: for actions of the high rail.
    fn append_synced(&self, entries: &[Entry]) -> Result<(), RunError> {
        self.append(entries)
    }
}

/// The log of a host that keeps no state. Nothing is written down.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NoLog;

impl Log for NoLog {
    fn append(&self, _: &[Entry]) -> Result<(), RunError> {
        Ok(())
    }
}

/// The log of a host that only looks: nothing can be recorded, so nothing can run.
pub(crate) struct LooksOnly;

impl Log for LooksOnly {
    fn append(&self, _: &[Entry]) -> Result<(), RunError> {
        Err(RunError::NotRecorded { source: "this host only looks".into() })
    }
}

impl Log for AuditLog {
    fn append(&self, entries: &[Entry]) -> Result<(), RunError> {
        let done = self.append_all(entries, Durability::Written);
        done.map(drop).map_err(|error| RunError::NotRecorded { source: Box::new(error) })
    }

    fn append_synced(&self, entries: &[Entry]) -> Result<(), RunError> {
        let done = self.append_all(entries, Durability::Synced);
        done.map(drop).map_err(|error| RunError::NotRecorded { source: Box::new(error) })
    }
}

/// Opens the log in the state directory.
pub(crate) fn open(state: &Dir) -> Result<Arc<dyn Log>, RunError> {
    let log = AuditLog::open(state, LOG_FILE, Timestamp::now);
    log.map(|log| Arc::new(log) as Arc<dyn Log>)
        .map_err(|error| RunError::NotRecorded { source: Box::new(error) })
}

/// Who the entries of a run are about.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    plugin: LoggedPlugin,
    profile: Profile,
}

impl Identity {
    pub(crate) fn new(plugin: &Plugin, profile: Profile) -> Self {
        let logged = LoggedPlugin::new(
            &plugin.manifest.name,
            plugin.identity,
            plugin.signed_by().as_deref(),
        );
        Self { plugin: logged, profile }
    }

    pub(crate) fn name(&self) -> &str {
        &self.plugin.name
    }

    fn entry(&self, operation: &str) -> Entry {
        Entry::new(operation).by_plugin(self.plugin.clone())
    }

    /// Records the decision about every request.
    pub(crate) fn decided(&self, log: &dyn Log, verdicts: &Verdicts) -> Result<(), RunError> {
        let about = |explanation| decided(explanation).by_plugin(self.plugin.clone());
        let entries: Vec<_> = verdicts.all.iter().map(about).collect();
        if entries.is_empty() { Ok(()) } else { log.append(&entries) }
    }

    /// Records that the plugin was not started, and why.
    pub(crate) fn not_started(&self, log: &dyn Log, error: &RunError) -> Result<(), RunError> {
        let entry = self.entry("plugin.refused").decided(
            Decision::Forbid,
            self.profile.name(),
            &Origin::BuiltIn,
            &error.to_string(),
        );
        log.append(&[entry])
    }
}

/// Returns the entry about one decision.
pub(crate) fn decided(explanation: &Explanation) -> Entry {
    let decision = match explanation.verdict {
        Verdict::Allow => Decision::Allow,
        Verdict::Prompt => Decision::Prompt,
        Verdict::Forbid => Decision::Forbid,
    };
    let by = &explanation.decided_by;
    // What a person approved is allowed by that approval, not by the rule that asks.
    let origin = match (&explanation.approved_by, by.line) {
        (Some(approval), _) => Origin::Flag(approval.trim_matches('`').to_owned()),
        (None, Some(line)) => Origin::File { path: by.file.clone(), line },
        (None, None) => Origin::BuiltIn,
    };
    let entry = Entry::about(&explanation.request.capability, decision);
    entry.decided(decision, &by.layer, &origin, &by.reason)
}

/// The entries of one run. Clones write for the same run.
#[derive(Clone)]
pub(crate) struct RunLog {
    identity: Identity,
    log: Arc<dyn Log>,
    run: String,
    meter: Arc<Meter>,
    /// Refused attempts past the limit on records; their number is told at the end.
    unlisted: Arc<AtomicU64>,
    /// Whether the end is recorded.
    closed: Arc<AtomicBool>,
}

impl RunLog {
    /// Records that a run starts.
    pub(crate) fn start(
        identity: &Identity,
        log: Arc<dyn Log>,
        what: &str,
        meter: Arc<Meter>,
    ) -> Result<Self, RunError> {
        let unlisted = Arc::new(AtomicU64::new(0));
        let (identity, closed) = (identity.clone(), Arc::default());
        let this = Self { identity, log, run: run_id()?, meter, unlisted, closed };
        let entry = this.entry("run.start").at(Target::name(what));
        this.log.append(&[entry])?;
        tracing::debug!(run = this.run, plugin = this.identity.name(), what, "a run starts");
        Ok(this)
    }

    fn entry(&self, operation: &str) -> Entry {
        self.identity.entry(operation).in_run(&self.run)
    }

    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Returns what records the effects of this run.
    pub(crate) fn effects(&self) -> Effects {
        Arc::new(self.clone())
    }

    /// Records that a session is about to call a function.
    pub(crate) fn calls(&self, function: &str) -> Result<(), RunError> {
        self.log.append(&[self.entry("call.start").at(Target::name(function))])
    }

    /// Records how a call of a session ended and hands its outcome on.
    pub(crate) fn call_ended<T>(
        &self,
        done: Result<T, EngineError>,
        usage: Usage,
    ) -> Result<T, RunError> {
        self.close("call.end", done, usage)
    }

    /// Records how the run ended and hands its outcome on.
    pub(crate) fn ended<T>(
        &self,
        done: Result<T, EngineError>,
        usage: Usage,
    ) -> Result<T, RunError> {
        self.closed.store(true, Ordering::Relaxed);
        self.close("run.end", done, usage)
    }

    /// Records that nobody waits for the run any more, when it has no end yet.
    pub(crate) fn withdrawn(&self, usage: Usage) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        let how = format!("withdrawn after {} ms of processor time", usage.cpu_ms);
        let layer = self.identity.profile.name();
        let entry = self.entry("run.end").decided(Decision::Allow, layer, &Origin::BuiltIn, &how);
        if let Err(error) = self.log.append(&[entry]) {
            tracing::error!(%error, run = self.run, "the end of a run could not be recorded");
        }
    }

    fn close<T>(
        &self,
        operation: &str,
        done: Result<T, EngineError>,
        usage: Usage,
    ) -> Result<T, RunError> {
        let mut how = match &done {
            Ok(_) => format!("ended after {} ms of processor time", usage.cpu_ms),
            Err(error) => error.to_string(),
        };
        let unlisted = self.unlisted.swap(0, Ordering::Relaxed);
        if unlisted > 0 {
            how = format!("{how}; {unlisted} more refused attempts are not listed");
        }
        let decision = if done.is_ok() { Decision::Allow } else { Decision::Forbid };
        let layer = self.identity.profile.name();
        tracing::debug!(run = self.run, operation, how, "a run ends");
        let entry = self.entry(operation).decided(decision, layer, &Origin::BuiltIn, &how);
        let recorded = self.log.append(&[entry]);
        let done = done?;
        recorded?;
        Ok(done)
    }
}

impl EffectSink for RunLog {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        // Past the limit nothing more happens, and what is refused anyway is only counted: a plugin
        // cannot fill the disk with its own misdeeds.
        if self.meter.charge(Limit::AuditRecords, 1).is_err() {
            return match effect.verdict {
                Outcome::Done => Err(NotRecorded::new()),
                Outcome::Refused(_) => {
                    self.unlisted.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
            };
        }
        let target = match effect.kind {
            Kind::FsRead | Kind::FsWrite => Target::guest_path(&effect.target),
            Kind::HttpRead | Kind::HttpWrite | Kind::Socket => Target::host(&effect.target, None),
            _ => Target::name(&effect.target),
        };
        let (decision, reason) = match &effect.verdict {
            Outcome::Done => (Decision::Allow, effect.note.as_deref().unwrap_or("granted")),
            Outcome::Refused(reason) => (Decision::Forbid, reason.as_str()),
        };
        let operation = format!("{}.{}", effect.kind, effect.operation);
        let layer = self.identity.profile.name();
        let entry =
            self.entry(&operation).at(target).decided(decision, layer, &Origin::BuiltIn, reason);
        self.log.append(&[entry]).map_err(|_| NotRecorded::new())
    }
}

/// Returns a name for a run that no other run has.
pub(crate) fn run_id() -> Result<String, RunError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| RunError::NotRecorded { source: Box::new(error) })?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
