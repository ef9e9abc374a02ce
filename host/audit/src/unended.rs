//! Which runs began and have no end in the log.
//!
//! A process that is killed writes no last word. Nobody else can write it for it without guessing, so
//! it is read from what is missing: start with [`Unended::see`], record by record.

use crate::{Decision, Record};
use std::collections::BTreeMap;

/// The most runs that are kept in mind: more than run at once, less than a damaged log could hold.
const MAX_RUNS: usize = 10_000;

/// The runs, and the native programs of runs, that have begun and not ended so far.
#[derive(Debug, Clone, Default)]
pub struct Unended {
    open: BTreeMap<(String, Part), String>,
    /// How many more there were no room for.
    unlisted: u64,
}

/// What has an end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Run,
    Program,
}

/// What a record says about an end.
enum Says {
    Begins(Part),
    Ends(Part),
}

impl Unended {
    /// Takes the next record into account.
    pub fn see(&mut self, record: &Record) {
        let (Some(run), Some(says)) = (&record.entry.run, says(record)) else { return };
        match says {
            Says::Begins(part) if self.open.len() < MAX_RUNS => {
                self.open.insert((run.clone(), part), record.time.clone());
            }
            Says::Begins(_) => self.unlisted = self.unlisted.saturating_add(1),
            Says::Ends(part) => {
                self.open.remove(&(run.clone(), part));
            }
        }
    }

    /// Returns the runs without an end and when each began, oldest first. Each of them still runs, or
    /// was killed.
    pub fn runs(&self) -> Vec<(&str, &str)> {
        let mut began: BTreeMap<&str, &str> = BTreeMap::new();
        for ((run, _), time) in &self.open {
            let first = began.entry(run).or_insert(time);
            *first = (*first).min(time.as_str());
        }
        let mut runs: Vec<_> = began.into_iter().collect();
        runs.sort_unstable_by_key(|&(run, time)| (time, run));
        runs
    }

    /// Returns how many more there were no room for.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

fn says(record: &Record) -> Option<Says> {
    match record.entry.operation.as_str() {
        "run.start" => Some(Says::Begins(Part::Run)),
        "run.end" => Some(Says::Ends(Part::Run)),
        "exec.start" if record.entry.decision == Some(Decision::Allow) => {
            Some(Says::Begins(Part::Program))
        }
        "exec.end" | "exec.failed" => Some(Says::Ends(Part::Program)),
        _ => None,
    }
}
