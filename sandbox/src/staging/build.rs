//! Builds new files and trees in a private directory, where nobody sees them half done.

use super::flush::{self, Flush};
use super::journal::Steps;
use super::path::RelPath;
use super::{Kind, Node, StagingError, dir};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

/// How many files are kept open until they are on the disk.
const OPEN_FILES: usize = 64;

/// One file or directory that is to be built.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Where it comes from, below the source.
    pub(super) from: RelPath,
    /// Where it goes, below the place of the whole tree.
    pub(super) below: RelPath,
    /// What it is.
    pub(super) node: Node,
    /// The owner and group it gets.
    pub(super) owner: (u32, u32),
}

/// Builds trees from one source in one directory.
pub(super) struct Builder<'a> {
    source: &'a OwnedFd,
    workshop: &'a OwnedFd,
    /// The directory of the source that was used last.
    near: Option<(RelPath, OwnedFd)>,
    /// The directory of the workshop that was used last.
    near_built: Option<(RelPath, OwnedFd)>,
    /// Where a file with several names was built first.
    links: BTreeMap<(u64, u64), RelPath>,
    flush: Flush,
    /// The files and directories that are not on the disk yet, in the order they were made.
    unwritten: Vec<OwnedFd>,
}

impl<'a> Builder<'a> {
    /// Returns a builder that reads below `source` and writes below `workshop`; `flush` says
    /// whether it waits for what it writes.
    pub(super) fn new(source: &'a OwnedFd, workshop: &'a OwnedFd, flush: Flush) -> Self {
        let (near, near_built) = (None, None);
        let (links, unwritten) = (BTreeMap::new(), Vec::new());
        Self { source, workshop, near, near_built, links, flush, unwritten }
    }

    /// Waits until what was built is on the disk, when it is waited for one by one.
    pub(super) fn wait(&mut self) -> Result<(), StagingError> {
        for fd in self.unwritten.drain(..) {
            flush::one(fd)
                .map_err(|source| StagingError::io("write out", "what was built", source))?;
        }
        Ok(())
    }

    /// Builds one tree as `slot`: its parts in the order parents first. The top directory stays
    /// writable for its owner, so that it can be moved.
    pub(super) fn build(
        &mut self,
        slot: &OsStr,
        parts: &[Part],
        steps: &mut Steps,
    ) -> Result<(), StagingError> {
        let top = RelPath::root().join(slot);
        for part in parts {
            self.part(&place(&top, &part.below), part).map_err(|failure| failure.at(&part.from))?;
            self.wait_some()?;
            steps.done()?;
        }
        for part in parts.iter().rev().filter(|part| part.node.is_directory()) {
            self.seal(&place(&top, &part.below), part)
                .map_err(|source| StagingError::io("finish", &part.from, source))?;
            self.wait_some()?;
        }
        Ok(())
    }

