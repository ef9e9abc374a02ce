//! What a program wrote, beside the workspace, until somebody says what becomes of it.

use std::fmt;
use std::path::Path;

use ringfence_approval::{Denied, Event};
use ringfence_audit::{Decision as Logged, Entry, Kept, Outcome, Target};
use ringfence_policy::ProtectedNames;
use ringfence_sandbox::StageDirs;
use ringfence_sandbox::staging::{
    self, Changes, Decision, DiffLimits, Effect, Receipt, RelPath, Stage, Undo, UndoData,
};

use super::agreed::AgreedBy;
use super::record::{About, ExecLog};
use super::{ExecError, ExecOptions, ExecPlan};
use crate::record::run_id;
use crate::{Host, RunError};

/// The stage of a run that has not ended; without one writes go nowhere or straight into the
/// workspace.
pub(super) struct Staging(Option<Stage>);

impl Staging {
    /// Cleans up after runs that were killed, and makes a stage when the plan needs one.
    pub(super) fn prepare(
        plan: &ExecPlan,
        state: &Path,
        log: &ExecLog,
        entries: &mut Vec<Entry>,
    ) -> Result<Self, ExecError> {
        entries.extend(swept(state, log)?);
        if !plan.sandbox.is_staged() {
            return Ok(Self(None));
        }
        Ok(Self(Some(Stage::create(state, plan.sandbox.workspace())?)))
    }

    pub(super) fn dirs(&self) -> Option<StageDirs> {
        let stage = self.0.as_ref()?;
        Some(StageDirs { upper: stage.upper().to_owned(), work: stage.work().to_owned() })
    }

    /// Returns what was written, when something was.
    pub(super) fn ended(self, log: &ExecLog) -> Result<Option<Staged>, RunError> {
        let Some(stage) = self.0 else { return Ok(None) };
        let changes = stage.changes(&protected).map_err(ExecError::from)?;
        if changes.is_empty() {
            stage.discard().map_err(ExecError::from)?;
            return Ok(None);
        }
        Ok(Some(Staged { stage, changes, log: log.clone() }))
    }
}

/// Cleans up after runs that were killed, and returns what to write down about each.
fn swept(state: &Path, log: &ExecLog) -> Result<Vec<Entry>, ExecError> {
    let entry = |recovered: &staging::Recovered| {
        let (decision, how) = match &recovered.outcome {
            staging::Outcome::Discarded => {
                (Logged::Allow, "what a run left that was killed was thrown away")
            }
            staging::Outcome::Finished => (Logged::Allow, "an interrupted commit was finished"),
            staging::Outcome::TakenBack => (Logged::Allow, "an interrupted commit was taken back"),
            _ => (Logged::Forbid, "an interrupted commit could not be finished or taken back"),
        };
        log.judged(log.entry("exec.recovered"), decision, how)
    };
    Ok(Stage::sweep(state)?.iter().map(entry).collect())
}

fn protected(name: &str) -> bool {
    ProtectedNames::built_in().matches(name)
}

/// What a program wrote. Dropping it throws it away; [`Staged::discard`] does so on the record.
pub struct Staged {
    stage: Stage,
    changes: Changes,
    log: ExecLog,
}

