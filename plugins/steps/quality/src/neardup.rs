//! Near-duplicates: which texts say the same, and which texts are independent of each other.
//!
//! A [`Fingerprint`] holds what is compared of a text: the hash of its normal form, its words and
//! its *shingles* (hashes of three words in a row). [`compare`] decides about two texts; [`pairs`]
//! finds the related pairs of a set exactly; [`cluster`] groups a set and picks what stands for each
//! group; [`Index`] does the same for a collection that grows, with `MinHash` to find candidates.
//!
//! Nothing is deleted on a weak match: everything but an exact copy stays visible in its cluster.

mod align;
mod cluster;
mod compare;
mod fingerprint;
mod index;
mod minhash;
mod pairs;
mod simhash;

pub use cluster::{Cluster, Clusters, Document, cluster};
pub(crate) use compare::ratio;
pub use compare::{
    ALIGNED, ALIGNED_CONTAINMENT, Comparison, DERIVATIVE, DERIVATIVE_SAME_HOST, DUPLICATE,
    DUPLICATE_JACCARD, Origin, Verdict, compare,
};
pub use fingerprint::{Fingerprint, TextTooLong};
pub use index::{Found, Index, IndexFull};
pub use minhash::{BANDS, PERMUTATIONS, Signature};
pub use pairs::{Completeness, Pair, Pairs, SetTooLarge, pairs};
pub use simhash::{SIMHASH_DISTANCE, simhash};
