//! Staged writes: a program writes into an overlay, a person sees what changed, and it is committed
//! or thrown away.
//!
//! The lower layer is the workspace; upper and work directory lie below the user's state directory
//! and are mounted by the sandbox, with `userxattr`. Invariants:
//!
//! - Until a commit nothing in the workspace changes, and afterwards nothing is left there but what
//!   was approved: no temporary file, also after a crash and the next [`Stage::sweep`].
//! - Everything below the workspace is reached by descriptor, beneath it and without following a
//!   symbolic link. No file is written through: a changed file is a new one under the old name.
//! - A commit happens whole or not at all, and only over what was there when it was shown.
//!
//! Start with [`Stage::create`], [`Stage::changes`] and [`Stage::commit`]; then [`Undo`].

mod build;
mod changes;
mod diff;
mod dir;
mod error;
mod flush;
mod journal;
mod links;
mod names;
mod node;
mod path;
mod plan;
mod recover;
mod repository;
mod scan;
mod settle;
mod state;
mod transaction;
mod undo;

#[cfg(test)]
mod tests;

pub use changes::{Approve, Change, Changes, Decision, Effect, Flag};
pub use diff::DiffLimits;
pub use error::StagingError;
pub use names::ProtectedNames;
pub use node::{Identity, Kind, Node};
pub use path::{RawText, RelPath};
pub use recover::{Outcome, Recovered};
pub use scan::ScanLimits;
pub use settle::{Receipt, UndoData};
pub use undo::Undo;

use journal::{Journal, Purpose, Steps};
use node::Rigour;
use rustix::fd::OwnedFd;
use rustix::fs::{self, Mode};
use scan::Scan;
use state::{Home, Root, State};
use std::path::{Path, PathBuf};
use transaction::Transaction;

/// A stage: the layers of one overlay over a workspace. Dropping it throws the changes away.
pub struct Stage {
    state: State,
    home: Home,
    root: Root,
    upper: PathBuf,
    work: PathBuf,
    /// When it was made, by the clock of the file systems.
    began: (i64, i64),
    limits: ScanLimits,
    /// Whether a crash was pretended, so that dropping it must clean nothing up.
    left_alone: bool,
}

impl Stage {
    /// Makes a stage over `workspace`, private to this user, below `state_directory`. It is
    /// locked until it is dropped or the process ends.
    ///
    /// # Errors
    /// `StateInsideWorkspace`; `Unsupported` when the file system cannot hold an upper layer.
    pub fn create(state_directory: &Path, workspace: &Path) -> Result<Self, StagingError> {
        let root = Root::open(workspace)?;
        let state = State::open(state_directory)?;
        state.keep_apart(&root)?;
        let home = state.make_home()?;
        let place = state.path.join("staging").join(&home.id);
        let mut made = Self {
            upper: place.join("upper"),
            work: place.join("work"),
            state,
            home,
            root,
            began: (0, 0),
            limits: ScanLimits::default(),
            left_alone: false,
        };
        made.state.probe(&made.home)?;
        made.began = made.make_layers()?;
        Ok(made)
    }

