//! The log of what was decided and done: JSON Lines, each record chained to the one before by
//! SHA-256.
//!
//! Many processes append to one file at once, under a lock. Invariants: a record is whole or absent
//! (a half-written one is dropped, and the drop is itself recorded), nothing is written that names
//! the user or the home directory (targets are typed, see [`Target`]), and every text is free of
//! control characters. The directory, the file's name and the clock come from the caller.
//!
//! Start with [`AuditLog::open`], [`Entry::new`] and [`verify`].
#![forbid(unsafe_code)]

mod entry;
mod error;
mod log;
mod record;
mod verify;

pub use entry::{Decision, Entry, Plugin, Target};
pub use error::AuditError;
pub use jiff::Timestamp;
pub use log::{AuditLog, Durability, Receipt};
pub use record::Record;
pub use verify::{Broken, Fault, Filter, Records, Summary, verify};
