//! Turns a decision into operations, and checks every precondition before anything is written.

use super::build::Part;
use super::changes::ancestors;
use super::journal::{Action, Attributes, Operation};
use super::node::{Node, Rigour, read_tree};
use super::{Approve, Change, Changes, Decision, Effect, Flag, Kind, RelPath, StagingError, dir};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};

/// What the owner of a directory needs to change what is in it.
const OWNER: u32 = 0o700;

/// One thing that is wanted at a path; never below another one.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) path: RelPath,
    pub(super) action: Action,
    /// What is to be built, the top first.
    pub(super) parts: Vec<Part>,
}

/// Operations in their order, with what each installs.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) operations: Vec<Operation>,
    /// By the index of the operation.
    pub(super) parts: BTreeMap<usize, Vec<Part>>,
}

/// Returns the changes the decision lets through, by their index.
///
/// # Errors
/// `Unapproved`, `NeedsParent`, `NotAChange` or `Conflict`, each for all paths it is about.
pub(super) fn approved<'a>(
    changes: &'a Changes,
    decision: &Decision,
) -> Result<Vec<&'a Change>, StagingError> {
    let by_path: BTreeMap<&RelPath, &Change> =
        changes.iter().map(|change| (&change.path, change)).collect();
    let chosen = |path: &RelPath| match &decision.approve {
        Approve::All => true,
        Approve::Paths(paths) => {
            paths.contains(path) || ancestors(path).any(|path| paths.contains(&path))
        }
    };
    let named = match &decision.approve {
        Approve::All => BTreeSet::new(),
        Approve::Paths(paths) => paths.clone(),
    };
    if let Some(path) = named.union(&decision.also).find(|path| !is_known(changes, &by_path, path))
    {
        return Err(StagingError::NotAChange { path: path.clone() });
    }
    let mut selected: BTreeSet<&RelPath> =
        changes.iter().map(Change::path).filter(|path| chosen(path)).collect();
    for path in selected.clone() {
        for parent in ancestors(path) {
            let Some(change) = by_path.get(&parent) else { continue };
            if change.after.as_ref().is_none_or(|after| !after.is_directory()) {
                continue;
            }
            match &change.before {
                None => drop(selected.insert(&change.path)),
                Some(before) if before.is_directory() => {}
                Some(_) if selected.contains(&parent) => {}
                Some(_) => {
                    return Err(StagingError::NeedsParent { path: path.clone(), parent });
                }
            }
        }
    }
    let selected: Vec<&Change> =
        changes.iter().filter(|change| selected.contains(&change.path)).collect();
    refuse(&selected, decision)?;
    Ok(selected)
}

/// Returns whether a path of the decision is a change or holds one.
fn is_known(changes: &Changes, by_path: &BTreeMap<&RelPath, &Change>, path: &RelPath) -> bool {
    by_path.contains_key(path) || changes.iter().any(|change| change.path.starts_with(path))
}

fn refuse(selected: &[&Change], decision: &Decision) -> Result<(), StagingError> {
    let unapproved: Vec<(RelPath, Vec<Flag>)> = selected
        .iter()
        .filter(|change| !change.flags.is_empty() && !decision.also.contains(&change.path))
        .map(|change| (change.path.clone(), change.flags.iter().copied().collect()))
        .collect();
    if !unapproved.is_empty() {
        return Err(StagingError::Unapproved { paths: unapproved });
    }
    let meanwhile: Vec<(RelPath, &'static str)> = selected
        .iter()
        .filter(|change| change.changed_meanwhile)
        .map(|change| (change.path.clone(), "changed while the program ran"))
        .collect();
    if meanwhile.is_empty() { Ok(()) } else { Err(StagingError::Conflict { paths: meanwhile }) }
}

/// Returns what the changes want; new directories with everything in them are one thing.
pub(super) fn wanted(selected: &[&Change]) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    // The new directory that is being filled.
    let mut open: Option<RelPath> = None;
    for change in selected {
        if let (Some(top), Some(after)) = (&open, &change.after)
            && let Some(below) = change.path.below(top)
        {
            if let Some(last) = all.last_mut() {
                last.parts.push(part(change, below, after));
            }
            continue;
        }
        open = None;
        let action = match (&change.before, &change.after) {
            (Some(before), None) => Action::Remove { expect: before.clone() },
            (Some(before), Some(after)) if before.is_directory() && after.is_directory() => {
                Action::Attributes { from: Attributes::of(before), to: Attributes::of(after) }
            }
            (expect, Some(after)) => {
                if after.is_directory() {
                    open = Some(change.path.clone());
                }
                Action::Install { expect: expect.clone(), after: after.clone() }
            }
            (None, None) => continue,
        };
        let parts = match (&action, &change.after) {
            (Action::Install { .. }, Some(after)) => vec![part(change, RelPath::root(), after)],
            _ => Vec::new(),
        };
        all.push(Wanted { path: change.path.clone(), action, parts });
    }
    all
}

