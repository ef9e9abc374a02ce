//! Requests of a guest, against servers on this machine. Each refusal has its twin: the same request
//! goes through once the one protection it meets is taken away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod addresses;
mod bodies;
mod requests;
mod secrets;
mod support;
