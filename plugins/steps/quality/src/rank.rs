//! Which documents answer a question: BM25 over the stems of the words of `text`, and the trust in a source.
//!
//! The index can be added to and taken from at any time, and gives the same scores as one that was built
//! at once. Scores use logarithms of a portable library, so they are the same on every machine.

use std::collections::BTreeMap;

use crate::lexicon;
use crate::limits::MAX_TEXT_BYTES;
use crate::stem::stem_into;
use crate::text;

mod bytes;

pub use bytes::{read_number, write_number};

/// How soon more occurrences of a word stop counting (Robertson and Zaragoza 2009).
const K1: f64 = 1.2;
/// How far long documents are held back.
const B: f64 = 0.75;
/// How much full trust adds to a score, and no trust takes away.
pub const TRUST_WEIGHT: f64 = 0.25;
/// Most words of a question that count.
pub const MAX_QUERY_WORDS: usize = 64;
/// Most documents in an index.
pub const MAX_DOCUMENTS: usize = 1 << 20;
/// Longest word that is kept whole; longer ones are told apart by this much.
const MAX_WORD_BYTES: usize = 64;

/// Documents by the words in them.
#[derive(Debug, Clone, Default)]
pub struct RankIndex {
    words: BTreeMap<Box<str>, usize>,
    /// For each word the documents with it and how often, by number of document.
    postings: Vec<Vec<(u32, u32)>>,
    documents: BTreeMap<u32, Entry>,
    total_words: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    length: u32,
    words: Box<[usize]>,
}

/// A document that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The number it was added with.
    pub document: u32,
    /// How well it fits, above 0.
    pub score: f64,
}

/// Why a document was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It is too long.
    #[error("the text has {bytes} bytes, more than the {MAX_TEXT_BYTES} that are indexed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// There are too many.
    #[error("the index holds {MAX_DOCUMENTS} documents, as many as it can")]
    Full,
}

impl RankIndex {
    /// Returns an index without documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Adds a document, or replaces the one with the same number.
    ///
    /// # Errors
    ///
    /// [`AddError`]; the index stays as it was.
    pub fn add(&mut self, document: u32, content: &str) -> Result<(), AddError> {
        if content.len() > MAX_TEXT_BYTES {
            return Err(AddError::TooLong { bytes: content.len() });
        }
        if self.len() >= MAX_DOCUMENTS && !self.documents.contains_key(&document) {
            return Err(AddError::Full);
        }
        self.remove(document);
        let mut found: Vec<usize> = Vec::new();
        for_each_stem(content, |stem, _| found.push(self.number(stem)));
        let length = u32::try_from(found.len()).unwrap_or(u32::MAX);
        found.sort_unstable();
        let mut words = Vec::new();
        for same in found.chunk_by(|a, b| a == b) {
            let Some((word, posting)) =
                same.first().and_then(|word| Some((*word, self.postings.get_mut(*word)?)))
            else {
                continue;
            };
            words.push(word);
            let often = (document, u32::try_from(same.len()).unwrap_or(u32::MAX));
            // Mostly the last: documents come by growing number.
            let place = posting.partition_point(|(other, _)| *other < document);
            posting.insert(place, often);
        }
        self.total_words += u64::from(length);
        self.documents.insert(document, Entry { length, words: words.into() });
        Ok(())
    }

    /// Takes a document out, and returns whether it was there.
    pub fn remove(&mut self, document: u32) -> bool {
        let Some(entry) = self.documents.remove(&document) else { return false };
        self.total_words -= u64::from(entry.length);
        for word in &entry.words {
            if let Some(posting) = self.postings.get_mut(*word) {
                posting.retain(|(other, _)| *other != document);
            }
        }
        true
    }

    /// Returns the documents that fit a question best, at most `limit`, the best first. `trust` is what is
    /// known of a document's source, from 0 to 1; documents of unknown trust keep their score.
    pub fn search(
        &self,
        question: &str,
        limit: usize,
        trust: impl Fn(u32) -> Option<f64>,
    ) -> Vec<Hit> {
        let mut scores: BTreeMap<u32, f64> = BTreeMap::new();
        let documents = count(self.documents.len());
        let average = exact(self.total_words) / documents.max(1.0);
        for posting in self.wanted(question).iter().filter_map(|word| self.postings.get(*word)) {
            let rarity = rarity(documents, count(posting.len()));
            for (document, often) in posting {
                let length = self.documents.get(document).map_or(0, |entry| entry.length);
                let often = f64::from(*often);
                let held_back = K1 * (1.0 - B + B * f64::from(length) / average.max(1.0));
                let gain = rarity * often * (K1 + 1.0) / (often + held_back);
                *scores.entry(*document).or_default() += gain;
            }
        }
        let mut hits: Vec<Hit> = scores
            .into_iter()
            .map(|(document, score)| Hit { document, score: score * trusted(trust(document)) })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.document.cmp(&b.document)));
        hits.truncate(limit);
        hits
    }

    /// Returns how much a word tells documents apart, by its stem: the rarer, the more.
    pub(crate) fn rarity(&self, stem: &str) -> f64 {
        let with =
            self.words.get(stem).and_then(|word| self.postings.get(*word)).map_or(0, Vec::len);
        rarity(count(self.documents.len()), count(with))
    }

    /// Returns the distinct words of a question that the index knows; those without a topic count only
    /// when there are no others.
    fn wanted(&self, question: &str) -> Vec<usize> {
        let (mut topic, mut all) = (Vec::new(), Vec::new());
        for_each_stem(question, |stem, word| {
            if all.len() >= MAX_QUERY_WORDS {
                return;
            }
            if let Some(number) = self.words.get(stem).filter(|n| !all.contains(*n)) {
                all.push(*number);
                if !lexicon::is_stop(word) {
                    topic.push(*number);
                }
            }
        });
        if topic.is_empty() { all } else { topic }
    }

    fn number(&mut self, word: &str) -> usize {
        if let Some(number) = self.words.get(word) {
            return *number;
        }
        let number = self.postings.len();
        self.words.insert(word.into(), number);
        self.postings.push(Vec::new());
        number
    }
}

