//! The second witness: how many words of one text stand in the other in the same order.
//!
//! Replacing a fifth of the words at random destroys half of the shingles, but leaves four fifths of
//! the words where they were. Texts that share whole blocks keep their shingles, and unrelated texts
//! share only scattered small words. So a long common subsequence of words shows what shingles miss.
//! It is found bit-parallel (Hyyrö 2004): one step for 64 words of the shorter text.

use super::fingerprint::{Parts, shingles};
use crate::limits::MAX_ALIGNED_WORDS;

/// How much longer than the shorter text the part of the longer one is that it is aligned with.
const WINDOW: (usize, usize) = (4, 3);

/// Returns how many words of the shorter text stand in the longer one in the same order, with how many
/// words it has, or nothing for texts that are too long.
pub(super) fn common_words(a: Parts<'_>, b: Parts<'_>) -> Option<(usize, usize)> {
    let (short, long) = if a.words.len() <= b.words.len() { (a, b) } else { (b, a) };
    let length = short.words.len();
    if length > MAX_ALIGNED_WORDS {
        return None;
    }
    let window = best_window(long.words, short.shingles, length * WINDOW.0 / WINDOW.1);
    Some((longest_common(short.words, window), length))
}

/// Returns the stretch of `words` of a given length that has most of the wanted shingles.
fn best_window<'w>(words: &'w [u32], wanted: &[u32], length: usize) -> &'w [u32] {
    if words.len() <= length {
        return words;
    }
    let hits: Vec<bool> =
        shingles(words).map(|shingle| wanted.binary_search(&shingle).is_ok()).collect();
    let span = length.saturating_sub(2).max(1);
    let mut count = hits.iter().take(span).filter(|hit| **hit).count();
    let (mut best, mut start) = (count, 0);
    for (at, (leaves, enters)) in hits.iter().zip(hits.iter().skip(span)).enumerate() {
        count = count + usize::from(*enters) - usize::from(*leaves);
        if count > best {
            (best, start) = (count, at + 1);
        }
    }
    words.get(start..(start + length).min(words.len())).unwrap_or_default()
}

/// Returns the length of the longest common subsequence.
fn longest_common(short: &[u32], long: &[u32]) -> usize {
    let blocks = short.len().div_ceil(64);
    let places = Places::of(short, blocks);
    // A zero bit stands for a word of `short` at which the common length grows.
    let mut state = vec![u64::MAX; blocks];
    for word in long {
        let Some(mask) = places.mask(*word) else { continue };
        let mut carry = false;
        for (block, mask) in state.iter_mut().zip(mask.iter()) {
            let matched = *block & mask;
            let (sum, over) = block.overflowing_add(matched);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            carry = over || over_again;
            *block = sum | (*block - matched);
        }
    }
    let unused = blocks * 64 - short.len();
    let zeros: usize = state.iter().map(|block| block.count_zeros() as usize).sum();
    // The bits past the end have no word; adding can only carry through them, never clear them for good.
    let tail = state.last().map_or(0, |last| {
        let past = if unused == 0 { 0 } else { u64::MAX << (64 - unused) };
        (!last & past).count_ones() as usize
    });
    zeros - tail
}

/// Where each word of a text stands, as one bit for each place.
struct Places {
    words: Vec<u32>,
    masks: Vec<u64>,
    blocks: usize,
}

impl Places {
    fn of(text: &[u32], blocks: usize) -> Self {
        let mut words = text.to_vec();
        words.sort_unstable();
        words.dedup();
        let mut masks = vec![0_u64; words.len() * blocks];
        for (place, word) in text.iter().enumerate() {
            let Ok(row) = words.binary_search(word) else { continue };
            if let Some(mask) = masks.get_mut(row * blocks + place / 64) {
                *mask |= 1 << (place % 64);
            }
        }
        Self { words, masks, blocks }
    }

    fn mask(&self, word: u32) -> Option<&[u64]> {
        let row = self.words.binary_search(&word).ok()?;
        self.masks.get(row * self.blocks..(row + 1) * self.blocks)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

    use super::{best_window, longest_common};
    use crate::hash::mix;

    /// The textbook way, which needs a table of both lengths.
    fn textbook(a: &[u32], b: &[u32]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (at, y) in b.iter().enumerate() {
                let up = row[at + 1];
                row[at + 1] = if x == y { diagonal + 1 } else { up.max(row[at]) };
                diagonal = up;
            }
        }
        *row.last().unwrap()
    }

    #[test]
    fn the_fast_way_finds_what_the_textbook_finds() {
        for seed in 0..300_u64 {
            let word = |n: u64| mix(seed * 1000 + n) as u32 % (2 + seed as u32 % 40);
            let short: Vec<u32> = (0..seed % 150).map(word).collect();
            let long: Vec<u32> = (500..500 + seed % 190).map(word).collect();
            assert_eq!(longest_common(&short, &long), textbook(&short, &long), "{seed}");
        }
    }

    #[test]
    fn the_window_lies_where_the_shingles_are() {
        let words: Vec<u32> = (0..100).collect();
        let mut wanted: Vec<u32> = super::shingles(&words[60..80]).collect();
        wanted.sort_unstable();
        let window = best_window(&words, &wanted, 26);
        assert_eq!(window.len(), 26);
        assert!(window.contains(&60) && window.contains(&79), "{window:?}");
        assert_eq!(best_window(&words, &[], 1000).len(), 100);
    }
}
