//! `SimHash` (Charikar 2002): 64 bits in which similar texts differ little. A cheap first pass for
//! callers that cannot keep shingles; it misses excerpts, so no verdict here rests on it.

use super::fingerprint::Fingerprint;
use crate::hash::mix;

/// The distance, in bits, up to which two texts are worth comparing.
pub const SIMHASH_DISTANCE: u32 = 14;

/// Returns the `SimHash` of a text's shingles.
pub fn simhash(text: &Fingerprint) -> u64 {
    let mut votes = [0_i32; 64];
    for shingle in text.shingles() {
        let hash = mix(u64::from(*shingle));
        for (bit, vote) in votes.iter_mut().enumerate() {
            *vote += if hash >> bit & 1 == 1 { 1 } else { -1 };
        }
    }
    let set = votes.iter().enumerate().filter(|(_, vote)| **vote > 0);
    set.fold(0, |hash, (bit, _)| hash | 1 << bit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::super::compare::tests::words;
    use super::{Fingerprint, SIMHASH_DISTANCE, simhash};

    #[test]
    fn similar_texts_differ_in_few_bits_and_others_in_many() {
        let hash = |words: &[String]| simhash(&Fingerprint::of(&words.join(" ")).unwrap());
        let text = words(1, 300);
        let edited = [&text[..280], &words(2, 20)[..]].concat();
        assert!((hash(&text) ^ hash(&edited)).count_ones() <= SIMHASH_DISTANCE);
        assert!((hash(&text) ^ hash(&words(3, 300))).count_ones() > SIMHASH_DISTANCE);
        assert_eq!(hash(&[]), 0);
    }
}
