//! Landlock rights: which there are, and which of them a path gets.
//!
//! Landlock is the second wall behind the mounts: it holds where a descriptor or a link of `/proc`
//! would lead outside of them. Every right the kernel must know is required, none is best effort.

use super::sys;
use crate::{Access, Feature, Network, SandboxError, SandboxPlan};
use ringfence_capability::Profile;
use std::io;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Every right for files up to the required version.
pub(super) const ALL_FILES: u64 = (1 << 16) - 1;
/// Binding and connecting TCP sockets.
pub(super) const ALL_NETWORK: u64 = 3;
/// Connecting TCP sockets.
pub(super) const CONNECT: u64 = 2;
/// Abstract Unix sockets and signals.
pub(super) const ALL_SCOPES: u64 = 3;

/// What everything visible has: the mounts already decided what that is.
pub(super) const VISIBLE: u64 = READ_FILE | READ_DIR;
/// What a granted or system path has.
pub(super) const READ: u64 = VISIBLE | EXECUTE;
/// What the devices have.
pub(super) const DEVICE: u64 = READ_FILE | WRITE_FILE | IOCTL_DEV;
/// What a single file can have at all.
pub(super) const FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
/// What scratch space has; execution is added where the profile writes.
pub(super) const SCRATCH: u64 = VISIBLE
    | WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE;

/// The lowest Landlock version with each required right, and what it brings.
const REQUIRED: [(i64, Feature); 3] =
    [(5, Feature::LandlockFiles), (4, Feature::LandlockNetwork), (6, Feature::LandlockScopes)];

/// Returns the rights of a path with this access.
pub(super) fn of(access: Access) -> u64 {
    match access {
        Access::Read => READ,
        Access::Staged | Access::Write => SCRATCH | EXECUTE,
    }
}

/// Returns the rights for connections the ruleset handles under `plan`. Where code is developed
/// the namespace alone bounds them, so that tests can use the loopback address.
pub(super) fn network(plan: &SandboxPlan) -> u64 {
    let develops = plan.profile() >= Profile::WorkspaceWrite;
    if plan.network() == Network::Proxy && develops { 0 } else { ALL_NETWORK }
}

/// Fails unless the kernel has every required right.
pub(super) fn check() -> Result<(), SandboxError> {
    let missing = |feature, errno| SandboxError::MissingFeature {
        feature,
        step: "ask for the Landlock version",
        source: io::Error::from_raw_os_error(errno),
    };
    let version =
        sys::landlock_version().map_err(|errno| missing(Feature::LandlockFiles, errno.0))?;
    let lacking = REQUIRED.into_iter().find(|(needed, _)| version < *needed);
    lacking.map_or(Ok(()), |(_, feature)| Err(missing(feature, libc::EOPNOTSUPP)))
}
