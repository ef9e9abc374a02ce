//! Every test runs a real overlay where the kernel lets an ordinary process mount one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests make and read real files and start real programs"
)]

mod commit;
mod crash;
mod hostile;
mod property;
mod support;
mod undo;
