//! What the system offers, found by trying it.

use serde::{Serialize, Serializer};
use std::fmt;
use std::io;

/// A mechanism of the operating system that the sandbox is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever explains a missing one must handle each")]
pub enum Feature {
    /// User, mount, pid, network, ipc, uts and cgroup namespaces without privileges.
    Namespaces,
    /// Mapping the own user and group into a user namespace.
    IdentityMap,
    /// Mounting by descriptor: `open_tree`, `mount_setattr`, `move_mount`, `fsopen`.
    MountApi,
    /// A small file system in memory, as the root and for scratch space.
    Tmpfs,
    /// `/proc` with processes only.
    Proc,
    /// Swapping the root directory.
    PivotRoot,
    /// An overlay file system inside a user namespace.
    Overlay,
    /// The loopback interface inside a network namespace.
    Loopback,
    /// Dropping every capability.
    Capabilities,
    /// `no_new_privs` and the other process attributes.
    NoNewPrivileges,
    /// Limits of the process.
    Limits,
    /// Closing inherited descriptors by range.
    CloseRange,
    /// Landlock with rules for files.
    LandlockFiles,
    /// Landlock with rules for connections.
    LandlockNetwork,
    /// Landlock with scopes for signals and abstract sockets.
    LandlockScopes,
    /// System call filters.
    Seccomp,
    /// Waiting for a process by descriptor.
    ProcessDescriptors,
    /// The back end for this operating system as a whole.
    BackEnd,
}

impl Feature {
    /// Every feature, in the order they are needed.
    pub const ALL: [Self; 18] = [
        Self::Namespaces,
        Self::IdentityMap,
        Self::MountApi,
        Self::Tmpfs,
        Self::Proc,
        Self::PivotRoot,
        Self::Overlay,
        Self::Loopback,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::Limits,
        Self::CloseRange,
        Self::LandlockFiles,
        Self::LandlockNetwork,
        Self::LandlockScopes,
        Self::Seccomp,
        Self::ProcessDescriptors,
        Self::BackEnd,
    ];

    /// Returns the name, as errors and `doctor` write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::IdentityMap => "identity-map",
            Self::MountApi => "mount-api",
            Self::Tmpfs => "tmpfs",
            Self::Proc => "proc",
            Self::PivotRoot => "pivot-root",
            Self::Overlay => "overlay",
            Self::Loopback => "loopback",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Limits => "limits",
            Self::CloseRange => "close-range",
            Self::LandlockFiles => "landlock-files",
            Self::LandlockNetwork => "landlock-network",
            Self::LandlockScopes => "landlock-scopes",
            Self::Seccomp => "seccomp",
            Self::ProcessDescriptors => "process-descriptors",
            Self::BackEnd => "back-end",
        }
    }

    /// Returns what an operator can do about its absence.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Namespaces | Self::IdentityMap => {
                "allow unprivileged user namespaces for this program (sysctl \
                 `kernel.unprivileged_userns_clone`, `user.max_user_namespaces` and the like, or an AppArmor \
                 profile with `userns`)"
            }
            Self::Proc => "run outside a container, or in one whose `/proc` is not masked",
            Self::Overlay => {
                "keep the state directory on a local file system with extended attributes, or use \
                 a kernel from 5.11 with overlayfs"
            }
            Self::LandlockFiles | Self::LandlockNetwork | Self::LandlockScopes => {
                "use a kernel from 6.12 with `landlock` in its list of security modules"
            }
            Self::BackEnd => "run it on a system this version has a sandbox for",
            Self::MountApi
            | Self::Tmpfs
            | Self::PivotRoot
            | Self::Loopback
            | Self::Capabilities
            | Self::NoNewPrivileges
            | Self::Limits
            | Self::CloseRange
            | Self::Seccomp
            | Self::ProcessDescriptors => {
                "use a kernel from 6.12; a container or service manager may also forbid it"
            }
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}

impl Serialize for Feature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One feature that was tried.
#[derive(Debug)]
#[non_exhaustive]
pub struct Probed {
    /// The feature.
    pub feature: Feature,
    /// Nothing when it works, else the step that failed and what the system said.
    pub missing: Option<(&'static str, io::Error)>,
}

/// Tries every feature of this system and returns what came of it.
#[cfg(target_os = "linux")]
pub fn probe() -> Vec<Probed> {
    crate::linux::probe()
}

/// Tries every feature of this system and returns what came of it.
#[cfg(not(target_os = "linux"))]
pub fn probe() -> Vec<Probed> {
    let source = io::Error::from(io::ErrorKind::Unsupported);
    vec![Probed {
        feature: Feature::BackEnd,
        missing: Some(("not verified on this system", source)),
    }]
}
