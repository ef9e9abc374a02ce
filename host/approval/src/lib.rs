//! Asks a person about exactly one action, and remembers the answer for no longer than they said.
//!
//! An action becomes a [`Request`]: canonical JSON whose SHA-256 is what a person approves and what
//! the audit log holds. A [`Broker`] looks for a kept answer in the [`Store`], asks an [`Approver`]
//! when there is none, and hands out [`Approved`], a proof that is used up by the action it is for.
//!
//! Invariants: every error is a denial; a denial that was kept wins over everything that was
//! allowed; an answer names the digest it answers, so that what was shown and what is done are the
//! same; a kept answer is counted before it is used, in one transaction over all processes; and the
//! clock going backwards revives nothing.
//!
//! Start with [`Draft`] and [`Broker::decide`]. Kept answers and waiting requests live in one private
//! directory, [`Place`].
#![forbid(unsafe_code)]

mod answer;
mod approver;
mod broker;
mod error;
mod place;
mod request;
#[cfg(target_os = "linux")]
pub mod socket;
mod store;
pub mod terminal;

pub use answer::{Answer, RunId};
pub use approver::{Approver, Channel, MAX_DETAIL, NoApprover, Prompt};
pub use broker::{Approved, Broker, Decision, Denied, Event, How, Redeemed};
pub use error::{ApprovalError, RequestError, StoreError};
pub use place::Place;
pub use request::{
    Action, Argument, Asker, Draft, Exec, Executable, MAX_REQUEST, Nonce, Request, ShortId,
};
pub use store::{
    Asked, By, Claim, Clock, Effect, Expected, Lease, LeaseId, LeaseState, Scope, Store,
};
