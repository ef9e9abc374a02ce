//! The escape battery as tests: every attack in every room, as root and as an ordinary user, each
//! beside the twin that succeeds; features of the kernel taken away one by one; hosts that die.
//!
//! `attacks` has one test for each attack and checks that none is forgotten; `elsewhere` names the
//! tests that hold the rows of the list which other rooms own.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests start programs and look at files"
)]

mod attacks;
mod elsewhere;
mod ends;
mod features;
mod trust;
mod user;
