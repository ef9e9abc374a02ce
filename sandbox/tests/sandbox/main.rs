//! Real programs in the real sandbox, each attack beside its twin that succeeds once the one
//! protection is left out.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "some attacks are system calls of the host")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests start programs and look at files"
)]

mod ends;
mod files;
mod kernel;
mod missing;
mod network;
mod runs;
mod setup;
mod staged;
mod terminals;
