//! The related pairs of a set, exactly: for each shingle, which texts have it.
//!
//! Of texts that are exact copies of each other only the first takes part; the others are paired
//! with it. The work is bounded: should the texts share so much that counting takes more than
//! [`MAX_PAIR_STEPS`], the commonest shingles are left out of the search (not of the comparison).

use super::compare::{ALIGNED_CONTAINMENT, Comparison, Origin, Verdict, decide, ratio, shared};
use super::fingerprint::Fingerprint;
use crate::limits::{MAX_PAIR_STEPS, MAX_SET_DOCUMENTS, MAX_SET_WORDS};

/// Two related texts of a set, by their places in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The place of the earlier text.
    pub first: usize,
    /// The place of the later text.
    pub second: usize,
    /// What they are to each other; never distinct.
    pub comparison: Comparison,
}

/// Whether every related pair was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Yes.
    Complete,
    /// Some pairs of texts that consist mostly of what a great many others have may be missing.
    Partial,
}

/// The related pairs of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// In the order of the second text, then of the first.
    pub pairs: Vec<Pair>,
    /// Whether these are all.
    pub completeness: Completeness,
}

/// Why a set was not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetTooLarge {
    /// Too many documents.
    #[error(
        "the set has {count} documents, more than the {MAX_SET_DOCUMENTS} of one set; use an index"
    )]
    Documents {
        /// How many there are.
        count: usize,
    },
    /// Too many words.
    #[error("the documents have {count} words together, more than the {MAX_SET_WORDS} of one set")]
    Words {
        /// How many there are.
        count: usize,
    },
}

/// Finds the related pairs of a set. `origin` says where two texts, given by their places, come from.
///
/// # Errors
///
/// [`SetTooLarge`] names the limit.
pub fn pairs(
    texts: &[Fingerprint],
    origin: impl Fn(usize, usize) -> Origin,
) -> Result<Pairs, SetTooLarge> {
    pairs_within(texts, origin, &LIMITS)
}

/// What bounds the work on one set.
struct Limits {
    documents: usize,
    words: usize,
    steps: u64,
}

const LIMITS: Limits =
    Limits { documents: MAX_SET_DOCUMENTS, words: MAX_SET_WORDS, steps: MAX_PAIR_STEPS };

fn pairs_within(
    texts: &[Fingerprint],
    origin: impl Fn(usize, usize) -> Origin,
    limits: &Limits,
) -> Result<Pairs, SetTooLarge> {
    if texts.len() > limits.documents {
        return Err(SetTooLarge::Documents { count: texts.len() });
    }
    let count = texts.iter().map(|text| text.words().len()).sum();
    if count > limits.words {
        return Err(SetTooLarge::Words { count });
    }
    let firsts = first_copies(texts);
    let postings = Postings::of(texts, &firsts, limits.steps);
    let mut pairs = Vec::new();
    let mut counts = vec![0_usize; texts.len()];
    for (place, text) in texts.iter().enumerate() {
        let first = firsts.get(place).copied().unwrap_or(place);
        if first != place {
            pairs.push(Pair { first, second: place, comparison: Comparison::EXACT });
            continue;
        }
        postings.count(place, &mut counts);
        for (other, count) in counts.iter_mut().enumerate().take(place) {
            let count = std::mem::take(count);
            let Some(before) = texts.get(other).filter(|_| count > 0) else { continue };
            let count =
                if postings.cut { shared(before.shingles(), text.shingles()) } else { count };
            let comparison = decide(before.into(), text.into(), count, origin(other, place));
            if comparison.verdict > Verdict::Distinct {
                pairs.push(Pair { first: other, second: place, comparison });
            }
        }
    }
    Ok(Pairs { pairs, completeness: postings.completeness(texts) })
}

/// Returns for each text the place of the first exact copy of it, itself included.
fn first_copies(texts: &[Fingerprint]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let exact = |place: &usize| texts.get(*place).map(Fingerprint::exact);
    order.sort_by_key(exact);
    let mut firsts = vec![0; texts.len()];
    for copies in order.chunk_by(|a, b| exact(a) == exact(b)) {
        for copy in copies {
            if let (Some(first), Some(head)) = (firsts.get_mut(*copy), copies.first()) {
                *first = *head;
            }
        }
    }
    firsts
}

/// For each shingle the texts that have it.
struct Postings {
    /// Places of texts, one stretch for each shingle, ascending.
    places: Vec<u32>,
    /// For each text the stretches it is in, as start and end.
    stretches: Vec<Vec<(u32, u32)>>,
    /// Whether stretches were left out.
    cut: bool,
}

impl Postings {
    fn of(texts: &[Fingerprint], firsts: &[usize], steps: u64) -> Self {
        let mut entries: Vec<(u32, u32)> = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            if firsts.get(place) == Some(&place) && !text.is_short() {
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                entries.extend(text.shingles().iter().map(|shingle| (*shingle, place)));
            }
        }
        entries.sort_unstable();
        let same = |a: &(u32, u32), b: &(u32, u32)| a.0 == b.0;
        let longest = longest_stretch(entries.chunk_by(same).map(<[_]>::len), steps);
        let mut stretches = vec![Vec::new(); texts.len()];
        let (mut start, mut cut) = (0, false);
        for stretch in entries.chunk_by(same) {
            let end = start + u32::try_from(stretch.len()).unwrap_or(u32::MAX);
            cut |= stretch.len() > longest;
            if (2..=longest).contains(&stretch.len()) {
                for (_, place) in stretch {
                    if let Some(of_text) = stretches.get_mut(*place as usize) {
                        of_text.push((start, end));
                    }
                }
            }
            start = end;
        }
        Self { places: entries.into_iter().map(|(_, place)| place).collect(), stretches, cut }
    }

    /// Adds to `counts` how many shingles the text at `place` shares with each text before it.
    fn count(&self, place: usize, counts: &mut [usize]) {
        for (start, end) in self.stretches.get(place).into_iter().flatten() {
            let places = self.places.get(*start as usize..*end as usize).unwrap_or_default();
            for other in places.iter().map(|other| *other as usize) {
                if other >= place {
                    break;
                }
                if let Some(count) = counts.get_mut(other) {
                    *count += 1;
                }
            }
        }
    }

    /// A pair is missed only when all that it shares was left out.
    fn completeness(&self, texts: &[Fingerprint]) -> Completeness {
        let single = |text: &Fingerprint, kept: usize| text.shingles().len().saturating_sub(kept);
        let doubtful = texts.iter().zip(&self.stretches).any(|(text, kept)| {
            let left_out = single(text, kept.len());
            ratio(left_out, text.shingles().len()) >= ALIGNED_CONTAINMENT
        });
        if self.cut && doubtful { Completeness::Partial } else { Completeness::Complete }
    }
}

/// Returns the greatest length of stretches that can all be counted within a number of steps.
fn longest_stretch(lengths: impl Iterator<Item = usize>, steps: u64) -> usize {
    let mut of_length = std::collections::BTreeMap::<usize, u64>::new();
    for length in lengths {
        *of_length.entry(length).or_default() += 1;
    }
    let mut left = steps;
    for (length, count) in &of_length {
        let each = (*length as u64) * (*length as u64) / 2;
        match left.checked_sub(each.saturating_mul(*count)) {
            Some(rest) => left = rest,
            None => return length - 1,
        }
    }
    usize::MAX
}

#[cfg(test)]
mod tests;
