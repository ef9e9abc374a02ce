//! Which sentences say most: those whose words are frequent in the texts, one after the other, so that
//! what was said already counts no more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use research_quality::sentence;
use research_quality::text::for_each_word;

use crate::sources::Source;

/// The shortest word that counts, in characters.
const MIN_WORD: usize = 4;
/// How many of the most frequent words a summary is measured by.
const TOP_WORDS: usize = 25;
/// The fewest words of a sentence worth quoting.
const MIN_WORDS: usize = 5;

/// A sentence with its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// Which text it is from.
    pub(crate) source: usize,
    /// Where in it, in bytes.
    pub(crate) place: Range<usize>,
    /// The line it begins in, from 1.
    pub(crate) line: usize,
    /// It, on one line.
    pub(crate) text: String,
}

/// A summary.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Its sentences, in the order of the texts.
    pub(crate) sentences: Vec<Sentence>,
    /// The share of the frequent words that it holds.
    pub(crate) coverage: f64,
}

/// Returns at most `most` sentences of the texts.
pub(crate) fn of(sources: &[Source], most: usize) -> Summary {
    let mut candidates = Vec::new();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (source, one) in sources.iter().enumerate() {
        for place in sentence::sentences(&one.text) {
            let Some(text) = one.text.get(place.clone()) else { continue };
            let (words, all) = words(text);
            for word in &words {
                *counts.entry(word.clone()).or_default() += 1;
            }
            if all >= MIN_WORDS && place.len() <= sentence::MAX_SENTENCE_BYTES && is_prose(text) {
                candidates.push((source, place, words));
            }
        }
    }
    let mut frequent: Vec<(&String, &u32)> = counts.iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let top: BTreeSet<String> =
        frequent.into_iter().take(TOP_WORDS).map(|(word, _)| word.clone()).collect();
    let mut chosen = Vec::new();
    let mut left = counts;
    while chosen.len() < most {
        let weight = |words: &BTreeSet<String>| {
            let sum: u32 = words.iter().filter_map(|word| left.get(word)).sum();
            // Long sentences hold more words: what counts is how much each word says.
            f64::from(sum) / f64::from(u32::try_from(words.len().max(8)).unwrap_or(u32::MAX))
        };
        let best = candidates
            .iter()
            .enumerate()
            .max_by(|a, b| weight(&a.1.2).total_cmp(&weight(&b.1.2)).then(b.0.cmp(&a.0)));
        let Some((place, _)) = best.filter(|(_, one)| weight(&one.2) > 0.0) else { break };
        let one = candidates.remove(place);
        for word in &one.2 {
            left.remove(word);
        }
        chosen.push(one);
    }
    chosen.sort_by_key(|one| (one.0, one.1.start));
    let held: BTreeSet<&String> = chosen.iter().flat_map(|one| &one.2).collect();
    let covered = top.iter().filter(|word| held.contains(word)).count();
    let share = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let coverage = if top.is_empty() { 0.0 } else { share(covered) / share(top.len()) };
    let sentence = |(source, place, _): (usize, Range<usize>, BTreeSet<String>)| {
        let text = &sources[source].text;
        let line = text[..place.start].matches('\n').count() + 1;
        let said = text[place.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
        Sentence { source, place, line, text: said }
    };
    Summary { sentences: chosen.into_iter().map(sentence).collect(), coverage }
}

/// Returns the words that count, in lower case, and the number of all.
fn words(text: &str) -> (BTreeSet<String>, usize) {
    let (mut found, mut all) = (BTreeSet::new(), 0);
    for_each_word(text, |word| {
        all += 1;
        if word.chars().count() >= MIN_WORD {
            found.insert(word.to_lowercase());
        }
    });
    (found, all)
}

/// Tells whether a sentence is prose rather than a row of a table or a line of code.
fn is_prose(text: &str) -> bool {
    let odd = text.chars().filter(|c| "|{}<>=;$#".contains(*c)).count();
    odd * 20 <= text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "a".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn every_sentence_is_one_of_the_text_at_its_place() {
        let text = "Dams hold back water for many towns.\n\nMost dams are old and dams need care \
                    every year.\nThe weather was fine on that day in spring.";
        let sources = [source(text)];
        let summary = of(&sources, 2);
        assert_eq!(summary.sentences.len(), 2);
        for one in &summary.sentences {
            let quoted = text[one.place.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(quoted, one.text);
        }
        assert_eq!(summary.sentences[0].line, 1);
        assert!(summary.coverage > 0.0 && summary.coverage <= 1.0);
    }

    #[test]
    fn what_was_said_already_is_not_said_again() {
        let twice = "Old dams need care every single year. Old dams need care every single year. \
                     Rivers carry sand and stones downhill.";
        let sources = [source(twice)];
        let said: Vec<_> = of(&sources, 2).sentences.into_iter().map(|one| one.text).collect();
        assert!(said[1].starts_with("Rivers"), "{said:?}");
    }

    #[test]
    fn an_empty_text_has_an_empty_summary() {
        let summary = of(&[source("")], 5);
        assert!(summary.sentences.is_empty() && summary.coverage.abs() < f64::EPSILON);
    }
}
