//! Everything the child needs, made before it exists: after `clone` nothing may allocate.

use super::danger::{Protection, Without};
use libc::sock_filter;
use std::ffi::{CString, c_char};
use std::os::fd::RawFd;
use std::time::Duration;

/// The whole set-up as data. The child only walks through it and makes system calls.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The child's end of the socket to the host.
    pub(super) socket: RawFd,
    /// The ranges of descriptors to close first: all but the ones named here.
    pub(super) gaps: Vec<(u32, u32)>,
    /// What leads to standard input, output and error; nothing where it stays as it is.
    pub(super) stdio: [Option<RawFd>; 3],
    /// The terminal to take over for the program.
    pub(super) terminal: Option<RawFd>,
    /// The lines of `uid_map` and `gid_map`.
    pub(super) identity: [Vec<u8>; 2],
    /// The most process numbers of the namespace, where no limit by user works.
    pub(super) most_pids: Option<Vec<u8>>,
    /// Where the proxy's listener goes.
    pub(super) listener_port: Option<u16>,
    pub(super) mounts: Vec<Mount>,
    pub(super) stage: Option<Stage>,
    /// What is made in the root, in this order.
    pub(super) layout: Vec<Piece>,
    pub(super) ruleset: Ruleset,
    pub(super) working_directory: CString,
    pub(super) program: Executable,
    pub(super) limits: Vec<(u32, u64)>,
    pub(super) deadline: Option<Duration>,
    pub(super) filter: Vec<sock_filter>,
    /// The stack on which the program's process runs until `execve`.
    pub(super) stack: Vec<u8>,
    pub(super) without: Without,
}

/// A part of the host's tree that appears in the sandbox.
#[derive(Debug)]
pub(super) struct Mount {
    pub(super) source: CString,
    pub(super) from: From,
    /// The mount point below the new root, without a leading `/`.
    pub(super) target: CString,
    pub(super) attributes: u64,
    /// Landlock rights.
    pub(super) rights: u64,
    /// Device and inode that must be found.
    pub(super) expected: Option<(u64, u64)>,
    /// The detached mount, once the child has made it.
    pub(super) tree: RawFd,
}

/// Where a mount comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The host, by a path without symbolic links.
    Host,
    /// The whole stage.
    Stage,
    /// A part of the stage; `source` is relative to the workspace.
    PartOfStage,
}

/// The overlay of the workspace.
#[derive(Debug)]
pub(super) struct Stage {
    /// The workspace and the two directories of the stage.
    pub(super) layers: [CString; 3],
    /// Whether it is attached somewhere first, because only parts of it are wanted.
    pub(super) in_parts: bool,
}

/// One thing that is made in the root. Paths are relative to it.
#[derive(Debug)]
pub(super) enum Piece {
    Directory(CString),
    /// An empty file to mount on.
    File(CString),
    Text(CString, Vec<u8>),
    Link {
        at: CString,
        target: CString,
    },
    /// A file system in memory for the program, with its size and attributes.
    Scratch {
        at: CString,
        size: CString,
        /// The most files.
        names: CString,
        attributes: u64,
        rights: u64,
    },
    Proc(CString),
    /// The mount with this index.
    Mount(usize),
}

/// What Landlock handles, besides files.
#[derive(Debug)]
pub(super) struct Ruleset {
    pub(super) network: u64,
    pub(super) connect_port: Option<u16>,
}

/// What is executed.
#[derive(Debug)]
pub(super) struct Executable {
    pub(super) path: CString,
    pub(super) identity: (u64, u64),
    pub(super) argv: Strings,
    pub(super) environment: Strings,
}

/// Strings for `execve`, with the array of pointers it takes.
#[derive(Debug)]
pub(super) struct Strings {
    // Kept because `pointers` points into them; moving a `CString` does not move its text.
    _texts: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    pub(super) fn new(texts: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self { _texts: texts, pointers }
    }

    /// Returns the array, which ends with a null pointer.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

impl Prepared {
    /// Tells whether a protection is in place.
    pub(super) fn has(&self, protection: Protection) -> bool {
        !self.without.has(protection)
    }

    /// The flags of `clone`. The other namespaces are made by the helper.
    pub(super) const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
}

/// Returns the ranges of descriptors from 3 on that leave `kept` open.
pub(super) fn gaps(kept: &[RawFd]) -> Vec<(u32, u32)> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    kept.sort_unstable();
    kept.dedup();
    let mut gaps = Vec::with_capacity(kept.len() + 1);
    let mut next = 3;
    for fd in kept {
        if fd > next {
            gaps.push((next, fd - 1));
        }
        next = next.max(fd + 1);
    }
    gaps.push((next, u32::MAX));
    gaps
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn the_gaps_leave_exactly_the_kept_descriptors_open() {
        assert_eq!(gaps(&[]), [(3, u32::MAX)]);
        assert_eq!(gaps(&[3]), [(4, u32::MAX)]);
        assert_eq!(gaps(&[7, 5, 5]), [(3, 4), (6, 6), (8, u32::MAX)]);
        assert_eq!(gaps(&[0, 1, -1, 9]), [(3, 8), (10, u32::MAX)]);
    }
}
