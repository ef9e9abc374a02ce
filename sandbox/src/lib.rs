//! Native programs in an operating-system sandbox made from the same grants as the WebAssembly
//! layer.
//!
//! [`SandboxPlan::from_grants`] says what a program may reach, as data; a [`SandboxExecutor`]
//! starts a [`Program`] under it. Invariants: a plan is never looser than the grants; what the
//! kernel does not hold is refused by name, or said so by [`SandboxExecutor::enforcement`];
//! nothing outlives a run and nothing of it is left behind.
//!
//! Start with [`SandboxPlan`], then [`SandboxExecutor`] and, for the order of the steps on Linux,
//! the module `linux`.
#![allow(unsafe_code, reason = "the system calls that build a sandbox have no safe interface")]
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room that opens files and starts processes for a sandbox"
)]

#[cfg(target_os = "linux")]
pub mod aside;
#[cfg(target_os = "linux")]
pub mod attack;
mod error;
mod executor;
#[cfg(target_os = "linux")]
mod linux;
// The builders of the other systems' back ends are compiled and tested everywhere.
#[cfg_attr(
    not(target_os = "macos"),
    allow(dead_code, reason = "only tests use the builders of another system")
)]
mod macos;
mod plan;
mod probe;
mod program;
#[cfg(target_os = "linux")]
pub mod staging;
#[cfg_attr(
    not(any(windows, target_os = "macos")),
    allow(dead_code, reason = "only tests use the builders of another system")
)]
mod unverified;
#[cfg_attr(
    not(windows),
    allow(dead_code, reason = "only tests use the builders of another system")
)]
mod windows;

pub use error::SandboxError;
pub use executor::{
    Command, Descriptor, Enforcement, Exit, Killer, MadeProtected, Recorded, RecordingExecutor,
    Running, SandboxExecutor, StageDirs, Starting, Status, Stdio, forking_ahead,
};
#[cfg(target_os = "linux")]
pub use linux::{LinuxExecutor, PROXY_PORT, danger};
#[cfg(target_os = "macos")]
pub use macos::MacosExecutor;
pub use plan::{
    Access, Baseline, FileRule, Network, PlanContext, ProcessLimits, SandboxPlan, WriteMode,
};
pub use probe::{Feature, Probed, probe};
pub use program::Program;
pub use unverified::unverified_rules;
#[cfg(windows)]
pub use windows::WindowsExecutor;
