//! Ways round single protections, for tests that show what each of them holds.
//!
//! # Security
//! Nothing outside of tests may use this module: an executor made here does not hold what
//! [`SandboxExecutor::enforcement`](crate::SandboxExecutor::enforcement) says.

use super::LinuxExecutor;

/// One protection of the Linux back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each escape test names the one it is about")]
pub enum Protection {
    /// The private root: without it the program sees the host's files.
    Files,
    /// The network namespace.
    Network,
    /// The ipc namespace.
    Ipc,
    /// The second wall for files, connections, signals and abstract sockets.
    Landlock,
    /// The system call filter.
    Seccomp,
    /// Dropping every capability.
    Capabilities,
    /// The limits of processes, files and memory.
    Limits,
    /// Closing inherited descriptors.
    Descriptors,
    /// Comparing the program with the one that was hashed.
    Identity,
    /// Read-only mounts over protected names under direct writes.
    ProtectedNames,
    /// Refusing variables that the plan does not name.
    Environment,
    /// Keeping the first process out of reach of the others.
    FirstProcess,
    /// Ending with the host, and killing what the program left.
    Reaper,
}

/// A set of protections that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Without(u32);

impl Without {
    /// Returns the set of these protections.
    pub fn these(protections: &[Protection]) -> Self {
        Self(protections.iter().fold(0, |bits, protection| bits | 1 << (*protection as u32)))
    }

    pub(super) fn has(self, protection: Protection) -> bool {
        self.0 & 1 << (protection as u32) != 0
    }
}

/// Returns an executor that leaves these protections out.
pub fn executor_without(without: Without) -> LinuxExecutor {
    LinuxExecutor { without, ..LinuxExecutor::new() }
}