    /// Returns the same with other limits on what is looked at.
    #[must_use]
    pub fn with_limits(mut self, limits: ScanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the name of the stage.
    pub fn id(&self) -> &str {
        &self.home.id
    }

    /// Returns the upper directory to mount.
    pub fn upper(&self) -> &Path {
        &self.upper
    }

    /// Returns the work directory to mount.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Returns the lower directory to mount: the workspace.
    pub fn workspace(&self) -> &Path {
        &self.root.path
    }

    /// Returns what the program changed; `protected` says which names need an approval of their
    /// own. Called after the program and everything it started has ended.
    ///
    /// # Errors
    /// `TooMuch` rather than a shortened list; `Unexpected` for marks this overlay never makes.
    pub fn changes(&self, protected: ProtectedNames<'_>) -> Result<Changes, StagingError> {
        let upper = self.layer()?;
        let changes = Scan::run(&upper, &self.root.fd, protected, self.limits, self.began)?;
        Ok(Changes { stage: self.home.id.clone(), changes })
    }

    /// Returns the changes as text: for each path what happens to it and, where both sides are
    /// text, a unified diff. Safe to show on a terminal.
    ///
    /// # Errors
    /// `Io` when a file cannot be read.
    pub fn text_diff(&self, changes: &Changes, limits: DiffLimits) -> Result<String, StagingError> {
        diff::render(&self.layer()?, &self.root.fd, changes, limits)
    }

    /// Writes the approved changes into the workspace, all of them or none. The stage stays usable
    /// when nothing was written; afterwards only the data to undo is kept.
    ///
    /// # Errors
    /// `Unapproved`, `NeedsParent`, `NotAChange`, `StageChanged`, `OtherFileSystem`; `Conflict`
    /// naming every path that is not what was shown. In each case nothing was written.
    pub fn commit(
        &mut self,
        changes: &Changes,
        decision: &Decision,
    ) -> Result<Receipt, StagingError> {
        self.commit_in_steps(changes, decision, &mut Steps::default())
    }

    /// Throws the changes away.
    ///
    /// # Errors
    /// `Io` when something cannot be removed; the next sweep tries again.
    pub fn discard(mut self) -> Result<(), StagingError> {
        self.left_alone = true;
        self.state.remove(&self.home)
    }

    /// Finishes or takes back commits that a crash interrupted, and removes the stages of
    /// processes that are gone. Called at every start.
    ///
    /// # Errors
    /// `Io` when the state directory cannot be read; what is wrong with one stage is in its result.
    pub fn sweep(state: &Path) -> Result<Vec<Recovered>, StagingError> {
        recover::run(&State::open(state)?, None, &mut Steps::default())
    }

    /// As [`Stage::sweep`], for the stages of one workspace only.
    ///
    /// # Errors
    /// As `sweep`.
    pub fn recover(state: &Path, workspace: &Path) -> Result<Vec<Recovered>, StagingError> {
        let root = Root::open(workspace)?;
        recover::run(&State::open(state)?, Some(&root), &mut Steps::default())
    }

    fn commit_in_steps(
        &mut self,
        changes: &Changes,
        decision: &Decision,
        steps: &mut Steps,
    ) -> Result<Receipt, StagingError> {
        if changes.stage != self.home.id {
            return Err(StagingError::StageChanged { path: RelPath::root() });
        }
        let result = self.try_commit(changes, decision, steps);
        // A commit that got through, or died on the way, has nothing left to throw away here.
        if journal::exists(&self.home.fd, journal::JOURNAL)? || result.is_ok() {
            self.left_alone = true;
        }
        result
    }

    fn try_commit(
        &mut self,
        changes: &Changes,
        decision: &Decision,
        steps: &mut Steps,
    ) -> Result<Receipt, StagingError> {
        let selected = plan::approved(changes, decision)?;
        let (undo, _lock) = self.state.undo_of(&self.root.path)?;
        let wanted = plan::wanted(&selected);
        plan::check(&self.root.fd, &wanted, Rigour::Everything)?;
        let plan = plan::arrange(&self.root.fd, wanted)?;
        let journal = Journal {
            id: self.home.id.clone(),
            purpose: Purpose::Commit,
            workspace: self.root.record()?,
            workshop: format!(".ringfence-commit-{}", self.home.id),
            undoes: None,
            operations: plan.operations.clone(),
        };
        let mut receipt = Receipt::of(&selected, changes.len());
        if !plan.operations.is_empty() {
            let (root, stage, upper) = (&self.root.fd, &self.home.fd, self.layer()?);
            let work = Transaction::prepare(root, stage, journal, &upper, &plan, steps)?;
            work.apply(steps)?;
            receipt.undo = settle::settle(root, stage, &work.journal, &undo, steps)?;
        }
        // The commit is done. What cannot be removed now is removed by the next sweep.
        let _ = self.state.remove(&self.home);
        Ok(receipt)
    }

    fn make_layers(&self) -> Result<(i64, i64), StagingError> {
        let failed =
            |source| StagingError::io("make a stage in", self.state.path.display(), source);
        let upper = dir::make_private(&self.home.fd, "upper".as_ref()).map_err(failed)?;
        dir::make_private(&self.home.fd, "work".as_ref()).map_err(failed)?;
        // The program sees the attributes of the upper directory as those of the workspace.
        let mode = fs::fstat(&self.root.fd).map_err(failed)?.st_mode & 0o3777;
        fs::fchmod(&upper, Mode::from_raw_mode(mode | 0o700)).map_err(failed)?;
        let node = Node::read(&self.home.fd, "upper".as_ref()).map_err(failed)?;
        Ok(node.map_or((0, 0), |node| node.identity.changed))
    }

    fn layer(&self) -> Result<OwnedFd, StagingError> {
        dir::open_staged_directory(&self.home.fd, "upper".as_ref())
            .map_err(|source| StagingError::io("open", self.upper.display(), source))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.left_alone {
            // What cannot be removed now is removed by the next sweep.
            let _ = self.state.remove(&self.home);
        }
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Stage");
        shown.field("id", &self.home.id).field("workspace", &self.root.path);
        shown.finish_non_exhaustive()
    }
}
