//! Carries out operations so that a crash at any point leaves all of them or none.
//!
//! Everything is built in a private directory at the top of the workspace, the workshop, where
//! every operation has a slot. Then each operation is one rename that takes what was there into the slot,
//! where it is checked once more: what somebody put there in the meantime is put back and
//! everything is undone. The state of a slot tells whether its operation was done.

use super::build::Builder;
use super::flush::{self, Flush};
use super::journal::{self, Action, Attributes, Journal, Steps};
use super::node::{Node, Rigour};
use super::plan::{Look, Plan, current};
use super::{Kind, RelPath, StagingError, dir};
use rustix::fd::OwnedFd;
use rustix::fs::{self, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd as _;

/// Why an operation was not done.
const MEANWHILE: &str = "it changed at the moment of writing";

/// Operations that are being carried out.
pub(super) struct Transaction<'a> {
    /// The workspace.
    pub(super) root: &'a OwnedFd,
    /// Where the journal lies.
    pub(super) stage: &'a OwnedFd,
    pub(super) journal: Journal,
    /// The inode of what was built for each installing operation.
    pub(super) built: BTreeMap<usize, u64>,
    pub(super) workshop: OwnedFd,
}

impl<'a> Transaction<'a> {
    /// Writes the journal and builds everything. On an error nothing is left in the workspace.
    pub(super) fn prepare(
        root: &'a OwnedFd,
        stage: &'a OwnedFd,
        journal: Journal,
        source: &OwnedFd,
        plan: &Plan,
        steps: &mut Steps,
    ) -> Result<Self, StagingError> {
        let result = Self::try_prepare(root, stage, &journal, source, plan, steps);
        if let Err(error) = &result
            && !error.is_crash()
        {
            abandon(root, stage, &journal)?;
        }
        let (workshop, built) = result?;
        Ok(Self { root, stage, journal, built, workshop })
    }

    fn try_prepare(
        root: &OwnedFd,
        stage: &OwnedFd,
        journal: &Journal,
        source: &OwnedFd,
        plan: &Plan,
        steps: &mut Steps,
    ) -> Result<(OwnedFd, BTreeMap<usize, u64>), StagingError> {
        journal::write(stage, journal::JOURNAL, journal)?;
        steps.done()?;
        let workshop = dir::make_private(root, journal.workshop.as_ref())
            .map_err(|source| StagingError::io("make the directory", &journal.workshop, source))?;
        steps.done()?;
        let flush = Flush::of(plan.parts.values().map(Vec::len).sum());
        let mut builder = Builder::new(source, &workshop, flush);
        let mut built = BTreeMap::new();
        for (index, parts) in &plan.parts {
            let slot = slot(*index);
            builder.build(&slot, parts, steps)?;
            let node = Node::read(&workshop, &slot)
                .map_err(|source| StagingError::io("look at", &journal.workshop, source))?;
            built.insert(*index, node.map_or(0, |node| node.identity.inode));
        }
        builder.wait()?;
        flush.wait([&workshop, root])?;
        steps.done()?;
        journal::write(stage, journal::APPLY, &built)?;
        steps.done()?;
        Ok((workshop, built))
    }

    /// Takes up work that was prepared before.
    pub(super) fn resume(
        root: &'a OwnedFd,
        stage: &'a OwnedFd,
        journal: Journal,
        built: BTreeMap<usize, u64>,
    ) -> Result<Self, StagingError> {
        let workshop = dir::open_directory(root, journal.workshop.as_ref())
            .map_err(|source| StagingError::io("open", &journal.workshop, source))?;
        Ok(Self { root, stage, journal, built, workshop })
    }

    /// Does what is not done yet, all of it; or takes back what is, and says why.
    pub(super) fn apply(&self, steps: &mut Steps) -> Result<(), StagingError> {
        for index in 0..self.journal.operations.len() {
            let result = self.operation(index).and_then(|()| steps.done());
            let Err(error) = result else { continue };
            if error.is_crash() {
                return Err(error);
            }
            self.take_back(steps)?;
            return Err(error);
        }
        self.wait()?;
        journal::write(self.stage, journal::APPLIED, &())?;
        steps.done()
    }

    /// Takes back what was done, the last first. What somebody changed meanwhile is left as it is.
    pub(super) fn take_back(&self, steps: &mut Steps) -> Result<(), StagingError> {
        journal::write(self.stage, journal::ROLLBACK, &())?;
        steps.done()?;
        for index in (0..self.journal.operations.len()).rev() {
            let path = &self.journal.operations[index].path;
            self.revert(index)
                .map_err(|source| StagingError::io("take back the change of", path, source))?;
            steps.done()?;
        }
        flush::whole(self.root)?;
        abandon(self.root, self.stage, &self.journal)
    }

