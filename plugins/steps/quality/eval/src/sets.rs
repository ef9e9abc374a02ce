//! The labelled sets: texts with the group each belongs to.

use std::collections::BTreeSet;

use research_quality::text;
use serde::{Deserialize, Serialize};

use crate::mutate::{Mutation, SPACED, UNSPACED};
use crate::random::Random;

/// Seed of every generated set.
const SEED: u64 = 20_261_128;
/// Shortest original, in words, so that two fifths of it are still compared.
const MIN_ORIGINAL_WORDS: usize = 150;

/// One text of a set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Labelled {
    /// Its name.
    pub id: String,
    /// Texts of one group are copies of each other.
    #[serde(default)]
    pub group: String,
    /// How it was made from the original.
    #[serde(default)]
    pub kind: String,
    /// The text.
    pub text: String,
}

/// A labelled set.
#[derive(Debug, Clone)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// Its texts.
    pub texts: Vec<Labelled>,
}

/// Why a file of texts cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no text with an `id` and a `text`")]
pub struct BadLine {
    /// The line, from 1.
    pub line: usize,
    #[source]
    source: serde_json::Error,
}

/// Reads texts, one JSON object in each line.
///
/// # Errors
///
/// [`BadLine`] names the first line that is none.
pub fn read(lines: &str) -> Result<Vec<Labelled>, BadLine> {
    let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read =
        |(at, line)| serde_json::from_str(line).map_err(|source| BadLine { line: at + 1, source });
    lines.map(read).collect()
}

/// Returns the sets made from what is part of the project.
///
/// # Errors
///
/// [`BadLine`] when one of the files was damaged.
pub fn own() -> Result<Vec<Set>, BadLine> {
    let english = read(include_str!("../data/english.jsonl"))?;
    let chinese = read(include_str!("../data/chinese.jsonl"))?;
    let japanese = read(include_str!("../data/japanese.jsonl"))?;
    Ok(vec![
        syndication("syndication", &english),
        mutated("chinese", &chinese, &UNSPACED, &characters(&chinese)),
        mutated("japanese", &japanese, &UNSPACED, &characters(&japanese)),
        crate::templates::set(),
    ])
}

/// Makes a set of originals with ten changes of each. Originals that are too short, or that share half of
/// their vocabulary with an earlier one and so may well be a copy of it, are left out.
pub fn syndication(name: &'static str, originals: &[Labelled]) -> Set {
    let mut kept: Vec<Labelled> = Vec::new();
    let mut vocabularies: Vec<BTreeSet<String>> = Vec::new();
    for original in originals {
        let vocabulary = vocabulary(&original.text);
        let close = |other: &BTreeSet<String>| {
            2 * vocabulary.intersection(other).count() >= vocabulary.len().min(other.len())
        };
        let long = text::count_words(&original.text) >= MIN_ORIGINAL_WORDS;
        if long && !vocabularies.iter().any(close) {
            vocabularies.push(vocabulary);
            kept.push(original.clone());
        }
    }
    let all: BTreeSet<String> = vocabularies.into_iter().flatten().collect();
    mutated(name, &kept, &SPACED, &all.into_iter().collect::<Vec<_>>())
}

/// Makes a set of texts that have nothing to do with each other.
pub fn apart(name: &'static str, texts: Vec<Labelled>) -> Set {
    let alone = |text: Labelled| Labelled { group: text.id.clone(), ..text };
    Set { name, texts: texts.into_iter().map(alone).collect() }
}

fn mutated(
    name: &'static str,
    originals: &[Labelled],
    mutations: &[Mutation],
    words: &[String],
) -> Set {
    let mut texts = Vec::new();
    for original in originals {
        let made = |kind: &str, text: String| Labelled {
            id: format!("{}/{kind}", original.id),
            group: original.id.clone(),
            kind: kind.to_owned(),
            text,
        };
        texts.push(made("original", original.text.clone()));
        for (kind, change) in mutations {
            let mut random = Random::new(SEED, &format!("{name}/{}/{kind}", original.id));
            texts.push(made(kind, change(&original.text, words, &mut random)));
        }
    }
    Set { name, texts }
}

fn vocabulary(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    text::for_each_word(text, |word| {
        words.insert(word.to_owned());
    });
    words
}

fn characters(texts: &[Labelled]) -> Vec<String> {
    let all: BTreeSet<char> =
        texts.iter().flat_map(|text| text.text.chars()).filter(|c| c.is_alphanumeric()).collect();
    all.into_iter().map(String::from).collect()
}