/// Returns the part for one change. A file that was there keeps its owner.
fn part(change: &Change, below: RelPath, after: &Node) -> Part {
    let keeps = change.before.as_ref().filter(|_| change.effect == Effect::Changed);
    let owner = keeps.unwrap_or(after).identity;
    Part { from: change.path.clone(), below, node: after.clone(), owner: (owner.user, owner.group) }
}

/// Checks that everything in the workspace is as the wanted actions expect it.
///
/// # Errors
/// `Conflict` with every path that is not, or `OtherFileSystem`.
pub(super) fn check(root: &OwnedFd, wanted: &[Wanted], rigour: Rigour) -> Result<(), StagingError> {
    let mut conflicts = Vec::new();
    for want in wanted {
        match difference(root, want, rigour)? {
            None => {}
            Some(why) => conflicts.push((want.path.clone(), why)),
        }
    }
    if conflicts.is_empty() { Ok(()) } else { Err(StagingError::Conflict { paths: conflicts }) }
}

fn difference(
    root: &OwnedFd,
    want: &Wanted,
    rigour: Rigour,
) -> Result<Option<&'static str>, StagingError> {
    let parent = match dir::open_beneath(root, &want.path.parent().unwrap_or_default()) {
        Ok(parent) => parent,
        Err(Errno::LOOP | Errno::NOENT | Errno::NOTDIR) => {
            return Ok(Some(if has_link_above(root, &want.path) {
                "a symbolic link lies on the way"
            } else {
                "its directory is gone"
            }));
        }
        Err(Errno::XDEV) => {
            return Err(StagingError::OtherFileSystem { path: want.path.clone() });
        }
        Err(source) => return Err(StagingError::io("open the directory of", &want.path, source)),
    };
    let look = match &want.action {
        Action::Attributes { .. } => Look::Content,
        Action::Install { .. } | Action::Remove { .. } => Look::Tree,
    };
    let now = current(&parent, &want.path, look)
        .map_err(|source| StagingError::io("read", &want.path, source))?;
    let expected = match &want.action {
        Action::Install { expect, .. } => expect.as_ref(),
        Action::Remove { expect } => Some(expect),
        Action::Attributes { from, .. } => {
            let same = now.is_some_and(|now| now.is_directory() && Attributes::of(&now) == *from);
            return Ok((!same).then_some("its attributes changed"));
        }
    };
    Ok(match (expected, now) {
        (None, None) => None,
        (None, Some(_)) => Some("it appeared"),
        (Some(_), None) => Some("it is gone"),
        (Some(expected), Some(now)) => {
            (!expected.is_still(&now, rigour)).then_some("it is not what it was")
        }
    })
}

/// Returns whether a directory on the way to `path` became a symbolic link.
fn has_link_above(root: &OwnedFd, path: &RelPath) -> bool {
    ancestors(path).filter(|ancestor| !ancestor.is_root()).any(|ancestor| {
        let parent = dir::open_beneath(root, &ancestor.parent().unwrap_or_default());
        let node = parent.and_then(|parent| Node::read(parent, ancestor.name()));
        matches!(node, Ok(Some(Node { kind: Kind::Symlink { .. }, .. })))
    })
}

/// How closely a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What `stat` tells.
    Outside,
    /// Attributes and the content of a file too.
    Content,
    /// Everything in a directory too.
    Tree,
}

