//! What is installed: by whom it was agreed to, what an update may change, and what is refused. Each
//! refusal is met again without its reason, and then it happens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::disallowed_methods,
    reason = "tests run the built command on real files"
)]

#[path = "store/common.rs"]
mod common;
#[path = "store/install.rs"]
mod install;
#[path = "cli/live.rs"]
mod live;
#[path = "store/lock.rs"]
mod lock;
#[path = "store/many.rs"]
mod many;
#[path = "store/named.rs"]
mod named;
#[cfg(unix)]
#[path = "exec/pty.rs"]
mod pty;
#[path = "store/served.rs"]
mod served;
#[cfg(unix)]
#[path = "exec/session.rs"]
mod session;
#[cfg(unix)]
#[path = "store/terminal.rs"]
mod terminal;
#[path = "store/update.rs"]
mod update;
