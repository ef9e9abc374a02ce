//! Everything the first process needs, made before it is: after `clone` nothing may allocate. One
//! that was forked ahead gets its [`Script`] later, as bytes.

use super::danger::{Protection, Without};
use libc::sock_filter;
use serde::{Deserialize, Serialize};
use std::ffi::{CString, c_char};
use std::os::fd::RawFd;
use std::time::Duration;

/// Enough for the few calls the program's process makes before it executes.
const STACK_BYTES: usize = 32 * 1024;

/// What one process has, and the script it follows.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The child's end of the socket to the host.
    pub(super) socket: RawFd,
    /// The ranges of descriptors to close first: all but the ones named here.
    pub(super) gaps: Vec<(u32, u32)>,
    pub(super) carried: Carried,
    pub(super) owner: Owner,
    /// The stack on which the program's process runs until `execve`.
    pub(super) stack: Vec<u8>,
    /// The part of the root that every plan has.
    pub(super) ground: Ground,
    pub(super) script: Script,
}

/// The user and group of the host's process, whose numbers are the same inside.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
    /// The lines of `uid_map` and `gid_map`.
    pub(super) maps: [Vec<u8>; 2],
}

/// The part of the root that every plan has.
#[derive(Debug, Default)]
pub(super) struct Ground {
    pub(super) mounts: Vec<Mount>,
    pub(super) layout: Vec<Piece>,
}

/// Descriptors that were the host's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carried {
    /// What leads to standard input, output and error; nothing where it stays as it is.
    pub(super) stdio: [Option<RawFd>; 3],
    /// The terminal to take over for the program.
    pub(super) terminal: Option<RawFd>,
}

/// The whole set-up as data: the first process only walks through it and makes system calls.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Script {
    /// The most process numbers of the namespace, where no limit by user works.
    pub(super) most_pids: Option<Vec<u8>>,
    /// Where the proxy's listener goes.
    pub(super) listener_port: Option<u16>,
    pub(super) mounts: Vec<Mount>,
    pub(super) stage: Option<Stage>,
    /// What is made in the root on its ground, in this order.
    pub(super) layout: Vec<Piece>,
    pub(super) ruleset: Ruleset,
    pub(super) working_directory: CString,
    pub(super) program: Executable,
    pub(super) limits: Vec<(u32, u64)>,
    pub(super) deadline: Option<Duration>,
    #[serde(with = "instructions")]
    pub(super) filter: Vec<sock_filter>,
    /// Does not go over the wire: who was forked ahead leaves nothing out.
    #[serde(skip)]
    pub(super) without: Without,
}

/// A part of the host's tree that appears in the sandbox.
#[derive(Debug, Serialize, Deserialize)]
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
    #[serde(skip, default = "none")]
    pub(super) tree: RawFd,
}

/// Where a mount comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum From {
    /// The host, by a path without symbolic links.
    Host,
    /// The whole stage.
    Stage,
    /// A part of the stage; `source` is relative to the workspace.
    PartOfStage,
}

/// The overlay of the workspace.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stage {
    /// The workspace and the two directories of the stage.
    pub(super) layers: [CString; 3],
    /// Whether it is attached somewhere first, because only parts of it are wanted.
    pub(super) in_parts: bool,
}

/// One thing that is made in the root. Paths are relative to it.
#[derive(Debug, Serialize, Deserialize)]
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
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ruleset {
    pub(super) network: u64,
    pub(super) connect_port: Option<u16>,
}

/// What is executed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Executable {
    pub(super) path: CString,
    pub(super) identity: (u64, u64),
    pub(super) argv: Strings,
    pub(super) environment: Strings,
}

/// Strings for `execve`, with the array of pointers it takes.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<CString>")]
pub(super) struct Strings {
    // `pointers` points into them; moving a `CString` does not move its text.
    texts: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    pub(super) fn new(texts: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self { texts, pointers }
    }

    /// Returns the array, which ends with a null pointer.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

impl std::convert::From<Vec<CString>> for Strings {
    fn from(texts: Vec<CString>) -> Self {
        Self::new(texts)
    }
}

impl Serialize for Strings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(serializer)
    }
}

impl Default for Strings {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Carried {
    /// Returns all of them, in the order in which they are handed on.
    pub(super) fn all(&self) -> [Option<RawFd>; 4] {
        let [input, output, error] = self.stdio;
        [input, output, error, self.terminal]
    }
}

fn none() -> RawFd {
    -1
}

/// The filter's instructions as numbers.
mod instructions {
    use libc::sock_filter;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        filter: &[sock_filter],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(filter.iter().map(|one| (one.code, one.jt, one.jf, one.k)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<sock_filter>, D::Error> {
        let filter = Vec::<(u16, u8, u8, u32)>::deserialize(deserializer)?;
        Ok(filter.into_iter().map(|(code, jt, jf, k)| sock_filter { code, jt, jf, k }).collect())
    }
}

impl Prepared {
    /// Returns what a process starts with that keeps these descriptors.
    pub(super) fn new(socket: RawFd, carried: Carried) -> Self {
        let kept: Vec<RawFd> = carried.all().into_iter().flatten().chain([socket]).collect();
        Self {
            socket,
            gaps: gaps(&kept),
            carried,
            owner: Owner::new(),
            stack: vec![0; STACK_BYTES],
            ground: Ground::default(),
            script: Script::default(),
        }
    }

    /// Tells whether a protection is in place.
    pub(super) fn has(&self, protection: Protection) -> bool {
        !self.script.without.has(protection)
    }

    /// The namespaces of which the first process has to be the first one: it is cloned into them.
    pub(super) const FIRST: libc::c_int = libc::CLONE_NEWUSER | libc::CLONE_NEWPID;

    /// Those it can make for itself, beside the helper, which makes the remaining ones.
    pub(super) const OWN: libc::c_int =
        libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
}

impl Owner {
    /// Returns the owner of this process. In a new user namespace it has no numbers before the maps
    /// are written, so ask before.
    pub(super) fn new() -> Self {
        // SAFETY: these calls only return numbers.
        let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
        let maps = [user, group].map(|number| format!("{number} {number} 1").into_bytes());
        Self { user, group, maps }
    }
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
