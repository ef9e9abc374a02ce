//! Sentences of independent sources that may contradict each other.
//!
//! Two sentences are candidates when they share most of their topic and differ in a number of the same
//! thing, in whether they deny, or in a word that excludes one of the other. A candidate is a place to look
//! at, not a verdict: the words alone do not show what is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::lexicon;
use crate::sentence::{MAX_SENTENCE_BYTES, sentences};
use crate::statement::Statement;

/// Most sentences that are compared.
pub const MAX_COMPARED: usize = 20_000;
/// Most candidates that are reported, the closest first.
pub const MAX_REPORTED: usize = 200;
/// The least share of the topic that both sentences have.
pub const MIN_OVERLAP: f64 = 0.6;
/// The least number of words of the topic that both have.
pub const MIN_SHARED: usize = 3;
/// A word in more sentences than this finds no candidates: it says too little.
const MAX_SENTENCES_OF_WORD: usize = 400;

/// A source that is looked through.
#[derive(Debug, Clone, Copy)]
pub struct Input<'t> {
    /// Its text.
    pub text: &'t str,
    /// The cluster it is in. Sentences of one cluster never contradict each other: they are one source.
    pub cluster: Option<u32>,
}

/// How two sentences differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Other numbers of the same thing.
    Numbers,
    /// One denies.
    Negation,
    /// A word of one excludes a word of the other.
    Opposites,
}

/// A sentence of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The place of the source in the input.
    pub source: usize,
    /// Where the sentence is in its text, in bytes.
    pub place: Range<usize>,
}

/// Two sentences that may contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The sentence of the earlier source.
    pub first: Side,
    /// The sentence of the later source.
    pub second: Side,
    /// How they differ.
    pub kind: Kind,
    /// The share of the topic that both have.
    pub overlap: f64,
    /// What differs, in a few words.
    pub detail: String,
}

/// The candidates of some sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The closest first.
    pub candidates: Vec<Candidate>,
    /// Whether sentences or candidates were left out because there are too many.
    pub truncated: bool,
}

/// Looks through sources.
pub fn contradictions(sources: &[Input<'_>]) -> Found {
    let (read, mut truncated) = read(sources);
    let mut with_word: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, sentence) in read.iter().enumerate() {
        for word in &sentence.statement.topic {
            with_word.entry(word).or_default().push(at);
        }
    }
    let mut candidates = Vec::new();
    for (at, later) in read.iter().enumerate() {
        let mut earlier = BTreeSet::new();
        for word in &later.statement.topic {
            let with = with_word.get(word.as_str()).map(Vec::as_slice).unwrap_or_default();
            if with.len() <= MAX_SENTENCES_OF_WORD {
                earlier.extend(with.iter().copied().take_while(|other| *other < at));
            }
        }
        for other in earlier.into_iter().filter_map(|other| read.get(other)) {
            let one_source = other.source == later.source
                || (other.cluster.is_some() && other.cluster == later.cluster);
            if !one_source && let Some(candidate) = differ(other, later) {
                candidates.push(candidate);
            }
        }
        if candidates.len() > 8 * MAX_REPORTED {
            truncated |= cut(&mut candidates);
        }
    }
    truncated |= cut(&mut candidates);
    Found { candidates, truncated }
}

/// A sentence that was read.
struct Read {
    source: usize,
    cluster: Option<u32>,
    place: Range<usize>,
    statement: Statement,
}

