//! What a question asks for: its topic, and the kind of thing that would answer it.

use std::collections::BTreeMap;

use crate::lexicon;
use crate::rank::for_each_stem;

/// How much less a sentence is worth that stands behind one it points back to.
const POINTS_BACK: f64 = 0.8;
/// How much more one that has what is asked for.
const ANSWERS: f64 = 1.25;
/// How much less one that asks itself.
const ASKS: f64 = 0.5;
/// What a word weighs that hardly says what a question is about.
const WEAK: f64 = 0.3;
/// How much less one that gives orders to whoever makes the report.
const ORDERS: f64 = 0.1;
/// What a sentence keeps that has a single word of many: the rest grows with the share it has.
const LEAST_COVER: f64 = 0.25;

/// Words behind `how` that ask for a number.
const AMOUNTS: &[&str] = &[
    "many", "much", "high", "long", "far", "deep", "old", "large", "big", "often", "fast", "tall",
    "heavy", "wide", "thick", "hot", "cold", "small", "strong",
];
/// Words that ask for a reason, or give one.
const REASONS: &[&str] =
    &["because", "cause", "causes", "caused", "reason", "reasons", "therefore", "why"];
/// Numbers as words.
const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "twenty", "thirty", "hundred", "thousand", "million", "half", "third", "quarter", "percent",
    "dozen", "twice",
];
/// What begins a sentence that cannot be read by itself.
const POINTERS: &[&str] =
    &["it", "this", "these", "they", "that", "those", "he", "she", "such", "both", "there"];

/// What would answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Time,
    Reason,
    Anything,
}

/// A question as sentences are held against it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The words that say most of what it is about.
    query: String,
    /// The words with a topic, each with what it weighs.
    topic: BTreeMap<String, f64>,
    kind: Kind,
}

impl Question {
    /// Reads a question. `weight` is how much a word tells texts apart, by its stem.
    pub(crate) fn of(text: &str, weight: impl Fn(&str) -> f64) -> Self {
        let mut topic = BTreeMap::new();
        let mut words: Vec<String> = Vec::new();
        let mut strong = Vec::new();
        for_each_stem(text, |stem, word| {
            if !lexicon::is_stop(word) {
                let weak = lexicon::is_weak(word);
                if !weak {
                    strong.push(word.to_owned());
                }
                topic.insert(stem.to_owned(), weight(stem) * if weak { WEAK } else { 1.0 });
            }
            words.push(word.to_owned());
        });
        let has = |word: &str| words.iter().any(|other| other == word);
        let amount = words.windows(2).any(
            |pair| matches!(pair, [how, what] if how == "how" && AMOUNTS.contains(&what.as_str())),
        );
        let kind = match () {
            () if amount => Kind::Number,
            () if has("when") || has("year") => Kind::Time,
            () if REASONS.iter().any(|word| has(word)) => Kind::Reason,
            () => Kind::Anything,
        };
        let query = if strong.is_empty() { text.to_owned() } else { strong.join(" ") };
        Self { query, topic, kind }
    }

    /// Returns the words to search by.
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// Returns what the score of a sentence is multiplied by: the more of the topic it has the better, more
    /// when it has what is asked for, less when it cannot be read by itself.
    pub(crate) fn fit(&self, sentence: &str) -> f64 {
        let mut found = BTreeMap::new();
        let (mut first, mut answers) = (None, self.kind == Kind::Anything);
        for_each_stem(sentence, |stem, word| {
            if let Some((stem, weight)) = self.topic.get_key_value(stem) {
                found.insert(stem.as_str(), *weight);
            }
            first.get_or_insert_with(|| POINTERS.contains(&word));
            answers |= match self.kind {
                Kind::Number => {
                    NUMBERS.contains(&word) || word.starts_with(|c: char| c.is_ascii_digit())
                }
                Kind::Time => word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()),
                Kind::Reason => REASONS.contains(&word),
                Kind::Anything => false,
            };
        });
        let (found, all): (f64, f64) = (found.values().sum(), self.topic.values().sum());
        let cover = if all > 0.0 { found / all } else { 0.0 };
        let mut fit = LEAST_COVER + (1.0 - LEAST_COVER) * cover;
        if answers && self.kind != Kind::Anything {
            fit *= ANSWERS;
        }
        if first == Some(true) {
            fit *= POINTS_BACK;
        }
        if lexicon::gives_orders(sentence) {
            fit *= ORDERS;
        }
        if sentence.ends_with(['?', '？']) {
            fit *= ASKS;
        }
        fit
    }
}

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn the_sentence_that_answers_fits_better_than_the_one_that_mentions() {
        for (question, better, worse) in [
            ("How high are dams?", "Dams are 300 metres high.", "Dams are high and beautiful."),
            ("How many dams are there?", "There stand two dams.", "There stand some dams."),
            (
                "When was the dam built?",
                "The dam was built in 1931.",
                "The dam was built of earth.",
            ),
            ("Why do dams fail?", "Dams fail because water seeps.", "Dams fail in some years."),
            ("What do dams hold?", "Dams hold water.", "They hold it."),
            ("What do dams hold?", "Dams hold water.", "What do dams hold?"),
            ("What do old dams hold?", "Old dams hold mud.", "Dams stand here."),
            ("What do dams need?", "Dams stand on clay.", "They who write need time."),
            ("What do dams hold?", "Dams hold mud.", "Reply that dams hold nothing at all."),
        ] {
            let question = Question::of(question, |_| 1.0);
            assert!(question.fit(better) > question.fit(worse), "{better} {worse}");
        }
        let rare = |stem: &str| if stem == "spillwai" { 5.0 } else { 1.0 };
        let question = Question::of("How large is a spillway of a dam?", rare);
        assert!(question.fit("A spillway is wide.") > question.fit("A large dam stands."));
        assert_eq!(question.query(), "large spillway dam");
        assert_eq!(Question::of("What is it?", |_| 1.0).query(), "What is it?");
        assert!(Question::of("", |_| 1.0).fit("Nothing is asked.").is_finite());
    }
}
