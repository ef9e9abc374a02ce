//! Ends a commit that is applied: what was displaced becomes the data to undo it, and everything
//! else that was made on the way is removed. Every step can be done again after a crash.

use super::build::{Builder, parts_of};
use super::changes::{Change, Effect};
use super::flush::Flush;
use super::journal::{self, Action, Journal, Operation, Purpose, Steps, Workspace};
use super::node::Node;
use super::plan::{Look, current};
use super::transaction::slot;
use super::{Kind, RelPath, StagingError, dir};
use rustix::fd::OwnedFd;
use rustix::fs::RenameFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;

/// The record of a commit that can be undone.
pub(super) const MANIFEST: &str = "undo.json";

/// Where the data of the last commit lies.
pub(super) const LAST: &str = "last";

/// Where it is collected, in the stage.
const COLLECTED: &str = "undo";

/// The most that is kept to undo one commit.
const UNDO_BYTES: u64 = 4 << 30;
const UNDO_ENTRIES: usize = 500_000;

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// How many paths were added.
    pub added: usize,
    /// How many paths were changed.
    pub changed: usize,
    /// How many paths were deleted.
    pub deleted: usize,
    /// How many changes were not approved, and are gone.
    pub left_out: usize,
    /// Whether it can be undone.
    pub undo: UndoData,
}

/// Whether what is needed to undo was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UndoData {
    /// It was kept.
    Kept,
    /// There was nothing to write, so there is nothing to undo; the last commit still can be.
    NothingDone,
    /// It would have been too much, or could not be read; the last commit cannot be undone either.
    NotKept,
}

/// What is kept to undo a commit, beside what was displaced.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) id: String,
    pub(super) workspace: Workspace,
    pub(super) entries: Vec<Entry>,
}

/// One operation that was done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) operation: Operation,
    /// What lay there when all was done; nothing when somebody was at it already.
    pub(super) now: Option<Node>,
}

impl Receipt {
    pub(super) fn of(selected: &[&Change], all: usize) -> Self {
        let count = |effect| selected.iter().filter(|change| change.effect() == effect).count();
        Self {
            added: count(Effect::Added),
            changed: count(Effect::Changed),
            deleted: count(Effect::Deleted),
            left_out: all - selected.len(),
            undo: UndoData::NothingDone,
        }
    }
}

/// Ends applied work. `undo` is the undo directory of the workspace, locked by the caller.
pub(super) fn settle(
    root: &OwnedFd,
    stage: &OwnedFd,
    journal: &Journal,
    undo: &OwnedFd,
    steps: &mut Steps,
) -> Result<UndoData, StagingError> {
    let kept = match journal.purpose {
        Purpose::Commit => keep(root, stage, journal, undo, steps)?,
        Purpose::Undo => {
            forget(undo, journal.undoes.as_deref())?;
            UndoData::NothingDone
        }
    };
    steps.done()?;
    dir::remove_all(root, journal.workshop.as_ref())
        .map_err(|source| StagingError::io("remove", &journal.workshop, source))?;
    Flush::Each.wait([root])?;
    steps.done()?;
    Ok(kept)
}

/// Removes the data to undo the commit `id`, when it is still that commit's.
pub(super) fn forget(undo: &OwnedFd, id: Option<&str>) -> Result<(), StagingError> {
    let last = manifest(undo)?;
    if last.is_none_or(|last| Some(last.id.as_str()) == id || id.is_none()) {
        dir::remove_all(undo, LAST.as_ref())
            .map_err(|source| StagingError::io("remove the undo data in", LAST, source))?;
    }
    Ok(())
}

/// Returns the record of the last commit.
pub(super) fn manifest(undo: &OwnedFd) -> Result<Option<Manifest>, StagingError> {
    match dir::open_directory(undo, LAST.as_ref()) {
        Ok(last) => journal::read(last, MANIFEST),
        Err(Errno::NOENT) => Ok(None),
        Err(source) => Err(StagingError::io("open the undo data in", LAST, source)),
    }
}

