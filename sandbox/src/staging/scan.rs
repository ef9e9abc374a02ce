//! Reads the upper layer against the workspace and lists what is different.
//!
//! Both are walked by descriptor and within limits. Nothing in the workspace is changed; in the
//! stage only modes that forbid reading: of a file for a moment, of a directory for good, with the
//! mode that the program gave it kept in an attribute that no program can set.

use super::links::{Merged, OutsideLinks};
use super::names::{ProtectedNames, is_protected};
use super::node::{Node, read_tree};
use super::{Change, Effect, Flag, Kind, RelPath, StagingError, dir, repository};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

/// What the overlay keeps in extended attributes of the upper layer.
const OPAQUE: &[u8] = b"user.overlay.opaque";
const WHITEOUT: &[u8] = b"user.overlay.whiteout";
const REDIRECT: &[u8] = b"user.overlay.redirect";
const METACOPY: &[u8] = b"user.overlay.metacopy";

const SET_ID: u32 = 0o6000;
const SET_GROUP_ID: u32 = 0o2000;

/// How much of a stage is looked at; more is an error, never left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanLimits {
    /// Entries in the stage and in directories that go away.
    pub entries: u64,
    /// Directories in directories: two descriptors each are held open.
    pub depth: u64,
    /// Bytes of file content that are read to compare.
    pub content_bytes: u64,
    /// The length of a path: the kernel takes no longer one.
    pub path_bytes: u64,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { entries: 500_000, depth: 128, content_bytes: 64 << 30, path_bytes: 4000 }
    }
}

/// One walk over a stage.
pub(super) struct Scan<'a> {
    upper: &'a OwnedFd,
    lower: &'a OwnedFd,
    rule: ProtectedNames<'a>,
    limits: ScanLimits,
    /// When the stage was made: what changed later in the workspace was changed by others.
    began: (i64, i64),
    entries: u64,
    content_bytes: u64,
    changes: Vec<Change>,
    outside: OutsideLinks,
}

impl<'a> Scan<'a> {
    /// Returns every change, parents before what they hold.
    pub(super) fn run(
        upper: &'a OwnedFd,
        lower: &'a OwnedFd,
        rule: ProtectedNames<'a>,
        limits: ScanLimits,
        began: (i64, i64),
    ) -> Result<Vec<Change>, StagingError> {
        let mut scan = Self {
            upper,
            lower,
            rule,
            limits,
            began,
            entries: 0,
            content_bytes: 0,
            changes: Vec::new(),
            outside: OutsideLinks::default(),
        };
        let root = RelPath::root();
        let marks = Marks::read(upper, &root)?;
        let names = dir::names(upper).map_err(fail("read", &root))?;
        scan.directory(
            &Place { upper, lower: Some(lower), path: &root, depth: 0 },
            &marks,
            &names,
        )?;
        scan.outside.flag(lower, limits, &mut scan.changes)?;
        repository::flag(&Merged { upper, lower }, &mut scan.changes)
            .map_err(fail("look for a repository in", &root))?;
        Ok(scan.changes)
    }

    fn directory(
        &mut self,
        place: &Place<'_>,
        marks: &Marks,
        names: &[OsString],
    ) -> Result<(), StagingError> {
        self.within("levels of directories", place.depth, self.limits.depth, place.path)?;
        if let (true, Some(lower)) = (marks.opaque, place.lower) {
            let kept: BTreeSet<&OsString> = names.iter().collect();
            let gone = dir::names(lower).map_err(fail("read", place.path))?;
            for name in gone.iter().filter(|name| !kept.contains(name)) {
                self.deleted(place, name)?;
            }
        }
        for name in names {
            self.entry(place, name)?;
        }
        Ok(())
    }

    fn entry(&mut self, place: &Place<'_>, name: &OsStr) -> Result<(), StagingError> {
        let path = place.path.join(name);
        self.count(&path)?;
        let Some(stat) = dir::stat(place.upper, name).map_err(fail("look at", &path))? else {
            return Ok(());
        };
        let mut node = Node::from_stat(place.upper, name, &stat).map_err(fail("look at", &path))?;
        match node.kind {
            Kind::CharacterDevice { device: 0 } => self.deleted(place, name),
            Kind::Directory => self.staged_directory(place, name, &path, node),
            Kind::File => {
                let file = dir::open_staged_file(place.upper, name).map_err(fail("open", &path))?;
                let marks = Marks::read(&file, &path)?;
                if marks.whiteout && node.size_bytes == 0 {
                    return self.deleted(place, name);
                }
                self.read(&path, node.size_bytes)?;
                node.read_content(file).map_err(fail("read", &path))?;
                self.compare(place, name, path, node).map(drop)
            }
            _ => self.compare(place, name, path, node).map(drop),
        }
    }

