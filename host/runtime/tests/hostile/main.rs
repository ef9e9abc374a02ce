//! Every guest of `tests/guests` tries its one misdeed: with the protection on it is refused for the
//! stated reason, with that one protection off (a wider limit, a wider grant) the same bytes succeed.
//!
//! One binary, because each test binary links the engine. Start with [`common::check`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod agents;
mod ambient;
mod broken;
mod common;
#[cfg(target_os = "linux")]
mod exec;
mod files;
mod flow;
mod http;
mod kinds;
mod limits;
mod linking;
mod offered;
mod records;
mod server;
mod serving;