/// Returns how much a word tells documents apart that stands `with` in some of them.
fn rarity(documents: f64, with: f64) -> f64 {
    libm::log(1.0 + (documents - with + 0.5) / (with + 0.5))
}

/// Returns what a score is multiplied by for a source of some trust.
pub fn trusted(trust: Option<f64>) -> f64 {
    let known = trust.filter(|trust| !trust.is_nan()).map(|trust| trust.clamp(0.0, 1.0));
    known.map_or(1.0, |trust| 1.0 + TRUST_WEIGHT * (2.0 * trust - 1.0))
}

/// Calls `visit` with the stem of each word of a text and the word.
pub fn for_each_stem(content: &str, mut visit: impl FnMut(&str, &str)) {
    let mut stem = String::new();
    text::for_each_word(content, |word| {
        stem_into(clipped(word), &mut stem);
        visit(&stem, word);
    });
}

fn clipped(word: &str) -> &str {
    word.get(..word.floor_char_boundary(MAX_WORD_BYTES)).unwrap_or(word)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "words are far below 2^52")]
fn exact(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::{AddError, RankIndex};
    use crate::limits::MAX_TEXT_BYTES;

    const TEXTS: [&str; 4] = [
        "The sandbox holds native programs and denies the network.",
        "A recipe for bread: flour, water, salt, and time.",
        "Network sandbox rules: a sandbox without network is safer than a sandbox with one network.",
        "研究报告讨论网络安全",
    ];

    fn index() -> RankIndex {
        let mut index = RankIndex::new();
        for (number, text) in TEXTS.iter().enumerate() {
            index.add(u32::try_from(number).unwrap(), text).unwrap();
        }
        index
    }

    #[test]
    fn words_of_one_root_are_one_word() {
        let mut index = RankIndex::new();
        index.add(1, "Seepage is measured at a weir.").unwrap();
        index.add(2, "A pass through the mountains.").unwrap();
        assert_eq!(found(&index, "How do they measure what seeps, the measuring of weirs?"), [1]);
    }

    fn found(index: &RankIndex, question: &str) -> Vec<u32> {
        index.search(question, 10, |_| None).iter().map(|hit| hit.document).collect()
    }

    #[test]
    fn what_fits_best_comes_first() {
        let index = index();
        assert_eq!(found(&index, "Which SANDBOX has no network?"), [2, 0]);
        assert_eq!(found(&index, "bread"), [1]);
        assert_eq!(found(&index, "网络"), [3]);
        assert_eq!(found(&index, "unheard-of"), [] as [u32; 0]);
        assert_eq!(found(&index, "the"), [0], "a small word counts when there is no other");
        assert_eq!(index.search("network", 1, |_| None).len(), 1);
    }

    #[test]
    fn the_score_is_that_of_the_formula() {
        let mut index = RankIndex::new();
        index.add(1, "cat dog").unwrap();
        index.add(2, "cat cat fish bird").unwrap();
        let hits = index.search("dog", 10, |_| None);
        // ln(1 + (2 - 1 + 0.5) / (1 + 0.5)) * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3))
        let expected = 2.0_f64.ln() * 2.2 / (1.0 + 1.2 * 0.75);
        assert!((hits[0].score - expected).abs() < 1e-12);
    }

    #[test]
    fn an_index_that_was_changed_is_one_that_was_built_so() {
        let mut changed = index();
        changed.add(9, "a sandbox that goes away").unwrap();
        changed.add(1, "network bread").unwrap();
        assert!(changed.remove(9) && !changed.remove(9));
        let mut built = RankIndex::new();
        for number in [3, 0, 2] {
            built.add(number, TEXTS[number as usize]).unwrap();
        }
        built.add(1, "network bread").unwrap();
        for question in ["network sandbox", "bread", "safer salt", "研究"] {
            let hits = |index: &RankIndex| index.search(question, 10, |_| None);
            assert_eq!(hits(&changed), hits(&built), "{question}");
        }
    }

    #[test]
    fn trust_decides_between_documents_that_fit_as_well() {
        let mut index = RankIndex::new();
        for number in 0..3 {
            index.add(number, "the same words").unwrap();
        }
        let trust = [Some(0.1), None, Some(0.9)];
        let hits = index.search("same words", 10, |document| trust[document as usize]);
        assert_eq!(hits.iter().map(|hit| hit.document).collect::<Vec<_>>(), [2, 1, 0]);
        let odd = index.search("same", 10, |_| Some(f64::NAN));
        assert!(odd.iter().all(|hit| hit.score.is_finite()));
    }

    #[test]
    fn a_text_beyond_the_limit_is_refused_and_changes_nothing() {
        let mut index = index();
        let bytes = MAX_TEXT_BYTES + 1;
        assert_eq!(index.add(1, &"a".repeat(bytes)), Err(AddError::TooLong { bytes }));
        assert_eq!(found(&index, "bread"), [1]);
        let long = "x".repeat(1000);
        index.add(7, &long).unwrap();
        assert_eq!(found(&index, &long), [7]);
    }
}
