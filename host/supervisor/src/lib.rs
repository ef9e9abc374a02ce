//! How agents run side by side without blocking, starving or out-spending each other.
//!
//! It knows nothing of WebAssembly: what runs is a future, and what it may reach is decided elsewhere.
//! Invariants: every queue is bounded, and full is an answer; nobody waits for a turn while holding one
//! that somebody it waits for needs; what a child spends its parents spend too, so that no number of
//! forks spends more than the first was given; a cancelled node never runs again, nor does anything
//! below it; a merge depends on the order of the plan alone, never on who ends first.
//!
//! Start with [`run_group`], then [`merge`] for what comes out of it.
#![forbid(unsafe_code)]

mod budget;
mod cancel;
mod error;
mod group;
mod mailbox;
mod merge;
mod outcome;
mod restart;
mod slots;

pub use budget::{Budget, Item, Purse, Spent};
pub use cancel::{Cancel, Phase, Why};
pub use error::SupervisorError;
pub use group::{GroupResult, Member, OnFailure, run_group};
pub use mailbox::{Mailbox, NotReceived, NotSent};
pub use merge::{AggregationConfig, Merged, Strategy, merge};
pub use outcome::{Artifact, Failure, Outcome, Part, Score, Stop};
pub use restart::Restart;
pub use slots::{NoSlot, Slot, Slots};