    fn part(&mut self, to: &RelPath, part: &Part) -> Result<(), Failure> {
        let (_, built) = self.parents(&part.from, to)?;
        let (name, mode) = (to.name(), Mode::from_raw_mode(part.node.mode));
        match &part.node.kind {
            Kind::Directory => fs::mkdirat(built, name, Mode::RWXU)?,
            Kind::File => return self.file(to, part),
            Kind::Symlink { target } => {
                fs::symlinkat(target.as_os_str(), built, name)?;
                own(built, name, part)?;
                let times = times(&part.node);
                fs::utimensat(built, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            Kind::Fifo => special(built, name, FileType::Fifo, 0, mode, part)?,
            Kind::Socket => special(built, name, FileType::Socket, 0, mode, part)?,
            Kind::CharacterDevice { device } => {
                special(built, name, FileType::CharacterDevice, *device, mode, part)?;
            }
            Kind::BlockDevice { device } => {
                special(built, name, FileType::BlockDevice, *device, mode, part)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, to: &RelPath, part: &Part) -> Result<(), Failure> {
        let key = (part.node.identity.device, part.node.identity.inode);
        let workshop = self.workshop;
        if let Some(first) = self.links.get(&key) {
            let holder = dir::open_beneath(workshop, &first.parent().unwrap_or_default())?;
            let first = first.clone();
            let (_, built) = self.parents(&part.from, to)?;
            return Ok(fs::linkat(&holder, first.name(), built, to.name(), AtFlags::empty())?);
        }
        let (near, built) = self.parents(&part.from, to)?;
        let source = dir::open_staged_file(near, part.from.name())?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = fs::openat(built, to.name(), flags, Mode::RUSR | Mode::WUSR)?;
        let target = File::from(fd);
        let digest = copy(source, &target)?;
        if part.node.digest.is_some_and(|expected| *expected.as_bytes() != digest) {
            return Err(Failure::Different);
        }
        dir::set_attributes(&target, &BTreeMap::new(), &part.node.attribute_bytes())?;
        own_open(&target, part)?;
        fs::fchmod(&target, Mode::from_raw_mode(part.node.mode))?;
        fs::futimens(&target, &times(&part.node))?;
        self.written(target.into());
        if part.node.identity.links > 1 {
            self.links.insert(key, to.clone());
        }
        Ok(())
    }

    /// Gives a directory its attributes, once everything is in it.
    fn seal(&mut self, to: &RelPath, part: &Part) -> Result<(), Errno> {
        let fd = dir::open_beneath(self.workshop, to)?;
        dir::set_attributes(&fd, &BTreeMap::new(), &part.node.attribute_bytes())?;
        own_open(&fd, part)?;
        let movable = if part.below.is_root() { 0o700 } else { 0 };
        fs::fchmod(&fd, Mode::from_raw_mode(part.node.mode | movable))?;
        fs::futimens(&fd, &times(&part.node))?;
        self.written(fd);
        Ok(())
    }

    /// Notes what is to be waited for: waiting for all at the end takes less than for one at a time.
    fn written(&mut self, fd: OwnedFd) {
        if self.flush == Flush::Each {
            self.unwritten.push(fd);
        }
    }

    /// Waits when so many files are open that the process could run out of descriptors.
    fn wait_some(&mut self) -> Result<(), StagingError> {
        if self.unwritten.len() < OPEN_FILES { Ok(()) } else { self.wait() }
    }

    /// Returns the directories that hold `from` in the source and `to` in the workshop.
    fn parents(&mut self, from: &RelPath, to: &RelPath) -> Result<(&OwnedFd, &OwnedFd), Errno> {
        let (from, to) = (from.parent().unwrap_or_default(), to.parent().unwrap_or_default());
        if self.near.as_ref().is_none_or(|(path, _)| *path != from) {
            self.near = Some((from.clone(), open_staged(self.source, &from)?));
        }
        if self.near_built.as_ref().is_none_or(|(path, _)| *path != to) {
            self.near_built = Some((to.clone(), dir::open_beneath(self.workshop, &to)?));
        }
        match (&self.near, &self.near_built) {
            (Some((_, near)), Some((_, built))) => Ok((near, built)),
            _ => Err(Errno::NOENT),
        }
    }
}

/// Returns the parts of the tree `name` in `parent`, for a copy of it.
pub(super) fn parts_of(parent: &OwnedFd, name: &OsStr) -> Result<Vec<Part>, Errno> {
    let Some(mut node) = Node::read(parent, name)? else { return Err(Errno::NOENT) };
    let from = RelPath::root().join(name);
    let mut parts = Vec::new();
    if node.is_directory() {
        let fd = dir::open_staged_directory(parent, name)?;
        node.read_attributes(&fd)?;
        parts.push(Part::copy(from.clone(), RelPath::root(), node));
        super::node::read_tree::<Errno>(fd, |names, node| {
            let join = |top: &RelPath| names.iter().fold(top.clone(), |path, name| path.join(name));
            parts.push(Part::copy(join(&from), join(&RelPath::root()), node.clone()));
            Ok(())
        })?;
        for part in &mut parts[1..] {
            read_more(parent, part)?;
        }
    } else {
        let mut part = Part::copy(from, RelPath::root(), node);
        read_more(parent, &mut part)?;
        parts.push(part);
    }
    Ok(parts)
}

/// Adds the attributes, which the walk leaves out.
fn read_more(root: &OwnedFd, part: &mut Part) -> Result<(), Errno> {
    let holder = open_staged(root, &part.from.parent().unwrap_or_default())?;
    match part.node.kind {
        Kind::File => {
            let file = dir::open_staged_file(holder, part.from.name())?;
            part.node.read_attributes(file)
        }
        Kind::Directory => {
            let fd = dir::open_staged_directory(holder, part.from.name())?;
            part.node.read_attributes(fd)
        }
        _ => Ok(()),
    }
}

impl Part {
    /// Returns the part that keeps its owner.
    pub(super) fn copy(from: RelPath, below: RelPath, node: Node) -> Self {
        let owner = (node.identity.user, node.identity.group);
        Self { from, below, node, owner }
    }
}

enum Failure {
    System(Errno),
    /// The content is not what was shown.
    Different,
}

impl From<Errno> for Failure {
    fn from(source: Errno) -> Self {
        Self::System(source)
    }
}

impl Failure {
    fn at(self, path: &RelPath) -> StagingError {
        match self {
            Self::System(source) => StagingError::io("copy", path, source),
            Self::Different => StagingError::StageChanged { path: path.clone() },
        }
    }
}

fn place(top: &RelPath, below: &RelPath) -> RelPath {
    below.components().fold(top.clone(), |path, name| path.join(name))
}

/// Opens a directory of the stage, one component after the other.
fn open_staged(root: &OwnedFd, path: &RelPath) -> Result<OwnedFd, Errno> {
    let mut fd = dir::open_beneath(root, &RelPath::root())?;
    for name in path.components() {
        fd = dir::open_staged_directory(&fd, name)?;
    }
    Ok(fd)
}

/// Copies the content, keeping holes, and returns its SHA-256.
fn copy(mut source: File, mut target: &File) -> Result<[u8; 32], Errno> {
    let mut hash = Sha256::new();
    let mut buffer = super::node::buffer_for(&source);
    let mut length = 0_u64;
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(errno(&error)),
        };
        hash.update(&buffer[..count]);
        length += count as u64;
        if buffer[..count].iter().all(|byte| *byte == 0) {
            target.seek(SeekFrom::Start(length)).map_err(|error| errno(&error))?;
        } else {
            target.write_all(&buffer[..count]).map_err(|error| errno(&error))?;
        }
    }
    fs::ftruncate(target, length)?;
    Ok(hash.finalize().into())
}

fn special(
    built: &OwnedFd,
    name: &OsStr,
    kind: FileType,
    device: u64,
    mode: Mode,
    part: &Part,
) -> Result<(), Errno> {
    fs::mknodat(built, name, kind, Mode::RUSR | Mode::WUSR, device)?;
    own(built, name, part)?;
    // The workshop is private, so the name is still what was just made.
    fs::chmodat(built, name, mode, AtFlags::empty())
}

fn own(parent: &OwnedFd, name: &OsStr, part: &Part) -> Result<(), Errno> {
    let stat = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match change_of_owner((stat.st_uid, stat.st_gid), part.owner) {
        Some((user, group)) => {
            accept(fs::chownat(parent, name, user, group, AtFlags::SYMLINK_NOFOLLOW), user)
        }
        None => Ok(()),
    }
}

fn own_open(fd: impl AsFd, part: &Part) -> Result<(), Errno> {
    let stat = fs::fstat(&fd)?;
    match change_of_owner((stat.st_uid, stat.st_gid), part.owner) {
        Some((user, group)) => accept(fs::fchown(fd, user, group), user),
        None => Ok(()),
    }
}

type Owner = (Option<Uid>, Option<Gid>);

fn change_of_owner(now: (u32, u32), wanted: (u32, u32)) -> Option<Owner> {
    let user = (now.0 != wanted.0).then(|| Uid::from_raw(wanted.0));
    let group = (now.1 != wanted.1).then(|| Gid::from_raw(wanted.1));
    (user.is_some() || group.is_some()).then_some((user, group))
}

/// A group its owner is not a member of cannot be kept; that takes nothing from anybody.
fn accept(result: Result<(), Errno>, user: Option<Uid>) -> Result<(), Errno> {
    match result {
        Err(Errno::PERM) if user.is_none() => Ok(()),
        other => other,
    }
}

fn times(node: &Node) -> Timestamps {
    let (seconds, nanoseconds) = node.identity.modified;
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps { last_access: time, last_modification: time }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