/// Returns what lies at a path now.
pub(super) fn current(parent: &OwnedFd, path: &RelPath, look: Look) -> Result<Option<Node>, Errno> {
    let Some(mut node) = Node::read(parent, path.name())? else { return Ok(None) };
    if look == Look::Outside {
        return Ok(Some(node));
    }
    match node.kind {
        Kind::File => node.read_content(dir::open_file(parent, path.name())?)?,
        Kind::Directory => {
            let fd = dir::open_directory(parent, path.name())?;
            node.read_attributes(&fd)?;
            if look == Look::Tree {
                let tree = read_tree::<Errno>(fd, |_, _| Ok(()))?;
                node.digest = Some(tree.digest);
                node.size_bytes = tree.size_bytes;
            }
        }
        _ => {}
    }
    Ok(Some(node))
}

/// Puts the wanted actions in order and adds what they need: directories that forbid their owner
/// to write are opened up first and closed again last.
pub(super) fn arrange(root: &OwnedFd, wanted: Vec<Wanted>) -> Result<Plan, StagingError> {
    let mut opened: BTreeMap<RelPath, Attributes> = BTreeMap::new();
    for want in &wanted {
        let holds = !matches!(want.action, Action::Attributes { .. });
        let moved = match &want.action {
            Action::Install { expect: Some(expect), .. } | Action::Remove { expect } => {
                expect.is_directory().then_some(want.path.clone())
            }
            _ => None,
        };
        let parent = want.path.parent().filter(|_| holds);
        for path in parent.into_iter().chain(moved).filter(|path| !path.is_root()) {
            if let Some(attributes) = closed(root, &path)? {
                opened.insert(path, attributes);
            }
        }
    }
    let mut plan = Plan::default();
    for (path, from) in &opened {
        plan.attributes(path, from.clone(), from.with(OWNER));
    }
    let mut last: BTreeMap<RelPath, (Attributes, Attributes)> = BTreeMap::new();
    let mut gone: BTreeSet<RelPath> = BTreeSet::new();
    for want in wanted {
        match &want.action {
            Action::Attributes { from, to } => {
                let from =
                    if opened.contains_key(&want.path) { from.with(OWNER) } else { from.clone() };
                last.insert(want.path, (from, to.clone()));
                continue;
            }
            Action::Install { after, .. }
                if after.is_directory() && after.mode & OWNER != OWNER =>
            {
                let to = Attributes::of(after);
                last.insert(want.path.clone(), (to.with(OWNER), to));
            }
            Action::Install { .. } | Action::Remove { .. } => {}
        }
        gone.insert(want.path.clone());
        if !want.parts.is_empty() {
            plan.parts.insert(plan.operations.len(), want.parts);
        }
        plan.operations.push(Operation { path: want.path, action: want.action });
    }
    for (path, from) in opened {
        if !gone.contains(&path) {
            last.entry(path).or_insert_with(|| (from.with(OWNER), from));
        }
    }
    // The deepest first: a directory that is closed can no longer be walked through.
    for (path, (from, to)) in last.into_iter().rev() {
        plan.attributes(&path, from, to);
    }
    Ok(plan)
}

impl Plan {
    fn attributes(&mut self, path: &RelPath, from: Attributes, to: Attributes) {
        if from != to {
            let action = Action::Attributes { from, to };
            self.operations.push(Operation { path: path.clone(), action });
        }
    }
}

/// Returns the attributes of a directory that its owner cannot write in.
fn closed(root: &OwnedFd, path: &RelPath) -> Result<Option<Attributes>, StagingError> {
    let failed = |source| StagingError::io("open", path, source);
    let parent = dir::open_beneath(root, &path.parent().unwrap_or_default()).map_err(failed)?;
    let Some(mut node) = Node::read(&parent, path.name()).map_err(failed)? else {
        return Ok(None);
    };
    if !node.is_directory() || node.mode & OWNER == OWNER {
        return Ok(None);
    }
    let fd = dir::open_directory(&parent, path.name()).map_err(failed)?;
    node.read_attributes(fd).map_err(failed)?;
    Ok(Some(Attributes::of(&node)))
}
