//! The verdict about two texts.

use super::align::common_words;
use super::fingerprint::{Fingerprint, Parts};

/// From this containment on, one text is a duplicate of the other.
pub const DUPLICATE: f64 = 0.9;
/// From this Jaccard similarity on, too.
pub const DUPLICATE_JACCARD: f64 = 0.8;
/// From this containment on, one text derives from the other.
pub const DERIVATIVE: f64 = 0.5;
/// The same for two texts of one host, whose pages share navigation and notices.
pub const DERIVATIVE_SAME_HOST: f64 = 0.7;
/// From this share of words in common order on, one text derives from the other, when the containment is
/// at least [`ALIGNED_CONTAINMENT`].
pub const ALIGNED: f64 = 0.7;
/// The least containment at which texts are aligned: far above what unrelated texts share.
pub const ALIGNED_CONTAINMENT: f64 = 0.15;

/// Where two texts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The same host.
    SameHost,
    /// Two hosts, or unknown.
    Apart,
}

/// What two texts are to each other, from strangers to twins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Independent texts.
    Distinct,
    /// One derives from the other: both stay, and they count as one independent source.
    Derivative,
    /// One holds nearly all of the other.
    Duplicate,
    /// The same text after normalisation.
    Exact,
}

/// What was measured of two texts, and the verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The verdict.
    pub verdict: Verdict,
    /// Shared shingles over those of the text with fewer.
    pub containment: f64,
    /// Shared shingles over all of both.
    pub jaccard: f64,
    /// Share of the shorter text's words in common order, where that was looked at.
    pub aligned: Option<f64>,
}

impl Comparison {
    pub(super) const DISTINCT: Self =
        Self { verdict: Verdict::Distinct, containment: 0.0, jaccard: 0.0, aligned: None };
    /// Two texts that are equal after normalisation.
    pub(super) const EXACT: Self =
        Self { verdict: Verdict::Exact, containment: 1.0, jaccard: 1.0, aligned: None };
}

/// Compares two texts.
pub fn compare(a: &Fingerprint, b: &Fingerprint, origin: Origin) -> Comparison {
    if a.exact() == b.exact() {
        return Comparison::EXACT;
    }
    if a.is_short() || b.is_short() {
        return Comparison::DISTINCT;
    }
    decide(a.into(), b.into(), shared(a.shingles(), b.shingles()), origin)
}

/// Decides about two texts that are not short and not equal, knowing how many shingles they share.
pub(super) fn decide(a: Parts<'_>, b: Parts<'_>, shared: usize, origin: Origin) -> Comparison {
    let (in_a, in_b) = (a.shingles.len(), b.shingles.len());
    let containment = ratio(shared, in_a.min(in_b));
    let jaccard = ratio(shared, in_a + in_b - shared);
    let derivative = match origin {
        Origin::Apart => DERIVATIVE,
        Origin::SameHost => DERIVATIVE_SAME_HOST,
    };
    let mut found = Comparison { verdict: Verdict::Distinct, containment, jaccard, aligned: None };
    if containment >= DUPLICATE || jaccard >= DUPLICATE_JACCARD {
        found.verdict = Verdict::Duplicate;
    } else if containment >= derivative {
        found.verdict = Verdict::Derivative;
    } else if origin == Origin::Apart && containment >= ALIGNED_CONTAINMENT {
        found.aligned = common_words(a, b).map(|(common, words)| ratio(common, words));
        if found.aligned.is_some_and(|aligned| aligned >= ALIGNED) {
            found.verdict = Verdict::Derivative;
        }
    }
    found
}

/// Returns how many elements two sorted lists share.
pub(super) fn shared(a: &[u32], b: &[u32]) -> usize {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = 0;
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let order = x.cmp(y);
        shared += usize::from(order.is_eq());
        if order.is_le() {
            a.next();
        }
        if order.is_ge() {
            b.next();
        }
    }
    shared
}

/// Returns `part / whole` for numbers below 2^32, which are exact as `f64`; 0 for an empty whole.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    let exact = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { exact(part) / exact(whole) }
}

#[cfg(test)]
pub(super) mod tests;
