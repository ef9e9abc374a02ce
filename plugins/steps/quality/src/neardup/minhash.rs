//! `MinHash` (Broder 1997) with bands (locality-sensitive hashing): which texts may share enough to be
//! worth comparing, without looking at all of them.

use super::fingerprint::Fingerprint;
use crate::hash::{mix, upper};

/// Numbers in a signature.
pub const PERMUTATIONS: usize = 128;
/// Bands of a signature: texts are candidates when one whole band agrees.
pub const BANDS: usize = 64;
/// Numbers in a band.
const ROWS: usize = PERMUTATIONS / BANDS;

/// Multiplier and addend of each permutation, from a fixed seed.
static FAMILY: [[u32; PERMUTATIONS]; 2] = family();

/// The least value of each permutation over the shingles of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u32; PERMUTATIONS]);

impl Signature {
    /// Signs a text, or nothing when it has no shingles.
    pub fn of(text: &Fingerprint) -> Option<Self> {
        let [multipliers, addends] = &FAMILY;
        let mut least = [u32::MAX; PERMUTATIONS];
        for shingle in text.shingles() {
            for ((least, a), b) in least.iter_mut().zip(multipliers).zip(addends) {
                // A shingle is well mixed already, so multiplying and adding is permutation enough.
                let value = shingle.wrapping_mul(*a).wrapping_add(*b);
                *least = (*least).min(value);
            }
        }
        (!text.shingles().is_empty()).then_some(Self(least))
    }

    /// Returns the key of each band.
    pub fn bands(&self) -> [u32; BANDS] {
        let mut keys = [0; BANDS];
        for (band, (key, rows)) in keys.iter_mut().zip(self.0.chunks_exact(ROWS)).enumerate() {
            let start = band as u64 + 1;
            *key = upper(rows.iter().fold(start, |hash, row| mix(hash << 32 ^ u64::from(*row))));
        }
        keys
    }

    /// Returns the estimated Jaccard similarity of two texts.
    pub fn similarity(&self, other: &Self) -> f64 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        super::compare::ratio(equal, PERMUTATIONS)
    }
}

const fn family() -> [[u32; PERMUTATIONS]; 2] {
    let mut family = [[0; PERMUTATIONS]; 2];
    let mut at = 0;
    while at < PERMUTATIONS {
        let drawn = mix(0x7269_6e67_6665_6e63 + at as u64);
        // Odd multipliers permute the words of 32 bits.
        family[0][at] = upper(drawn) | 1;
        family[1][at] = upper(mix(drawn));
        at += 1;
    }
    family
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::super::compare::tests::words;
    use super::{Fingerprint, Signature};

    #[test]
    fn the_estimate_is_close_to_the_similarity() {
        for shared in [0, 150, 300, 450, 600] {
            let text = words(1, 600);
            let other = [&text[..shared], &words(2, 600)[shared..]].concat();
            let print = |words: &[String]| Fingerprint::of(&words.join(" ")).unwrap();
            let (a, b) = (print(&text), print(&other));
            let exact = super::super::compare::compare(&a, &b, super::super::Origin::Apart).jaccard;
            let estimate = Signature::of(&a).unwrap().similarity(&Signature::of(&b).unwrap());
            // Three standard deviations of 128 draws.
            assert!((estimate - exact).abs() < 0.14, "{shared}: {estimate} for {exact}");
        }
        assert_eq!(Signature::of(&Fingerprint::of("a b").unwrap()), None);
    }
}