fn keep(
    root: &OwnedFd,
    stage: &OwnedFd,
    journal: &Journal,
    undo: &OwnedFd,
    steps: &mut Steps,
) -> Result<UndoData, StagingError> {
    if manifest(undo)?.is_some_and(|last| last.id == journal.id) {
        return Ok(UndoData::Kept);
    }
    match collect(root, stage, journal, steps) {
        Ok(true) => {}
        Err(error) if error.is_crash() => return Err(error),
        // The commit is done and stays done; it can only not be undone.
        Ok(false) | Err(_) => {
            forget(undo, None)?;
            return Ok(UndoData::NotKept);
        }
    }
    steps.done()?;
    publish(stage, undo)
        .map_err(|source| StagingError::io("keep the undo data in", LAST, source))?;
    Flush::Each.wait([undo, stage])?;
    steps.done()?;
    Ok(UndoData::Kept)
}

/// Collects what was displaced in the stage. Returns whether it is not too much.
fn collect(
    root: &OwnedFd,
    stage: &OwnedFd,
    journal: &Journal,
    steps: &mut Steps,
) -> Result<bool, StagingError> {
    let failed = |source| StagingError::io("collect the undo data of", &journal.workshop, source);
    let mut entries = Vec::with_capacity(journal.operations.len());
    for operation in &journal.operations {
        entries.push(Entry { now: now(root, operation), operation: operation.clone() });
    }
    let workshop = dir::open_directory(root, journal.workshop.as_ref()).map_err(failed)?;
    let collected = dir::ensure_private(stage, COLLECTED.as_ref()).map_err(failed)?;
    let mut size_bytes = 0_u64;
    let mut flush = Flush::of(journal.operations.len());
    for (index, operation) in journal.operations.iter().enumerate() {
        let (Action::Remove { expect } | Action::Install { expect: Some(expect), .. }) =
            &operation.action
        else {
            continue;
        };
        size_bytes = size_bytes.saturating_add(expect.size_bytes);
        if size_bytes > UNDO_BYTES || index > UNDO_ENTRIES {
            return Ok(false);
        }
        if save(&workshop, &collected, index, expect)? == Flush::Whole {
            flush = Flush::Whole;
        }
        steps.done()?;
    }
    let manifest =
        Manifest { id: journal.id.clone(), workspace: journal.workspace.clone(), entries };
    flush.wait([&collected, &workshop])?;
    journal::write(&collected, MANIFEST, &manifest)?;
    Ok(true)
}

/// Moves one displaced tree to the undo data, or copies it where it cannot be moved or where
/// another name outside could still change it. Returns what is to be waited for afterwards.
fn save(
    workshop: &OwnedFd,
    collected: &OwnedFd,
    index: usize,
    expect: &Node,
) -> Result<Flush, StagingError> {
    let name = slot(index);
    let failed = |source| StagingError::io("keep", name.to_string_lossy(), source);
    if dir::stat(workshop, &name).map_err(failed)?.is_none() {
        return Ok(Flush::Each);
    }
    dir::remove_all(collected, &name).map_err(failed)?;
    let shared = expect.kind == Kind::File && expect.identity.links > 1;
    if !shared {
        match dir::move_new((workshop, &name), (collected, &name)) {
            Err(Errno::XDEV | Errno::ACCESS | Errno::PERM) => {}
            other => return other.map(|()| Flush::Each).map_err(failed),
        }
    }
    let parts = parts_of(workshop, &name).map_err(failed)?;
    let flush = Flush::of(parts.len());
    let mut builder = Builder::new(workshop, collected, flush);
    builder.build(&name, &parts, &mut Steps::default())?;
    builder.wait()?;
    Ok(flush)
}

/// Returns what an operation left, when it is what it should have left.
fn now(root: &OwnedFd, operation: &Operation) -> Option<Node> {
    let Action::Install { after, .. } = &operation.action else { return None };
    let path: &RelPath = &operation.path;
    let parent = dir::open_beneath(root, &path.parent()?).ok()?;
    let node = current(&parent, path, Look::Tree).ok()??;
    (node.kind != Kind::File || node.digest == after.digest).then_some(node)
}

/// Makes the collected data the data of the last commit, in one step.
fn publish(stage: &OwnedFd, undo: &OwnedFd) -> Result<(), Errno> {
    let (collected, last) = (OsStr::new(COLLECTED), OsStr::new(LAST));
    match dir::move_new((stage, collected), (undo, last)) {
        Err(Errno::EXIST) => {
            rustix::fs::renameat_with(stage, collected, undo, last, RenameFlags::EXCHANGE)?;
            dir::remove_all(stage, collected)
        }
        other => other,
    }
}
