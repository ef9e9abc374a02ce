//! File operations by descriptor: nothing here follows a symbolic link or leaves the directory it
//! was given.

use super::{RelPath, StagingError};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    self, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, Stat,
    XattrFlags,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// The longest value of one extended attribute that is carried over; the kernel allows 64 KiB.
const ATTRIBUTE_BYTES: usize = 65_536;

const LOOK: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
const DIRECTORY: OFlags = LOOK.union(OFlags::DIRECTORY);

/// How a workspace path is resolved: beneath the workspace, without links, on one file system.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Opens a directory that a person named.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, StagingError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
    fs::open(path, flags, Mode::empty())
        .map_err(|source| StagingError::io("open the directory", path.display(), source))
}

/// Opens the directory `path` beneath `root`.
pub(super) fn open_beneath(root: impl AsFd, path: &RelPath) -> Result<OwnedFd, Errno> {
    // The kernel answers `EAGAIN` when a rename ran at the same time; it asks to try again.
    for _ in 0..64 {
        match fs::openat2(&root, path.as_path(), DIRECTORY, Mode::empty(), BENEATH) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens the directory `name` in `parent`.
pub(super) fn open_directory(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    fs::openat(parent, name, DIRECTORY, Mode::empty())
}

/// As [`open_directory`], for directories of the stage: a mode that forbids its owner to read it is
/// changed for the moment of opening.
pub(super) fn open_staged_directory(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    match open_directory(&parent, name) {
        Err(Errno::ACCESS) => {
            with_mode(&parent, name, 0o700, |parent| open_directory(parent, name))
        }
        other => other,
    }
}

/// Opens the regular file `name` in `parent` for reading. Never blocks on a pipe or a device.
pub(super) fn open_file(parent: impl AsFd, name: &OsStr) -> Result<File, Errno> {
    let fd = fs::openat(&parent, name, LOOK | OFlags::NONBLOCK, Mode::empty())?;
    regular(fd)
}

/// As [`open_file`], for files of the stage: a mode that forbids reading is changed meanwhile.
pub(super) fn open_staged_file(parent: impl AsFd, name: &OsStr) -> Result<File, Errno> {
    match open_file(&parent, name) {
        Err(Errno::ACCESS) => with_mode(&parent, name, 0o400, |parent| open_file(parent, name)),
        other => other,
    }
}

/// Lets the owner enter a directory of the stage for good, and returns the mode that the program
/// gave it. That mode is kept in an attribute: the overlay renames what a program sets under this
/// prefix, so that none can forge it.
pub(super) fn enter_staged(fd: &OwnedFd, mode: u32) -> Result<u32, Errno> {
    const MODE: &str = "user.overlay.ringfence.mode";
    let kept = attributes(fd, |name| name == MODE.as_bytes())?;
    if let Some(kept) = kept.into_values().next() {
        let text = String::from_utf8(kept).map_err(|_| Errno::INVAL)?;
        return u32::from_str_radix(&text, 8).map_err(|_| Errno::INVAL);
    }
    if mode & 0o700 != 0o700 {
        // Only who may write can set an attribute, so the mode comes first. A stage that is left
        // in between is never read again: its process is gone.
        let open = Mode::from_raw_mode(mode | 0o700);
        fs::fchmod(fd, open)?;
        fs::fsetxattr(fd, MODE, format!("{mode:o}").as_bytes(), XattrFlags::empty())?;
    }
    Ok(mode)
}

fn regular(fd: OwnedFd) -> Result<File, Errno> {
    match FileType::from_raw_mode(fs::fstat(&fd)?.st_mode) {
        FileType::RegularFile => Ok(File::from(fd)),
        _ => Err(Errno::LOOP),
    }
}

fn with_mode<P: AsFd, T>(
    parent: P,
    name: &OsStr,
    extra: u32,
    then: impl Fn(&P) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let stat = stat(&parent, name)?.ok_or(Errno::NOENT)?;
    if !matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Directory)
    {
        return Err(Errno::ACCESS);
    }
    let mode = stat.st_mode & 0o7777;
    fs::chmodat(&parent, name, Mode::from_raw_mode(mode | extra), AtFlags::empty())?;
    let result = then(&parent);
    fs::chmodat(&parent, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
    result
}

/// Returns what `name` in `parent` is, or nothing when there is no such name.
pub(super) fn stat(parent: impl AsFd, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(source) => Err(source),
    }
}

/// Returns the names in a directory in the order of their bytes.
pub(super) fn names(directory: impl AsFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Returns the target of a symbolic link.
pub(super) fn link_target(parent: impl AsFd, name: &OsStr) -> Result<Vec<u8>, Errno> {
    fs::readlinkat(parent, name, Vec::new()).map(CString::into_bytes)
}

/// Returns every extended attribute whose name `wanted` accepts. A file system without them has
/// none.
pub(super) fn attributes(
    fd: impl AsFd,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    let mut list = Vec::with_capacity(1024);
    match fs::flistxattr(&fd, rustix::buffer::spare_capacity(&mut list)) {
        Err(Errno::RANGE) => {
            list.reserve(ATTRIBUTE_BYTES);
            fs::flistxattr(&fd, rustix::buffer::spare_capacity(&mut list))?;
        }
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        other => drop(other?),
    }
    let mut found = BTreeMap::new();
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty() && wanted(name)) {
        let mut value = Vec::with_capacity(256);
        let name = OsStr::from_bytes(name);
        match fs::fgetxattr(&fd, name, rustix::buffer::spare_capacity(&mut value)) {
            Err(Errno::RANGE) => {
                value.reserve(ATTRIBUTE_BYTES);
                fs::fgetxattr(&fd, name, rustix::buffer::spare_capacity(&mut value))?;
            }
            Err(Errno::NODATA) => continue,
            other => drop(other?),
        }
        found.insert(name.as_bytes().to_vec(), value);
    }
    Ok(found)
}

/// Makes the extended attributes `now` into `wanted`.
pub(super) fn set_attributes(
    fd: impl AsFd,
    now: &BTreeMap<Vec<u8>, Vec<u8>>,
    wanted: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<(), Errno> {
    for name in now.keys().filter(|name| !wanted.contains_key(*name)) {
        fs::fremovexattr(&fd, OsStr::from_bytes(name))?;
    }
    for (name, value) in wanted.iter().filter(|(name, value)| now.get(*name) != Some(value)) {
        fs::fsetxattr(&fd, OsStr::from_bytes(name), value, XattrFlags::empty())?;
    }
    Ok(())
}

/// Renames without ever replacing what is there.
pub(super) fn move_new(from: (impl AsFd, &OsStr), to: (impl AsFd, &OsStr)) -> Result<(), Errno> {
    fs::renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE)
}

/// Exchanges two names in one step.
pub(super) fn exchange(one: (impl AsFd, &OsStr), other: (impl AsFd, &OsStr)) -> Result<(), Errno> {
    fs::renameat_with(one.0, one.1, other.0, other.1, RenameFlags::EXCHANGE)
}

/// Removes `name` and everything below it, however deep. Nothing there is fine.
///
/// Directories are moved up to the top and emptied one after the other, so that a hostile depth
/// costs neither stack nor descriptors, and after a crash everything left is still below `name`.
pub(super) fn remove_all(parent: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    let Some(top) = stat(&parent, name)? else { return Ok(()) };
    if FileType::from_raw_mode(top.st_mode) != FileType::Directory {
        return unlink(&parent, name);
    }
    unlock(&parent, name);
    let top = open_directory(&parent, name)?;
    let mut waiting = Vec::new();
    let mut count = 0_u64;
    for child in names(&top)? {
        if !removed(&top, &child) {
            waiting.push(child);
        }
    }
    while let Some(current) = waiting.pop() {
        unlock(&top, &current);
        let directory = open_directory(&top, &current)?;
        for child in names(&directory)? {
            if removed(&directory, &child) {
                continue;
            }
            unlock(&directory, &child);
            waiting.push(move_aside(&directory, &child, &top, &mut count)?);
        }
        fs::unlinkat(&top, current.as_os_str(), AtFlags::REMOVEDIR)?;
    }
    fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)
}

