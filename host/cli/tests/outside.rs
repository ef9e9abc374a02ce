//! Outside servers: added, called, changed under our feet, and attacking.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests start programs and look at files"
)]

#[path = "outside/add.rs"]
mod add;
#[path = "outside/attacks.rs"]
mod attacks;
#[path = "outside/clients.rs"]
mod clients;
#[path = "outside/common.rs"]
mod common;
#[path = "outside/drift.rs"]
mod drift;
#[path = "outside/frozen.rs"]
mod frozen;
#[path = "outside/gateway.rs"]
mod gateway;
#[path = "outside/granted.rs"]
mod granted;
#[path = "outside/messages.rs"]
mod messages;
#[path = "outside/peers.rs"]
mod peers;
