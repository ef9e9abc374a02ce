//! Where the sources of a report come from: how much rests on one domain, and what is known of the trust
//! in each.
//!
//! [`domain`] turns an address into the domain somebody registered, [`lists`] reads and asks lists of
//! ratings, [`assess`] counts. Counting is done after near-duplicates are clustered: a cluster is one source.
//! What no list knows is `unknown`, a class of its own, and never counts as low.

pub mod assess;
pub mod domain;
pub mod lists;
mod own;
mod suffix;

pub use assess::{Report, Share, Source, Warning, assess};
pub use domain::{Address, Aliases};
pub use lists::{Class, Date, ListError, Rating, Score, TrustList};