    /// Waits until every directory in which a name changed is on the disk.
    fn wait(&self) -> Result<(), StagingError> {
        let flush = Flush::of(self.journal.operations.len());
        let mut changed = BTreeSet::new();
        for operation in &self.journal.operations {
            let path = &operation.path;
            match operation.action {
                Action::Attributes { .. } => changed.insert(path.clone()),
                _ => changed.insert(path.parent().unwrap_or_default()),
            };
        }
        flush.wait_beneath(self.root, &changed)?;
        flush.wait([&self.workshop])
    }

    fn operation(&self, index: usize) -> Result<(), StagingError> {
        let operation = &self.journal.operations[index];
        let path = &operation.path;
        let done = match &operation.action {
            Action::Install { expect: None, .. } => self.add(index, path),
            Action::Install { expect: Some(expect), .. } => self.replace(index, path, expect),
            Action::Remove { expect } => self.remove(index, path, expect),
            Action::Attributes { from, to } => self.attributes(path, from, to),
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) | Err(Errno::EXIST | Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {
                Err(StagingError::conflict(path, MEANWHILE))
            }
            Err(Errno::XDEV) => Err(StagingError::OtherFileSystem { path: path.clone() }),
            Err(source) => Err(StagingError::io("change", path, source)),
        }
    }

    fn add(&self, index: usize, path: &RelPath) -> Result<bool, Errno> {
        if self.inode(index)?.is_none() {
            return Ok(true);
        }
        let parent = self.parent(path)?;
        dir::move_new((&self.workshop, &slot(index)), (&parent, path.name()))?;
        Ok(true)
    }

    fn replace(&self, index: usize, path: &RelPath, expect: &Node) -> Result<bool, Errno> {
        if self.inode(index)? != self.built.get(&index).copied() {
            return Ok(true);
        }
        let parent = self.parent(path)?;
        let slot = slot(index);
        dir::exchange((&self.workshop, &slot), (&parent, path.name()))?;
        if self.holds(&slot, expect)? {
            return Ok(true);
        }
        dir::exchange((&self.workshop, &slot), (&parent, path.name()))?;
        Ok(false)
    }

    fn remove(&self, index: usize, path: &RelPath, expect: &Node) -> Result<bool, Errno> {
        if self.inode(index)?.is_some() {
            return Ok(true);
        }
        let parent = self.parent(path)?;
        let slot = slot(index);
        dir::move_new((&parent, path.name()), (&self.workshop, &slot))?;
        if self.holds(&slot, expect)? {
            return Ok(true);
        }
        dir::move_new((&self.workshop, &slot), (&parent, path.name()))?;
        Ok(false)
    }

    fn attributes(
        &self,
        path: &RelPath,
        from: &Attributes,
        to: &Attributes,
    ) -> Result<bool, Errno> {
        let directory = Held::open(self.root, path)?;
        if directory.has(to)? {
            return Ok(true);
        }
        if !directory.has(from)? {
            return Ok(false);
        }
        directory.set(to)?;
        Ok(true)
    }

    fn revert(&self, index: usize) -> Result<(), Errno> {
        let operation = &self.journal.operations[index];
        let path = &operation.path;
        let slot = slot(index);
        match &operation.action {
            Action::Install { expect, after } => {
                let done = self.inode(index)? != self.built.get(&index).copied();
                let Some(parent) = self.reachable(path)?.filter(|_| done) else { return Ok(()) };
                let there = current(&parent, path, Look::Outside)?;
                if there.is_some_and(|there| self.is_untouched(index, &there, after)) {
                    return match expect {
                        Some(_) => dir::exchange((&self.workshop, &slot), (&parent, path.name())),
                        None => dir::move_new((&parent, path.name()), (&self.workshop, &slot)),
                    };
                }
                if expect.is_some() { self.put_back(&slot, &parent, path) } else { Ok(()) }
            }
            Action::Remove { .. } => {
                let done = self.inode(index)?.is_some();
                let Some(parent) = self.reachable(path)?.filter(|_| done) else { return Ok(()) };
                self.put_back(&slot, &parent, path)
            }
            Action::Attributes { from, to } => match Held::open(self.root, path) {
                Ok(directory) if directory.has(to)? => directory.set(from),
                Ok(_) | Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(()),
                Err(source) => Err(source),
            },
        }
    }

