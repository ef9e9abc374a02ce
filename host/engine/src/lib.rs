//! Runs WebAssembly: one engine, a cache of compiled code, and the limits of each run.
//!
//! Invariants: every store made for a guest has a [`Limiter`], an epoch deadline and a host-call
//! counter ([`Engine::bound`]); compiled code is only mapped from files this user's host wrote
//! (see `cache`); the only `unsafe` block of the project's WebAssembly side is there.
//!
//! Start with [`Engine`]; [`Meter`] counts what a run uses; [`value`] turns JSON into WIT values.
#![deny(unsafe_code)]

mod cache;
mod config;
mod cpu;
mod engine;
mod error;
mod limiter;
mod meter;
pub mod value;

pub use cache::{AotCache, CacheStats, is_private};
pub use config::Allocation;
pub use engine::{Bounds, Engine, EngineOptions, Loaded, Source};
pub use error::EngineError;
pub use limiter::Limiter;
pub use meter::{LimitExceeded, Meter, WaitsForPerson};
