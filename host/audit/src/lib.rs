//! The log of what was decided and done: JSON Lines, each record chained to the one before by
//! SHA-256, with signed checkpoints in between.
//!
//! Many processes append to one file at once, under a lock; a full file is set aside and the chain
//! goes on in the next. Invariants: a record is whole or absent (a half-written one is dropped, and
//! the drop is itself recorded), nothing is written that names the user or the home directory
//! (targets are typed, see [`Target`]), and every text is free of control characters. The directory,
//! the file's name and the clock come from the caller.
//!
//! Start with [`AuditLog::open`], [`Entry::new`] and [`Verifier`].
#![forbid(unsafe_code)]

mod chain;
mod entry;
mod error;
mod export;
mod fault;
mod files;
mod filter;
mod follow;
mod kept;
mod key;
mod log;
mod names;
mod outcome;
mod own;
mod prune;
mod record;
mod tail;
mod target;
mod unended;
mod verify;

pub use entry::{Decision, Entry, Plugin};
pub use error::AuditError;
pub use export::{Format, Writer};
pub use fault::{Broken, Fault};
pub use files::{LogFiles, LogRecords};
pub use filter::Filter;
pub use follow::Follower;
pub use jiff::Timestamp;
pub use key::{ParseKeyError, PublicKey};
pub use log::{AuditLog, CHECKPOINT_EVERY, Durability, ROTATE_BYTES, Receipt};
pub use outcome::{Approval, How, Kept, Outcome, Usage};
pub use own::{Checkpoint, Continues, Pruned};
pub use record::Record;
pub use target::{Method, Target};
pub use unended::Unended;
pub use verify::{MAX_FAULTS, Records, Report, Summary, Verifier, verify};