    /// Returns whether what lies at a path is what was built for it and nobody wrote to it since.
    fn is_untouched(&self, index: usize, there: &Node, after: &Node) -> bool {
        let modified = |node: &Node| (node.size_bytes, node.identity.modified);
        self.built.get(&index) == Some(&there.identity.inode)
            && (there.kind != Kind::File || modified(there) == modified(after))
    }

    /// Puts what was displaced back; when somebody put something else there, beside it, so that
    /// neither is lost.
    fn put_back(&self, slot: &OsStr, parent: &OwnedFd, path: &RelPath) -> Result<(), Errno> {
        let mut name = path.name().to_owned();
        for _ in 0..8 {
            match dir::move_new((&self.workshop, slot), (parent, &name)) {
                Err(Errno::EXIST) => name.push(".ringfence-kept"),
                other => return other,
            }
        }
        Err(Errno::EXIST)
    }

    /// Returns the directory of a path, or nothing when it cannot be reached any more.
    fn reachable(&self, path: &RelPath) -> Result<Option<OwnedFd>, Errno> {
        match self.parent(path) {
            Ok(parent) => Ok(Some(parent)),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
            Err(source) => Err(source),
        }
    }

    fn parent(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        dir::open_beneath(self.root, &path.parent().unwrap_or_default())
    }

    /// Returns the inode of what lies in a slot.
    fn inode(&self, index: usize) -> Result<Option<u64>, Errno> {
        Ok(Node::read(&self.workshop, &slot(index))?.map(|node| node.identity.inode))
    }

    /// Returns whether what was taken into a slot is what was expected.
    fn holds(&self, slot: &OsStr, expect: &Node) -> Result<bool, Errno> {
        let path = RelPath::root().join(slot);
        let whole = expect.kind == Kind::Directory && expect.digest.is_some();
        let now = current(&self.workshop, &path, if whole { Look::Tree } else { Look::Outside })?;
        Ok(now.is_some_and(|now| expect.is_still(&now, Rigour::AfterRename)))
    }
}

/// Returns the name of the slot of an operation.
pub(super) fn slot(index: usize) -> OsString {
    OsString::from(index.to_string())
}

/// Forgets prepared work: the workshop goes first, so that a crash in between is found again.
pub(super) fn abandon(
    root: &OwnedFd,
    stage: &OwnedFd,
    journal: &Journal,
) -> Result<(), StagingError> {
    dir::remove_all(root, journal.workshop.as_ref())
        .map_err(|source| StagingError::io("remove", &journal.workshop, source))?;
    for name in [journal::JOURNAL, journal::APPLY, journal::APPLIED, journal::ROLLBACK] {
        match fs::unlinkat(stage, name, fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(source) => return Err(StagingError::io("remove the record", name, source)),
        }
    }
    fs::fsync(stage).map_err(|source| StagingError::io("write the record", "journal", source))
}

/// A directory whose mode may forbid its owner to open it.
struct Held(OwnedFd);

impl Held {
    fn open(root: &OwnedFd, path: &RelPath) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        fs::openat2(root, path.as_path(), flags, Mode::empty(), resolve).map(Self)
    }

    fn mode(&self) -> Result<u32, Errno> {
        fs::fstat(&self.0).map(|stat| stat.st_mode & 0o7777)
    }

    /// Changes the mode of the very directory that is held, readable or not.
    fn set_mode(&self, mode: u32) -> Result<(), Errno> {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        fs::chmod(path, Mode::from_raw_mode(mode))
    }

    fn readable(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::openat(&self.0, ".", flags, Mode::empty())
    }

    fn node(&self, fd: &OwnedFd) -> Result<Node, Errno> {
        let stat = fs::fstat(&self.0)?;
        let mut node = Node::from_stat(fd, OsStr::new("."), &stat)?;
        node.read_attributes(fd)?;
        Ok(node)
    }

    fn has(&self, wanted: &Attributes) -> Result<bool, Errno> {
        if self.mode()? != wanted.mode {
            return Ok(false);
        }
        match self.readable() {
            Ok(fd) => Ok(Attributes::of(&self.node(&fd)?) == *wanted),
            // What cannot be read by its owner was set so by us last of all.
            Err(Errno::ACCESS) => Ok(true),
            Err(source) => Err(source),
        }
    }

    fn set(&self, wanted: &Attributes) -> Result<(), Errno> {
        self.set_mode(wanted.mode | 0o700)?;
        let fd = self.readable()?;
        let now = self.node(&fd)?;
        let target = Node { attributes: wanted.values.clone(), ..now.clone() };
        dir::set_attributes(&fd, &now.attribute_bytes(), &target.attribute_bytes())?;
        self.set_mode(wanted.mode)
    }
}
