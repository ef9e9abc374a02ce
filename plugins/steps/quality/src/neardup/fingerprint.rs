//! What is kept of a text in order to compare it.

use crate::hash::{self, mix, upper};
use crate::limits::{MAX_TEXT_BYTES, MIN_WORDS};
use crate::text;

/// Why a text has no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text has {bytes} bytes, more than the {MAX_TEXT_BYTES} that are compared")]
pub struct TextTooLong {
    /// How long it is.
    pub bytes: usize,
}

/// What is compared of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    exact: [u8; 32],
    words: Vec<u32>,
    shingles: Vec<u32>,
}

impl Fingerprint {
    /// Takes the fingerprint of a text.
    ///
    /// # Errors
    ///
    /// [`TextTooLong`] above [`MAX_TEXT_BYTES`].
    pub fn of(text: &str) -> Result<Self, TextTooLong> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextTooLong { bytes: text.len() });
        }
        let mut words = Vec::with_capacity(text.len() / 6);
        text::for_each_word(text, |word| words.push(hash::word(word)));
        words.shrink_to_fit();
        let exact = hash::sha256(text::normalise(text).as_bytes());
        let mut shingles: Vec<u32> = shingles(&words).collect();
        shingles.sort_unstable();
        shingles.dedup();
        Ok(Self { exact, words, shingles })
    }

    /// Returns the SHA-256 of the normal form, which exact copies share.
    pub fn exact(&self) -> &[u8; 32] {
        &self.exact
    }

    /// Returns the hashes of the words, in order.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Returns the distinct shingles, sorted.
    pub fn shingles(&self) -> &[u32] {
        &self.shingles
    }

    /// Whether the text is too short for anything but an exact comparison.
    pub fn is_short(&self) -> bool {
        self.words.len() < MIN_WORDS
    }
}

/// What two texts that are not equal are compared by, wherever it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'f> {
    /// The hashes of the words, in order.
    pub(super) words: &'f [u32],
    /// The distinct shingles, sorted.
    pub(super) shingles: &'f [u32],
}

impl<'f> From<&'f Fingerprint> for Parts<'f> {
    fn from(text: &'f Fingerprint) -> Self {
        Self { words: &text.words, shingles: &text.shingles }
    }
}

/// Returns the hash of each three words in a row.
pub(super) fn shingles(words: &[u32]) -> impl Iterator<Item = u32> {
    words.windows(3).map(|three| {
        let fold = |hash: u64, word: &u32| {
            (hash.rotate_left(23) ^ u64::from(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        upper(mix(three.iter().fold(0, fold)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Fingerprint, TextTooLong};
    use crate::limits::MAX_TEXT_BYTES;

    #[test]
    fn a_text_longer_than_the_limit_is_refused() {
        let text = "a".repeat(MAX_TEXT_BYTES);
        assert_eq!(Fingerprint::of(&text).unwrap().words().len(), 1);
        let bytes = MAX_TEXT_BYTES + 1;
        assert_eq!(Fingerprint::of(&format!("{text}a")), Err(TextTooLong { bytes }));
    }

    #[test]
    fn the_order_of_words_counts_in_a_shingle() {
        let shingles = |text| Fingerprint::of(text).unwrap().shingles().to_vec();
        assert_eq!(shingles("a b c"), shingles("A, B; C!"));
        assert_ne!(shingles("a b c"), shingles("c b a"));
        assert_eq!(shingles("a b"), []);
        assert_eq!(shingles("a a a a a").len(), 1);
    }
}