fn read(sources: &[Input<'_>]) -> (Vec<Read>, bool) {
    let mut read = Vec::new();
    for (source, input) in sources.iter().enumerate() {
        for place in sentences(input.text) {
            let sentence = input.text.get(place.clone()).unwrap_or_default();
            if sentence.len() > MAX_SENTENCE_BYTES {
                continue;
            }
            let statement = Statement::of(sentence);
            if statement.topic.len() >= MIN_SHARED {
                if read.len() == MAX_COMPARED {
                    return (read, true);
                }
                read.push(Read { source, cluster: input.cluster, place, statement });
            }
        }
    }
    (read, false)
}

/// Keeps the closest, and returns whether any went.
fn cut(candidates: &mut Vec<Candidate>) -> bool {
    let place = |side: &Side| (side.source, side.place.start);
    candidates.sort_by(|a, b| {
        let places = |c: &Candidate| (place(&c.first), place(&c.second));
        b.overlap.total_cmp(&a.overlap).then_with(|| places(a).cmp(&places(b)))
    });
    let many = candidates.len() > MAX_REPORTED;
    candidates.truncate(MAX_REPORTED);
    many
}

fn differ(first: &Read, second: &Read) -> Option<Candidate> {
    let (a, b) = (&first.statement, &second.statement);
    let (kind, detail, opposed) = difference(a, b)?;
    // Two words that exclude each other are one topic, said in two ways.
    let shared = a.shared(b) + usize::from(opposed);
    let overlap = a.overlap(b);
    let close = shared >= MIN_SHARED && (overlap >= MIN_OVERLAP || (opposed && overlap >= 0.5));
    let side = |read: &Read| Side { source: read.source, place: read.place.clone() };
    close.then(|| Candidate { first: side(first), second: side(second), kind, overlap, detail })
}

/// Returns how two statements differ, in words, and whether words exclude each other.
fn difference(a: &Statement, b: &Statement) -> Option<(Kind, String, bool)> {
    let opposites = a.topic.iter().find_map(|word| {
        let other = lexicon::opposite(word)?;
        let only = b.topic.contains(other) && !b.topic.contains(word) && !a.topic.contains(other);
        only.then(|| format!("`{word}` and `{other}`"))
    });
    match (opposites, a.denies == b.denies) {
        // Excluding words and a denial together say the same.
        (Some(_), false) => return None,
        (Some(detail), true) => return Some((Kind::Opposites, detail, true)),
        (None, false) => {
            let which = if a.denies { "the first" } else { "the second" };
            return Some((Kind::Negation, format!("only {which} denies"), false));
        }
        (None, true) => {}
    }
    let units: BTreeSet<&str> = a.numbers.iter().map(|(_, unit)| unit.as_str()).collect();
    units.into_iter().find_map(|unit| {
        let of = |statement: &Statement| -> BTreeSet<String> {
            let numbers = statement.numbers.iter().filter(|(_, other)| other == unit);
            numbers.map(|(number, _)| number.clone()).collect()
        };
        let (in_a, in_b) = (of(a), of(b));
        let apart = !in_b.is_empty() && !in_a.is_subset(&in_b) && !in_b.is_subset(&in_a);
        apart.then(|| {
            let list =
                |numbers: BTreeSet<String>| numbers.into_iter().collect::<Vec<_>>().join(", ");
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            (Kind::Numbers, format!("{}{unit} and {}{unit}", list(in_a), list(in_b)), false)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Input, Kind, MAX_REPORTED, contradictions};

    #[track_caller]
    fn check(a: &str, b: &str, expected: Option<(Kind, &str)>) {
        let sources = [a, b].map(|text| Input { text, cluster: None });
        let found = contradictions(&sources);
        let found: Vec<_> = found.candidates.iter().map(|c| (c.kind, c.detail.as_str())).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{a} / {b}");
    }

    #[test]
    fn a_difference_about_the_same_thing_is_a_candidate() {
        check(
            "The bridge across the river was opened in 1931.",
            "The bridge across the river opened in 1935, officials said.",
            Some((Kind::Numbers, "1931 and 1935")),
        );
        check(
            "The vaccine reduced hospital admissions by 40% in adults.",
            "Hospital admissions in adults were reduced by 12 percent by the vaccine.",
            Some((Kind::Numbers, "40 percent and 12 percent")),
        );
        check(
            "The library supports streaming uploads.",
            "The library does not support streaming uploads of files; supports batch uploads.",
            Some((Kind::Negation, "only the second denies")),
        );
        check(
            "Unemployment in the region increased last year.",
            "Last year unemployment in the region decreased.",
            Some((Kind::Opposites, "`increased` and `decreased`")),
        );
    }

    #[test]
    fn the_same_said_twice_and_different_things_are_none() {
        check(
            "The bridge over the river opened in 1931.",
            "In 1931 the bridge over the river opened.",
            None,
        );
        check(
            "The bridge over the river opened in 1931.",
            "The museum of art closed its doors in 1935.",
            None,
        );
        check("Prices increased in 3 cities.", "Prices did not decrease in cities.", None);
        check("The bridge is 300 m long and 40 years old.", "The old bridge is 300 m long.", None);
    }

    #[test]
    fn copies_do_not_contradict_each_other() {
        let texts = ["The dam holds 30 million litres.", "The dam holds 80 million litres."];
        let of = |clusters: [Option<u32>; 2]| {
            let sources = [0, 1].map(|at: usize| Input { text: texts[at], cluster: clusters[at] });
            contradictions(&sources).candidates.len()
        };
        assert_eq!((of([Some(1), Some(1)]), of([Some(1), Some(2)]), of([None, None])), (0, 1, 1));
        let own = "The dam holds 30 million litres. The dam holds 80 million litres.";
        assert_eq!(contradictions(&[Input { text: own, cluster: None }]).candidates.len(), 0);
    }

    #[test]
    fn each_side_is_a_place_in_its_text() {
        let texts = [
            "Intro. The dam holds 30 million litres.",
            "# Dam\n\nThe dam holds\n80 million litres.",
        ];
        let found = contradictions(&texts.map(|text| Input { text, cluster: None }));
        let candidate = &found.candidates[0];
        assert_eq!(&texts[0][candidate.first.place.clone()], "The dam holds 30 million litres.");
        assert_eq!(&texts[1][candidate.second.place.clone()], "The dam holds\n80 million litres.");
    }

    #[test]
    fn very_many_candidates_are_cut_and_that_is_said() {
        let text = |from: usize| -> String {
            let sentence = |n| format!("The dam at place holds {} litres. ", from + n);
            (0..60).map(sentence).collect::<Vec<_>>().concat()
        };
        let (a, b) = (text(1000), text(2000));
        let found = contradictions(&[&a, &b].map(|text| Input { text, cluster: None }));
        assert!(found.truncated);
        assert_eq!(found.candidates.len(), MAX_REPORTED);
    }
}
