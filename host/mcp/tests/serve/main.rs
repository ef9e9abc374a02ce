//! A server over plain Rust functions, spoken to in raw lines: what the library behind it would let
//! through is sent byte by byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod calls;
mod common;
mod http;
mod http_attacks;
mod http_client;
mod lines;
mod lists;
