//! The room from outside: what is asked, what is kept, who may answer, and how each can be attacked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod broker;
mod common;
mod files;
mod request;
#[cfg(target_os = "linux")]
mod socket;
#[cfg(target_os = "linux")]
mod socket_attacks;
mod store;
mod store_at_once;
mod terminal;
#[cfg(target_os = "linux")]
mod tty;
