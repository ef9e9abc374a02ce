//! A report made of sentences of the sources, each with the places it stands in.
//!
//! Sentences are chosen by what they have in common with the question (BM25 over sentences, rarer words
//! count more), how much of it they have and whether they have what is asked for, how far their source as a
//! whole is about it (BM25 over sources, as a share of the best), the trust in their source and how many
//! independent sources say the same; what is chosen must say something new. A sentence that gives orders to
//! whoever makes the report is worth a tenth. Nothing is rewritten, so every sentence can be looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::cite::{Citation, Stored};
use crate::question::Question;
use crate::rank::{RankIndex, trusted};
use crate::sentence::{MAX_SENTENCE_BYTES, sentences};
use crate::statement::Statement;

/// Most sentences of a report.
pub const MAX_STATEMENTS: usize = 200;
/// Most sentences of all sources together that are considered.
pub const MAX_CONSIDERED: usize = 50_000;
/// Most sentences of one independent source in a report, as a share of all.
const MAX_SHARE: (usize, usize) = (1, 3);
/// From this share of its topic on, a sentence says what another says.
const SAME: f64 = 0.8;
/// How much one more independent source that says the same adds.
const SUPPORT_WEIGHT: f64 = 0.2;
/// Support beyond this many sources adds no more.
const MAX_SUPPORT: usize = 5;
/// Sentences with fewer words of topic say too little by themselves.
const MIN_TOPIC: usize = 4;

/// A source to make a report of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'t> {
    /// What citations call it, and its text.
    pub stored: Stored<'t>,
    /// The cluster it is in: one cluster is one independent source.
    pub cluster: Option<u32>,
    /// How far it is trusted, from 0 to 1.
    pub trust: Option<f64>,
}

/// A sentence of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// The sentence, its white space collapsed.
    pub text: String,
    /// Where it stands, and then where other independent sources say the same.
    pub citations: Vec<Citation>,
    /// How many independent sources say it.
    pub support: usize,
    /// How well it fits the question.
    pub score: f64,
}

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Synthesis {
    /// The sentences, in the order of the sources and of the text.
    pub statements: Vec<Stated>,
    /// Whether sentences were not considered because there are too many.
    pub truncated: bool,
}

/// Makes a report of at most `limit` sentences.
pub fn synthesise(question: &str, sources: &[Input<'_>], limit: usize) -> Synthesis {
    let (considered, truncated) = consider(sources);
    let mut index = RankIndex::new();
    for (number, sentence) in (0..).zip(&considered) {
        // A sentence is never longer than a document may be, and there are never too many.
        let _ = index.add(number, sentence.text);
    }
    let limit = limit.min(MAX_STATEMENTS);
    let about = About::of(question, sources);
    let hits = index.search(about.question.query(), considered.len(), |_| None);
    let mut same = Same::of(&considered);
    let mut scored: Vec<(f64, usize, Vec<usize>)> = hits
        .iter()
        .take(limit.saturating_mul(10).max(50))
        .filter_map(|hit| {
            let at = usize::try_from(hit.document).ok()?;
            let sentence = considered.get(at)?;
            let others = same.independent(at);
            let support = f64::from(u32::try_from(others.len().min(MAX_SUPPORT)).unwrap_or(0));
            let trust = sources.get(sentence.source).and_then(|source| source.trust);
            let fit = about.question.fit(sentence.text) * about.share(sentence.source);
            let score = hit.score * fit * trusted(trust);
            Some((score * (1.0 + SUPPORT_WEIGHT * support), at, others))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut chosen = choose(&considered, scored, limit);
    chosen.sort_by_key(|(_, at, _)| *at);
    let state = |(score, at, others): (f64, usize, Vec<usize>)| {
        let sentence = considered.get(at)?;
        let cite = |at: usize| {
            let sentence = considered.get(at)?;
            Citation::of(&sources.get(sentence.source)?.stored, sentence.place.clone())
        };
        let support = 1 + others.len();
        let citations =
            [at].into_iter().chain(others.into_iter().take(MAX_SUPPORT)).filter_map(cite);
        let text = sentence.text.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Stated { text, citations: citations.collect(), support, score })
    };
    Synthesis { statements: chosen.into_iter().filter_map(state).collect(), truncated }
}

/// How far each source is about the question, as a whole.
struct About {
    question: Question,
    /// The share each has of the score of the best.
    shares: BTreeMap<u32, f64>,
}

impl About {
    fn of(question: &str, sources: &[Input<'_>]) -> Self {
        let mut index = RankIndex::new();
        for (number, source) in (0..).zip(sources) {
            // A source that is too long for an index is refused before.
            let _ = index.add(number, source.stored.text);
        }
        let question = Question::of(question, |stem| index.rarity(stem));
        let hits = index.search(question.query(), sources.len(), |_| None);
        let best = hits.first().map_or(1.0, |hit| hit.score);
        let shares = hits.iter().map(|hit| (hit.document, hit.score / best)).collect();
        Self { question, shares }
    }

    fn share(&self, source: usize) -> f64 {
        let share = u32::try_from(source).ok().and_then(|source| self.shares.get(&source));
        share.copied().unwrap_or(0.0)
    }
}

/// A sentence that may be chosen.
struct Considered<'t> {
    source: usize,
    /// Which independent source it is of.
    voice: usize,
    place: Range<usize>,
    text: &'t str,
    statement: Statement,
}

fn consider<'t>(sources: &[Input<'t>]) -> (Vec<Considered<'t>>, bool) {
    let mut considered = Vec::new();
    let mut voices: BTreeMap<u32, usize> = BTreeMap::new();
    for (source, input) in sources.iter().enumerate() {
        let voice =
            input.cluster.map_or(source, |cluster| *voices.entry(cluster).or_insert(source));
        for place in sentences(input.stored.text) {
            let Some(text) = input.stored.text.get(place.clone()) else { continue };
            // A heading or a caption has no end.
            let ends = text.ends_with(['.', '!', '?', '。', '！', '？', '"', '”', '」', ')']);
            if text.len() > MAX_SENTENCE_BYTES || !ends {
                continue;
            }
            let statement = Statement::of(text);
            if statement.topic.len() < MIN_TOPIC {
                continue;
            }
            if considered.len() == MAX_CONSIDERED {
                return (considered, true);
            }
            considered.push(Considered { source, voice, place, text, statement });
        }
    }
    (considered, false)
}

