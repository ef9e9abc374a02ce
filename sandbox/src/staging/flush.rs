//! Waits until what was written is on the disk.
//!
//! `syncfs` waits for what every other program is writing to the same file system too, so a small
//! commit waits for its own files and directories one by one. A directory that is on the disk names
//! what is in it, and with it every link, pipe and device there. Where something cannot be opened,
//! the whole file system is waited for.

use super::{RelPath, StagingError, dir};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs;
use rustix::io::Errno;
use std::collections::BTreeSet;

/// Up to so many files and directories are waited for one by one; for more, one wait for the whole
/// file system is the cheaper one.
const ONE_BY_ONE: usize = 64;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// Each file and directory that was written.
    Each,
    /// Everything on the file system.
    Whole,
}

impl Flush {
    /// Returns how to wait for `count` files and directories.
    pub(super) fn of(count: usize) -> Self {
        if count <= ONE_BY_ONE { Self::Each } else { Self::Whole }
    }

    /// Waits for these directories, or for the file system of the first.
    pub(super) fn wait<const N: usize>(
        self,
        directories: [&OwnedFd; N],
    ) -> Result<(), StagingError> {
        match (self, directories.first()) {
            (Self::Whole, Some(first)) => whole(first),
            _ => directories.into_iter().try_for_each(one).map_err(failed),
        }
    }

    /// Waits for the directories `paths` beneath `root`.
    pub(super) fn wait_beneath(
        self,
        root: &OwnedFd,
        paths: &BTreeSet<RelPath>,
    ) -> Result<(), StagingError> {
        let each = |path: &RelPath| dir::open_beneath(root, path).and_then(|fd| one(&fd));
        if self == Self::Each && paths.iter().try_for_each(each).is_ok() {
            return Ok(());
        }
        whole(root)
    }
}

/// Waits until one open file or directory is on the disk.
pub(super) fn one(fd: impl AsFd) -> Result<(), Errno> {
    loop {
        match fs::fsync(&fd) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// Waits until everything on the file system of `fd` is on the disk.
pub(super) fn whole(fd: impl AsFd) -> Result<(), StagingError> {
    fs::syncfs(fd).map_err(failed)
}

fn failed(source: Errno) -> StagingError {
    StagingError::io("write out", "the file system", source)
}
