//! What a sentence says, as far as words show it: its topic, its numbers, whether it denies.

use std::collections::BTreeSet;

use crate::lexicon;
use crate::neardup::ratio;
use crate::text;

/// The parts of a sentence that are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Words with a topic.
    pub(crate) topic: BTreeSet<String>,
    /// Numbers with what they count: the word behind them, `%`, or nothing.
    pub(crate) numbers: BTreeSet<(String, String)>,
    /// Whether an odd number of words deny.
    pub(crate) denies: bool,
}

impl Statement {
    /// Reads a sentence.
    pub(crate) fn of(sentence: &str) -> Self {
        let mut found = Self::default();
        // A sign that belongs to a number is no word, so it is written as one.
        let written =
            sentence.replace('%', " percent ").replace('€', " euro ").replace('$', " dollar ");
        // What a number counts stands in the same clause.
        for clause in written.split([';', '(', ')']).flat_map(|part| part.split(", ")) {
            found.read_clause(clause);
        }
        found
    }

    fn read_clause(&mut self, clause: &str) {
        let mut pending: Option<String> = None;
        text::for_each_word(clause, |word| {
            if let Some(number) = pending.take() {
                let unit = if is_number(word) || lexicon::is_stop(word) { "" } else { word };
                self.numbers.insert((number, singular(unit)));
            }
            if is_number(word) {
                pending = Some(word.replace(',', ""));
            } else if lexicon::is_negation(word) {
                self.denies = !self.denies;
            } else if !lexicon::is_stop(word) {
                self.topic.insert(singular(word));
            }
        });
        if let Some(number) = pending {
            self.numbers.insert((number, String::new()));
        }
    }

    /// Returns the share of the words of the one with fewer that both have.
    pub(crate) fn overlap(&self, other: &Self) -> f64 {
        let shared = self.topic.intersection(&other.topic).count();
        ratio(shared, self.topic.len().min(other.topic.len()))
    }

    /// Returns how many words both have.
    pub(crate) fn shared(&self, other: &Self) -> usize {
        self.topic.intersection(&other.topic).count()
    }
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}

/// Returns a word without the plural `s`, so that `year` and `years` are one.
fn singular(word: &str) -> String {
    let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    let stem = if plural { word.strip_suffix('s') } else { None };
    stem.unwrap_or(word).to_owned()
}

#[cfg(test)]
mod tests {
    use super::Statement;

    #[test]
    fn a_sentence_has_a_topic_numbers_and_a_direction() {
        let found = Statement::of(
            "The new engine does not start 1,000 instances in 3.5 seconds, at 12% load in 2026.",
        );
        let topic: Vec<&str> = found.topic.iter().map(String::as_str).collect();
        assert_eq!(topic, ["engine", "instance", "load", "new", "percent", "second", "start"]);
        let numbers: Vec<(&str, &str)> =
            found.numbers.iter().map(|(n, unit)| (n.as_str(), unit.as_str())).collect();
        assert_eq!(
            numbers,
            [("1000", "instance"), ("12", "percent"), ("2026", ""), ("3.5", "second")]
        );
        assert!(found.denies);
        assert!(!Statement::of("It is not without reason.").denies);
    }
}
