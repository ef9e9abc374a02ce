//! From a question to searches: the question itself, its parts, and what a strategy adds.

use std::collections::BTreeSet;

use crate::lexicon;
use crate::text;

/// Longest question.
pub const MAX_QUESTION_BYTES: usize = 8 << 10;
/// Most searches of a plan.
pub const MAX_SEARCHES: usize = 32;
/// Most words of one search.
const MAX_WORDS: usize = 12;

/// How widely to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The question and its parts.
    Focused,
    /// Also what a complete answer has: evidence, limits, objections.
    Comprehensive,
    /// Also what lies beside the question.
    Exploratory,
}

/// One search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What to search for.
    pub query: String,
    /// Why.
    pub reason: String,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The question is too long.
    #[error("the question has more than {MAX_QUESTION_BYTES} bytes")]
    TooLong,
    /// The question has no words.
    #[error("the question has no words")]
    Empty,
}

const COMPREHENSIVE: &[(&str, &str)] = &[
    ("evidence data", "what the answer rests on"),
    ("limitations", "what the answer does not cover"),
    ("criticism", "who objects, and why"),
    ("comparison alternatives", "what else there is"),
    ("history", "how it came about"),
];
const EXPLORATORY: &[(&str, &str)] = &[
    ("overview", "what surrounds the question"),
    ("related", "what lies beside it"),
    ("trends", "where it is going"),
    ("examples", "where it is met in practice"),
    ("open questions", "what is not known"),
];

/// Makes a plan of at most `breadth` searches, the most direct first.
///
/// # Errors
///
/// [`PlanError`] when the question is too long or has no words.
pub fn plan(question: &str, strategy: Strategy, breadth: usize) -> Result<Vec<Search>, PlanError> {
    if question.len() > MAX_QUESTION_BYTES {
        return Err(PlanError::TooLong);
    }
    let topic = topic(question);
    if topic.is_empty() {
        return Err(PlanError::Empty);
    }
    let mut searches = vec![(topic.clone(), "the question".to_owned())];
    for phrase in quoted(question) {
        searches
            .push((format!("\"{phrase}\""), "a phrase of the question, as it stands".to_owned()));
    }
    for part in parts(question) {
        searches.push((part, "a part of the question".to_owned()));
    }
    let facets: &[(&str, &str)] = match strategy {
        Strategy::Focused => &[],
        Strategy::Comprehensive => COMPREHENSIVE,
        Strategy::Exploratory => EXPLORATORY,
    };
    searches
        .extend(facets.iter().map(|(more, why)| (format!("{topic} {more}"), (*why).to_owned())));
    let mut seen = BTreeSet::new();
    searches.retain(|(query, _)| seen.insert(query.clone()));
    searches.truncate(breadth.clamp(1, MAX_SEARCHES));
    Ok(searches.into_iter().map(|(query, reason)| Search { query, reason }).collect())
}

/// Returns the words of a text that have a topic, or all words when none has.
fn topic(text: &str) -> String {
    let (mut topic, mut all) = (Vec::new(), Vec::new());
    text::for_each_word(text, |word| {
        let list = if lexicon::is_stop(word) { &mut all } else { &mut topic };
        if list.len() < MAX_WORDS {
            list.push(word.to_owned());
        }
    });
    joined(if topic.is_empty() { &all } else { &topic })
}

/// Writes words one behind the other, ideographs without spaces between them.
fn joined(words: &[String]) -> String {
    let single = |word: &str| !word.is_ascii() && word.chars().count() == 1;
    let mut text = String::new();
    let mut before = "";
    for word in words {
        let together = single(before) && single(word);
        if !text.is_empty() && !together {
            text.push(' ');
        }
        text.push_str(word);
        before = word;
    }
    text
}

/// Returns what stands in quotation marks, two words at least.
fn quoted(question: &str) -> Vec<String> {
    let question = question.replace(['“', '”', '„', '«', '»'], "\"");
    let inside = question.split('"').skip(1).step_by(2).take(4);
    let normal = inside.map(text::normalise).filter(|phrase| phrase.contains(' '));
    normal.filter(|phrase| phrase.split(' ').count() <= MAX_WORDS).collect()
}

/// Returns the topics of the parts of a question that asks several things.
fn parts(question: &str) -> Vec<String> {
    let lower = question.to_lowercase();
    let parts: Vec<String> = lower
        .split(['?', ';', '.', '？', '。'])
        .flat_map(|part| part.split(", and "))
        .flat_map(|part| part.split(" and "))
        .flat_map(|part| part.split(" versus "))
        .map(topic)
        .filter(|part| part.contains(' '))
        .take(8)
        .collect();
    if parts.len() > 1 { parts } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{MAX_QUESTION_BYTES, PlanError, Strategy, plan};

    fn queries(question: &str, strategy: Strategy, breadth: usize) -> Vec<String> {
        plan(question, strategy, breadth).unwrap().into_iter().map(|search| search.query).collect()
    }

    #[test]
    fn a_plan_holds_the_question_its_parts_and_what_the_strategy_adds() {
        let question = "What is the “memory model” of Rust, and how does Go schedule goroutines?";
        assert_eq!(
            queries(question, Strategy::Focused, 10),
            [
                "memory model rust go schedule goroutines",
                "\"memory model\"",
                "memory model rust",
                "go schedule goroutines",
            ]
        );
        let found = queries("solar panels", Strategy::Comprehensive, 4);
        let facets = ["", " evidence data", " limitations", " criticism"];
        assert_eq!(found, facets.map(|more| format!("solar panels{more}")));
        assert_eq!(queries("What is it?", Strategy::Focused, 9), ["what is it"]);
        assert_eq!(queries("solar panels", Strategy::Exploratory, 0).len(), 1);
        assert_eq!(queries("研究", Strategy::Focused, 9), ["研究"]);
    }

    #[test]
    fn a_question_without_words_or_end_is_refused() {
        assert_eq!(plan(" ?! ", Strategy::Focused, 3), Err(PlanError::Empty));
        let long = "a".repeat(MAX_QUESTION_BYTES + 1);
        assert_eq!(plan(&long, Strategy::Focused, 3), Err(PlanError::TooLong));
        assert!(plan(&"\" and ? ".repeat(900), Strategy::Exploratory, 99).is_ok());
    }
}
