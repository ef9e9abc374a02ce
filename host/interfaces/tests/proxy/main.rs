//! A native program's requests through the proxy, against servers on this machine. Each refusal has
//! its twin: the same request goes through once the one protection it meets is taken away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod addresses;
mod framing;
mod life;
mod program;
mod requests;
#[path = "../http/support.rs"]
#[allow(dead_code, reason = "shared with the tests of guests' requests, which use all of it")]
mod support;
mod tunnels;