    fn staged_directory(
        &mut self,
        place: &Place<'_>,
        name: &OsStr,
        path: &RelPath,
        mut node: Node,
    ) -> Result<(), StagingError> {
        let upper = dir::open_staged_directory(place.upper, name).map_err(fail("open", path))?;
        node.mode = dir::enter_staged(&upper, node.mode).map_err(fail("enter", path))?;
        node.read_attributes(&upper).map_err(fail("read the attributes of", path))?;
        let marks = Marks::read(&upper, path)?;
        let names = dir::names(&upper).map_err(fail("read", path))?;
        let lower = self.compare(place, name, path.clone(), node)?;
        let below = Place { upper: &upper, lower: lower.as_ref(), path, depth: place.depth + 1 };
        self.directory(&below, &marks, &names)
    }

    /// Notes the difference between the staged node and what lies below it, and returns the lower
    /// directory when both are directories.
    fn compare(
        &mut self,
        place: &Place<'_>,
        name: &OsStr,
        path: RelPath,
        after: Node,
    ) -> Result<Option<OwnedFd>, StagingError> {
        let before = match place.lower {
            Some(lower) => self.lower_node(lower, name, &path)?,
            None => None,
        };
        let Some((mut before, lower)) = before else {
            self.note(Draft::new(path, Effect::Added, None, Some(after)))?;
            return Ok(None);
        };
        if !before.looks_like(&after) {
            let mut draft = Draft::new(path, Effect::Changed, None, Some(after));
            if let (Some(lower), false) = (&lower, draft.keeps_directory()) {
                self.tree(lower, &mut before, &mut draft)?;
                draft.before = Some(before);
                self.note(draft)?;
                return Ok(None);
            }
            draft.before = Some(before);
            self.note(draft)?;
        }
        Ok(lower)
    }

    fn deleted(&mut self, place: &Place<'_>, name: &OsStr) -> Result<(), StagingError> {
        let path = place.path.join(name);
        let Some(lower) = place.lower else { return Ok(()) };
        let Some((mut before, directory)) = self.lower_node(lower, name, &path)? else {
            return Ok(());
        };
        let mut draft = Draft::new(path, Effect::Deleted, None, None);
        if let Some(directory) = &directory {
            self.tree(directory, &mut before, &mut draft)?;
        }
        draft.before = Some(before);
        self.note(draft)
    }

    /// Returns what lies in the workspace, with content and attributes, and its descriptor when
    /// it is a directory.
    fn lower_node(
        &mut self,
        lower: &OwnedFd,
        name: &OsStr,
        path: &RelPath,
    ) -> Result<Option<(Node, Option<OwnedFd>)>, StagingError> {
        let Some(mut node) = Node::read(lower, name).map_err(fail("look at", path))? else {
            return Ok(None);
        };
        match node.kind {
            Kind::Directory => {
                let fd = dir::open_directory(lower, name).map_err(fail("open", path))?;
                node.read_attributes(&fd).map_err(fail("read the attributes of", path))?;
                Ok(Some((node, Some(fd))))
            }
            Kind::File => {
                self.read(path, node.size_bytes)?;
                let file = dir::open_file(lower, name).map_err(fail("open", path))?;
                node.read_content(file).map_err(fail("read", path))?;
                Ok(Some((node, None)))
            }
            _ => Ok(Some((node, None))),
        }
    }

    /// Reads a directory of the workspace that goes away whole.
    fn tree(
        &mut self,
        directory: &OwnedFd,
        before: &mut Node,
        draft: &mut Draft,
    ) -> Result<(), StagingError> {
        let fd = directory
            .as_fd()
            .try_clone_to_owned()
            .map_err(|source| StagingError::io("open", &draft.path, source))?;
        let path = draft.path.clone();
        let tree = read_tree(fd, |names, node| {
            self.count(&path)?;
            self.within("levels of directories", names.len() as u64, self.limits.depth, &path)?;
            draft.protected |= names.last().is_some_and(|name| is_protected(self.rule, name));
            draft.changed_meanwhile |= node.identity.changed > self.began;
            Ok::<(), Failure>(())
        })
        .map_err(|failure| failure.at("read", &path))?;
        before.digest = Some(tree.digest);
        before.size_bytes = tree.size_bytes;
        draft.below = tree.entries;
        Ok(())
    }

    fn note(&mut self, draft: Draft) -> Result<(), StagingError> {
        let flags = self.flags(&draft)?;
        let changed_meanwhile = draft.changed_meanwhile
            || draft.before.as_ref().is_some_and(|before| {
                !draft.keeps_directory() && before.identity.changed > self.began
            });
        if let (Effect::Changed, Some(before)) = (draft.effect, &draft.before) {
            self.outside.watch(self.changes.len(), before);
        }
        self.changes.push(Change {
            path: draft.path,
            effect: draft.effect,
            before: draft.before,
            after: draft.after,
            flags,
            below: draft.below,
            changed_meanwhile,
        });
        Ok(())
    }

    fn flags(&self, draft: &Draft) -> Result<BTreeSet<Flag>, StagingError> {
        let mut flags = BTreeSet::new();
        if draft.protected || draft.path.components().any(|name| is_protected(self.rule, name)) {
            flags.insert(Flag::ProtectedName);
        }
        let Some(after) = &draft.after else { return Ok(flags) };
        if after.kind.is_special() {
            flags.insert(Flag::Special);
        }
        if self.sets_id(draft, after) {
            flags.insert(Flag::SetId);
        }
        if let Kind::Symlink { target } = &after.kind {
            let merged = Merged { upper: self.upper, lower: self.lower };
            if merged.escapes(&draft.path, target).map_err(fail("resolve", &draft.path))? {
                flags.insert(Flag::EscapingLink);
            }
        }
        Ok(flags)
    }

