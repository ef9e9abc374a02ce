//! `exec` and `approvals` as whole commands: real programs in the real sandbox, as whoever runs the
//! tests and, when that is root, as an ordinary user too.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests run the built command on real files"
)]

#[path = "exec/approvals.rs"]
mod approvals;
#[path = "exec/changes.rs"]
mod changes;
#[path = "exec/common.rs"]
mod common;
#[path = "exec/interactive.rs"]
mod interactive;
#[path = "exec/network.rs"]
mod network;
#[path = "exec/programs.rs"]
mod programs;
#[path = "exec/pty.rs"]
mod pty;
#[path = "exec/session.rs"]
mod session;
#[path = "exec/swaps.rs"]
mod swaps;
#[path = "exec/terminal.rs"]
mod terminal;
#[path = "exec/watch.rs"]
mod watch;
