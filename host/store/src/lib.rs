//! Keeps installed bundles and their receipts, and reads the lockfile of a workspace.
//!
//! One private directory of one user (beside it [`Servers`], the outside servers): `bundles/<digest>.rfz`, each named by what it holds, and
//! `receipts/<name>.toml`, each saying what a person agreed to. Invariants: whatever moment a process
//! dies at, what is there is what was before or what was to be; all writing happens under one lock
//! over all processes; a name belongs to the key it was first installed from; a lower version takes
//! the place of a higher one only when a person says so; nothing is read through a link, beyond a
//! limit, or from a place others can write to.
//!
//! What is kept here is not trusted: whoever opens a bundle verifies it anew, and compares it with
//! [`Installed::digest`]. Start with [`Store::install`] and [`Store::find`].
#![forbid(unsafe_code)]

mod admit;
mod error;
pub mod lockfile;
#[cfg(test)]
mod mutate;
mod place;
mod receipt;
mod servers;
mod source;
mod store;
mod toml_file;

pub use admit::{Candidate, Downgrade, Succession, Terms, admit};
pub use error::StoreError;
pub use lockfile::{LockError, Locked, Lockfile};
pub use receipt::{Asked, Installed, Receipt, Signer};
pub use servers::Servers;
pub use source::Source;
pub use store::{Store, Unused, Wanted};