impl Staged {
    /// Returns what would change, path by path.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Returns the changes as text, safe to show at a terminal.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn diff(&self) -> Result<String, RunError> {
        let text = self.stage.text_diff(&self.changes, DiffLimits::default());
        Ok(text.map_err(ExecError::from)?)
    }

    /// Writes what `decision` covers into the workspace, all of it or nothing. It is on the disk of
    /// the log first, with who agreed.
    ///
    /// # Errors
    /// When it cannot be recorded; when a flagged path lacks its own approval; when the workspace is
    /// no longer as it was shown. Nothing is written then, and it can be tried again.
    pub fn commit(&mut self, decision: &Decision, by: AgreedBy) -> Result<Receipt, RunError> {
        let entry = self.entry("exec.commit");
        let begins = self.log.judged(entry, Logged::Allow, by.reason());
        self.log.append_synced(&[begins])?;
        let done = self.stage.commit(&self.changes, decision);
        let entry = self.entry("exec.committed");
        let entry = match &done {
            Ok(receipt) => {
                let how = format!(
                    "{} left out; {}",
                    receipt.left_out,
                    if receipt.undo == UndoData::Kept {
                        "can be undone"
                    } else {
                        "cannot be undone"
                    }
                );
                let outcome = staged(Kept::Committed, receipt, size_bytes(&self.changes, decision));
                self.log.judged(entry.came_to(outcome), Logged::Allow, &how)
            }
            Err(error) => self.log.judged(entry, Logged::Forbid, &error.to_string()),
        };
        let recorded = self.log.append_synced(&[entry]);
        let receipt = done.map_err(ExecError::from)?;
        recorded?;
        Ok(receipt)
    }

    /// Throws everything away.
    ///
    /// # Errors
    /// When it cannot be removed or recorded; the next run removes it.
    pub fn discard(self) -> Result<(), RunError> {
        let (count, entry) = (Count::of(&self.changes), self.entry("exec.discarded"));
        let entry = entry.came_to(count.outcome(Kept::Discarded, 0));
        let entry = self.log.judged(entry, Logged::Allow, "the changes were not approved");
        let Self { stage, log, .. } = self;
        stage.discard().map_err(ExecError::from)?;
        log.append(&[entry])
    }

    /// Records what a person said about the changes.
    pub(super) fn answered(
        &self,
        event: &Event,
        denied: Option<&Denied>,
        decision: Logged,
        why: &str,
    ) -> Result<(), RunError> {
        let entry = self.entry("exec.commit-approval").for_request(event.request);
        let entry = entry.approved(super::record::approval(event, denied));
        self.log.append_synced(&[self.log.judged(entry, decision, why)])
    }

    fn entry(&self, operation: &str) -> Entry {
        self.log.entry(operation).at(Target::Digest { digest: self.changes.digest() })
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

/// The last commit in a workspace, which can be taken back once.
pub struct ExecUndo {
    undo: Undo,
    log: ExecLog,
}

impl Host {
    /// Returns the last commit of staged changes in this workspace.
    ///
    /// # Errors
    /// When there is none, or its record is not sound.
    pub fn undo_exec(&self) -> Result<ExecUndo, RunError> {
        let state = self.exec_state()?;
        let about = About::of(&ExecOptions::default());
        let log = ExecLog::new(about, self.log.clone(), &run_id()?);
        let recovered = swept(&state, &log)?;
        if !recovered.is_empty() {
            log.append_synced(&recovered)?;
        }
        let undo = Undo::of(&state, self.places.workspace()).map_err(ExecError::from)?;
        Ok(ExecUndo { undo, log })
    }
}

impl ExecUndo {
    /// Returns the paths that go back, and what the commit had done to each.
    pub fn paths(&self) -> Vec<(RelPath, Effect)> {
        self.undo.paths()
    }

    /// Puts everything back, all of it or nothing. It is on the disk of the log first.
    ///
    /// # Errors
    /// When it cannot be recorded, or a path changed since the commit: nothing is written then.
    pub fn apply(self) -> Result<(), RunError> {
        let count = Count::of_paths(self.undo.paths().into_iter().map(|(_, effect)| effect));
        let begins = self.log.entry("exec.undo");
        self.log.append_synced(&[self.log.judged(
            begins,
            Logged::Allow,
            "a person asked for it",
        )])?;
        let done = self.undo.apply();
        let entry = self.log.entry("exec.undone").came_to(count.outcome(Kept::Undone, 0));
        let (decision, how) = match &done {
            Ok(()) => (Logged::Allow, "everything is as it was".to_owned()),
            Err(error) => (Logged::Forbid, error.to_string()),
        };
        let recorded = self.log.append_synced(&[self.log.judged(entry, decision, &how)]);
        done.map_err(ExecError::from)?;
        recorded
    }
}

impl fmt::Debug for ExecUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecUndo").field("undo", &self.undo).finish_non_exhaustive()
    }
}

/// How many paths of each kind.
#[derive(Default)]
struct Count {
    added: u64,
    changed: u64,
    removed: u64,
}

impl Count {
    fn of(changes: &Changes) -> Self {
        Self::of_paths(changes.iter().map(staging::Change::effect))
    }

    fn of_paths(effects: impl Iterator<Item = Effect>) -> Self {
        effects.fold(Self::default(), |mut count, effect| {
            match effect {
                Effect::Added => count.added += 1,
                Effect::Changed => count.changed += 1,
                Effect::Deleted => count.removed += 1,
            }
            count
        })
    }

    fn outcome(&self, kept: Kept, size_bytes: u64) -> Outcome {
        let Self { added, changed, removed } = *self;
        Outcome::Staged { kept, added, changed, removed, size_bytes }
    }
}

fn staged(kept: Kept, receipt: &Receipt, size_bytes: u64) -> Outcome {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Outcome::Staged {
        kept,
        added: number(receipt.added),
        changed: number(receipt.changed),
        removed: number(receipt.deleted),
        size_bytes,
    }
}

/// Returns how many bytes the approved files have.
fn size_bytes(changes: &Changes, decision: &Decision) -> u64 {
    let approved = |path: &RelPath| match &decision.approve {
        staging::Approve::All => true,
        staging::Approve::Paths(paths) => paths.iter().any(|one| path.starts_with(one)),
    };
    let of = |change: &staging::Change| {
        change
            .after()
            .filter(|node| node.kind == staging::Kind::File)
            .map_or(0, |node| node.size_bytes)
    };
    changes.iter().filter(|change| approved(change.path())).map(of).fold(0, u64::saturating_add)
}