/// Takes the best sentences that say something new, and no more than a share of one source.
fn choose(
    considered: &[Considered<'_>],
    scored: Vec<(f64, usize, Vec<usize>)>,
    limit: usize,
) -> Vec<(f64, usize, Vec<usize>)> {
    let mut of_voice: BTreeMap<usize, usize> = BTreeMap::new();
    let most = (limit * MAX_SHARE.0 / MAX_SHARE.1).max(2);
    let mut chosen: Vec<(f64, usize, Vec<usize>)> = Vec::new();
    for candidate in scored {
        let Some(sentence) = considered.get(candidate.1) else { continue };
        if chosen.len() == limit {
            break;
        }
        let said = chosen
            .iter()
            .filter_map(|(_, at, _)| considered.get(*at))
            .any(|other| says_the_same(&sentence.statement, &other.statement));
        let count = of_voice.entry(sentence.voice).or_default();
        if !said && *count < most {
            *count += 1;
            chosen.push(candidate);
        }
    }
    chosen
}

/// Whether two sentences have the same topic, numbers and direction.
fn says_the_same(a: &Statement, b: &Statement) -> bool {
    a.denies == b.denies && a.overlap(b) >= SAME && {
        let numbers =
            |s: &Statement| s.numbers.iter().map(|(n, _)| n.clone()).collect::<BTreeSet<_>>();
        numbers(a) == numbers(b)
    }
}

/// Finds the sentences that say the same by their rarest words.
struct Same<'c, 't> {
    considered: &'c [Considered<'t>],
    with_word: BTreeMap<&'c str, Vec<usize>>,
}

impl<'c, 't> Same<'c, 't> {
    /// A word in more sentences than this finds nothing.
    const MOST: usize = 400;

    fn of(considered: &'c [Considered<'t>]) -> Self {
        let mut with_word: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, sentence) in considered.iter().enumerate() {
            for word in &sentence.statement.topic {
                let with = with_word.entry(word).or_default();
                if with.len() <= Self::MOST {
                    with.push(at);
                }
            }
        }
        Self { considered, with_word }
    }

    /// Returns the first sentence of each other independent source that says what one sentence says.
    fn independent(&mut self, at: usize) -> Vec<usize> {
        let Some(sentence) = self.considered.get(at) else { return Vec::new() };
        let words = sentence.statement.topic.iter();
        let near: BTreeSet<usize> = words
            .filter_map(|word| self.with_word.get(word.as_str()))
            .filter(|with| with.len() <= Self::MOST)
            .flatten()
            .copied()
            .collect();
        let mut voices = BTreeSet::from([sentence.voice]);
        let says = |other: &usize| {
            let other = self.considered.get(*other)?;
            says_the_same(&sentence.statement, &other.statement).then_some(other.voice)
        };
        near.into_iter()
            .filter(|other| says(other).is_some_and(|voice| voices.insert(voice)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
