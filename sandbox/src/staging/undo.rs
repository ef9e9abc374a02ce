//! Takes the last commit in a workspace back, once.

use super::build::{Part, parts_of};
use super::journal::{Action, Attributes, Journal, Purpose, Steps};
use super::node::Rigour;
use super::plan::{self, Wanted};
use super::settle::{self, LAST, Manifest};
use super::state::{Root, State};
use super::transaction::{Transaction, slot};
use super::{Effect, Node, RelPath, StagingError, dir};
use rustix::fd::OwnedFd;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The last commit in a workspace, which can still be taken back.
pub struct Undo {
    state: State,
    root: Root,
    kept: OwnedFd,
    /// Held, so that no commit comes in between.
    _lock: OwnedFd,
    manifest: Manifest,
}

impl Undo {
    /// Returns the last commit in `workspace`.
    ///
    /// # Errors
    /// `NothingToUndo` when there is none; `BrokenRecord` when its record is not sound.
    pub fn of(state: &Path, workspace: &Path) -> Result<Self, StagingError> {
        let root = Root::open(workspace)?;
        let state = State::open(state)?;
        let (kept, lock) = state.undo_of(&root.path)?;
        let nothing = || StagingError::NothingToUndo { workspace: root.path.clone() };
        let manifest = settle::manifest(&kept)?.ok_or_else(nothing)?;
        if manifest.workspace != root.record()? {
            return Err(nothing());
        }
        Ok(Self { state, root, kept, _lock: lock, manifest })
    }

    /// Returns the paths that go back to what they were, and what the commit had done to each.
    pub fn paths(&self) -> Vec<(RelPath, Effect)> {
        let entries = self.manifest.entries.iter();
        let paths = entries.map(|entry| {
            let effect = match &entry.operation.action {
                Action::Install { expect: None, .. } => Effect::Added,
                Action::Install { .. } | Action::Attributes { .. } => Effect::Changed,
                Action::Remove { .. } => Effect::Deleted,
            };
            (entry.operation.path.clone(), effect)
        });
        // Attributes can be set twice for one path; the first entry tells what happened.
        let mut seen = BTreeSet::new();
        paths.filter(|(path, _)| seen.insert(path.clone())).collect()
    }

    /// Puts everything back, all of it or nothing; afterwards there is nothing to undo.
    ///
    /// # Errors
    /// `Conflict` naming every path that changed since the commit; nothing was written.
    pub fn apply(self) -> Result<(), StagingError> {
        self.apply_in_steps(&mut Steps::default())
    }

    pub(super) fn apply_in_steps(self, steps: &mut Steps) -> Result<(), StagingError> {
        let saved = dir::open_directory(&self.kept, LAST.as_ref())
            .map_err(|source| StagingError::io("open the undo data in", LAST, source))?;
        let wanted = self.wanted(&saved)?;
        plan::check(&self.root.fd, &wanted, Rigour::AfterRename)?;
        let plan = plan::arrange(&self.root.fd, wanted)?;
        let home = self.state.make_home()?;
        let journal = Journal {
            id: home.id.clone(),
            purpose: Purpose::Undo,
            workspace: self.manifest.workspace.clone(),
            workshop: format!(".ringfence-commit-{}", home.id),
            undoes: Some(self.manifest.id.clone()),
            operations: plan.operations.clone(),
        };
        let root = &self.root.fd;
        let done = Transaction::prepare(root, &home.fd, journal, &saved, &plan, steps)
            .and_then(|work| work.apply(steps).map(|()| work))
            .and_then(|work| settle::settle(root, &home.fd, &work.journal, &self.kept, steps));
        match done {
            Err(error) if error.is_crash() => Err(error),
            Err(error) => {
                // Unless it was interrupted, everything is as it was.
                if !super::journal::exists(&home.fd, super::journal::JOURNAL)? {
                    self.state.remove(&home)?;
                }
                Err(error)
            }
            Ok(_) => self.state.remove(&home),
        }
    }

    /// Returns the opposite of everything the commit did.
    fn wanted(&self, saved: &OwnedFd) -> Result<Vec<Wanted>, StagingError> {
        let mut all = Vec::new();
        let mut touched = Vec::new();
        let mut others: BTreeSet<&RelPath> = BTreeSet::new();
        let mut attributes: BTreeMap<&RelPath, (&Attributes, &Attributes)> = BTreeMap::new();
        for (index, entry) in self.manifest.entries.iter().enumerate() {
            let path = &entry.operation.path;
            let (before, installed) = match &entry.operation.action {
                Action::Attributes { from, to } => {
                    attributes.entry(path).and_modify(|(_, last)| *last = to).or_insert((from, to));
                    continue;
                }
                Action::Install { expect, .. } => (expect.as_ref(), true),
                Action::Remove { expect } => (Some(expect), false),
            };
            others.insert(path);
            if installed && entry.now.is_none() {
                touched.push((path.clone(), "changed since the commit"));
                continue;
            }
            let parts = match before {
                Some(before) => parts(saved, index, before)?,
                None => Vec::new(),
            };
            let action = match (before, &entry.now) {
                (Some(before), now) => {
                    Action::Install { expect: now.clone(), after: before.clone() }
                }
                (None, Some(now)) => Action::Remove { expect: now.clone() },
                (None, None) => continue,
            };
            all.push(Wanted { path: path.clone(), action, parts });
        }
        if !touched.is_empty() {
            return Err(StagingError::Conflict { paths: touched });
        }
        for (path, (first, last)) in attributes {
            if first != last && !others.contains(path) {
                let action = Action::Attributes { from: last.clone(), to: first.clone() };
                all.push(Wanted { path: path.clone(), action, parts: Vec::new() });
            }
        }
        Ok(all)
    }
}

/// Returns the parts of what was saved for an operation, the top as it was in the workspace.
fn parts(saved: &OwnedFd, index: usize, before: &Node) -> Result<Vec<Part>, StagingError> {
    let mut parts = parts_of(saved, &slot(index))
        .map_err(|source| StagingError::io("read the undo data of", index, source))?;
    if let Some(top) = parts.first_mut() {
        let owner = (before.identity.user, before.identity.group);
        *top = Part { node: before.clone(), owner, ..top.clone() };
    }
    Ok(parts)
}

impl std::fmt::Debug for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undo").field("workspace", &self.root.path).finish_non_exhaustive()
    }
}
