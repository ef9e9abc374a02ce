//! The rooms an attack is made in, and what the program inside is told about the host.

use crate::{ProcessLimits, WriteMode};
use ringfence_capability::Profile;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The longest description of a scene.
pub(super) const LONGEST: u64 = 64 * 1024;

/// A profile with a way to write and, where it may, a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The profile.
    pub profile: Profile,
    /// How the workspace is written.
    pub write: WriteMode,
    /// Whether the program has the proxy.
    pub proxied: bool,
}

impl Room {
    /// Every room of the battery: each profile, both ways to write, with and without a proxy.
    pub const ALL: [Self; 7] = [
        Self::of(Profile::Offline, WriteMode::Staged, false),
        Self::of(Profile::ReadOnly, WriteMode::Staged, false),
        Self::of(Profile::NetReadOnly, WriteMode::Staged, true),
        Self::of(Profile::WorkspaceWrite, WriteMode::Staged, true),
        Self::of(Profile::WorkspaceWrite, WriteMode::Direct, false),
        Self::of(Profile::Trusted, WriteMode::Staged, true),
        Self::of(Profile::Trusted, WriteMode::Direct, false),
    ];

    const fn of(profile: Profile, write: WriteMode, proxied: bool) -> Self {
        Self { profile, write, proxied }
    }

    /// Tells whether the program can write the workspace at all.
    pub fn writes(&self) -> bool {
        self.profile >= Profile::WorkspaceWrite
    }

    /// Tells whether its writes go into a stage.
    pub fn is_staged(&self) -> bool {
        self.writes() && self.write == WriteMode::Staged
    }

    /// Tells whether its writes go into the workspace.
    pub fn is_direct(&self) -> bool {
        self.writes() && self.write == WriteMode::Direct
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile.name())?;
        match (self.writes(), self.write) {
            (false, _) => Ok(()),
            (true, WriteMode::Staged) => f.write_str(" (staged)"),
            (true, WriteMode::Direct) => f.write_str(" (direct)"),
        }
    }
}

/// What the program inside is told about the host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Scene {
    /// The workspace, where it starts.
    pub(super) workspace: PathBuf,
    /// A directory of the host that was not granted.
    pub(super) outside: PathBuf,
    /// Something only this run has in its name.
    pub(super) mark: String,
    pub(super) proxied: bool,
    /// The mount namespace of the host.
    pub(super) mounts: u64,
    /// Ports of the host's loopback address.
    pub(super) tcp: u16,
    pub(super) udp: u16,
    /// Objects of the host's ipc namespace.
    pub(super) memory: i32,
    pub(super) semaphores: i32,
    pub(super) messages: i32,
    /// A key of the host's session.
    pub(super) key: i64,
    /// A process of the host, and a descriptor of this one's parent.
    pub(super) victim: i32,
    pub(super) descriptor: i32,
    /// A file handle of a file outside.
    pub(super) handle: Vec<u8>,
    /// A number the attack is told to reach.
    pub(super) amount: u64,
    /// What the plan's limits were changed to; the program does not need it.
    #[serde(skip)]
    pub(super) limits: ProcessLimits,
    /// A variable the host tries to pass on.
    #[serde(skip)]
    pub(super) variable: Option<(String, String)>,
    /// What of the workspace is granted.
    #[serde(skip)]
    pub(super) scope: String,
}

impl Scene {
    /// Returns a path of the host outside the workspace.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        self.outside.join(name)
    }

    /// Returns a path in the workspace.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        self.workspace.join(name)
    }
}

/// Tells whether this process is the program of a sandbox of this library.
pub(super) fn is_confined() -> bool {
    let mut name = [0_u8; 65];
    // SAFETY: the call only returns a number.
    let parent = unsafe { libc::getppid() };
    // SAFETY: the kernel writes at most `name.len()` bytes into `name`.
    let named = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) } == 0;
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let bound = status.lines().any(|line| line.starts_with("NoNewPrivs:") && line.ends_with('1'));
    parent == 1 && named && name.starts_with(b"sandbox\0") && bound
}