/// Returns whether a name is gone; a directory that is not empty is not.
fn removed(parent: &OwnedFd, name: &OsStr) -> bool {
    fs::unlinkat(parent, name, AtFlags::empty()).is_ok()
        || fs::unlinkat(parent, name, AtFlags::REMOVEDIR).is_ok()
}

fn move_aside(
    from: &OwnedFd,
    name: &OsStr,
    top: &OwnedFd,
    count: &mut u64,
) -> Result<OsString, Errno> {
    loop {
        *count += 1;
        let aside = OsString::from(format!(".{count}"));
        match move_new((from, name), (top, &aside)) {
            Err(Errno::EXIST) => {}
            other => return other.map(|()| aside),
        }
    }
}

fn unlink(parent: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Lets the owner read, write and enter a directory; a failure shows at the next step.
fn unlock(parent: impl AsFd, name: &OsStr) {
    if let Ok(Some(stat)) = stat(&parent, name)
        && FileType::from_raw_mode(stat.st_mode) == FileType::Directory
        && stat.st_mode & 0o700 != 0o700
    {
        let _ = fs::chmodat(&parent, name, Mode::from_raw_mode(0o700), AtFlags::empty());
    }
}

/// Makes the directory `name` for its owner alone and opens it.
pub(super) fn make_private(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    fs::mkdirat(&parent, name, Mode::RWXU)?;
    fs::openat(&parent, name, DIRECTORY, Mode::empty())
}

/// Makes the directory `name` for its owner alone, unless it is there, and opens it.
pub(super) fn ensure_private(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    match fs::mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => fs::openat(&parent, name, DIRECTORY, Mode::empty()),
        Err(source) => Err(source),
    }
}

/// How long a lock is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until its owner lets go.
    Yes,
    /// Not at all.
    No,
}

/// Takes the lock file `name`; the lock ends with the returned descriptor. `WOULDBLOCK` when
/// somebody else has it.
pub(super) fn lock(parent: impl AsFd, name: &str, wait: Wait) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?;
    let operation = match wait {
        Wait::Yes => FlockOperation::LockExclusive,
        Wait::No => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        match fs::flock(&fd, operation) {
            Err(Errno::INTR) => {}
            other => return other.map(|()| fd),
        }
    }
}

/// Writes `name` so that after a crash it is there whole or not at all.
pub(super) fn write_whole(parent: impl AsFd, name: &str, bytes: &[u8]) -> Result<(), Errno> {
    let part = format!("{name}.part");
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = fs::openat(&parent, part.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = rustix::io::write(&fd, rest)?;
        rest = &rest[written..];
    }
    fs::fsync(&fd)?;
    fs::renameat(&parent, part.as_str(), &parent, name)?;
    fs::fsync(&parent)
}