    /// Returns whether a set-id bit is set. A directory that merely inherits the group bit of its
    /// parent, or had it before, sets none.
    fn sets_id(&self, draft: &Draft, after: &Node) -> bool {
        if !after.is_directory() {
            return !matches!(after.kind, Kind::Symlink { .. }) && after.mode & SET_ID != 0;
        }
        if after.mode & SET_ID == 0 {
            return false;
        }
        let had = draft.before.as_ref().filter(|before| before.is_directory());
        let inherited = draft.path.parent().is_some_and(|parent| self.group_is_inherited(&parent));
        let known = had.map_or(0, |before| before.mode) | if inherited { SET_GROUP_ID } else { 0 };
        after.mode & SET_ID & !known != 0
    }

    fn group_is_inherited(&self, parent: &RelPath) -> bool {
        let lower = dir::open_beneath(self.lower, parent).and_then(rustix::fs::fstat);
        if let Ok(stat) = lower {
            return stat.st_mode & SET_GROUP_ID != 0;
        }
        // A new directory: it was judged before what it holds.
        let known = self.changes.iter().rev().find(|change| change.path == *parent);
        known.is_some_and(|change| {
            !change.flags.contains(&Flag::SetId)
                && change.after.as_ref().is_some_and(|node| node.mode & SET_GROUP_ID != 0)
        })
    }

    fn count(&mut self, path: &RelPath) -> Result<(), StagingError> {
        self.entries += 1;
        self.within("entries", self.entries, self.limits.entries, path)?;
        let length = path.as_bytes().len() as u64;
        self.within("bytes in a path", length, self.limits.path_bytes, path)
    }

    fn read(&mut self, path: &RelPath, bytes: u64) -> Result<(), StagingError> {
        self.content_bytes = self.content_bytes.saturating_add(bytes);
        self.within("bytes of content", self.content_bytes, self.limits.content_bytes, path)
    }

    #[expect(clippy::unused_self, reason = "it reads as what the walk promises")]
    fn within(
        &self,
        what: &'static str,
        value: u64,
        limit: u64,
        path: &RelPath,
    ) -> Result<(), StagingError> {
        if value <= limit {
            return Ok(());
        }
        Err(StagingError::TooMuch { what, limit, path: path.clone() })
    }
}

/// A directory of the stage and what lies below it.
struct Place<'a> {
    upper: &'a OwnedFd,
    lower: Option<&'a OwnedFd>,
    path: &'a RelPath,
    depth: u64,
}

/// A change before its flags are known.
struct Draft {
    path: RelPath,
    effect: Effect,
    before: Option<Node>,
    after: Option<Node>,
    below: u64,
    protected: bool,
    changed_meanwhile: bool,
}

impl Draft {
    fn new(path: RelPath, effect: Effect, before: Option<Node>, after: Option<Node>) -> Self {
        Self { path, effect, before, after, below: 0, protected: false, changed_meanwhile: false }
    }

    /// Returns whether a directory stays the directory it was, with other attributes.
    fn keeps_directory(&self) -> bool {
        self.effect == Effect::Changed
            && self.after.as_ref().is_some_and(Node::is_directory)
            && self.before.as_ref().is_none_or(Node::is_directory)
    }
}

/// The marks of the overlay on one entry.
#[derive(Default)]
struct Marks {
    opaque: bool,
    whiteout: bool,
}

impl Marks {
    fn read(fd: impl rustix::fd::AsFd, path: &RelPath) -> Result<Self, StagingError> {
        let found: BTreeMap<Vec<u8>, Vec<u8>> =
            dir::attributes(fd, |name| name.starts_with(b"user.overlay."))
                .map_err(fail("read the marks of", path))?;
        for (mark, what) in [(REDIRECT, "a redirect"), (METACOPY, "a file without its content")] {
            if found.contains_key(mark) {
                return Err(StagingError::Unexpected { what, path: path.clone() });
            }
        }
        Ok(Self {
            opaque: found.get(OPAQUE).is_some_and(|value| value == b"y"),
            whiteout: found.contains_key(WHITEOUT),
        })
    }
}

/// Either error a walk can end with.
enum Failure {
    Staging(StagingError),
    System(Errno),
}

impl From<Errno> for Failure {
    fn from(source: Errno) -> Self {
        Self::System(source)
    }
}

impl From<StagingError> for Failure {
    fn from(source: StagingError) -> Self {
        Self::Staging(source)
    }
}

impl Failure {
    fn at(self, what: &'static str, path: &RelPath) -> StagingError {
        match self {
            Self::Staging(error) => error,
            Self::System(source) => StagingError::io(what, path, source),
        }
    }
}

fn fail<'p>(what: &'static str, path: &'p RelPath) -> impl FnOnce(Errno) -> StagingError + use<'p> {
    move |source| StagingError::io(what, path, source)
}
