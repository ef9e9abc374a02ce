//! How the outcomes of a group become one.
//!
//! Pure: what comes out depends on the outcomes and their order in the plan, and on nothing else. An
//! outcome counts as a success when its agent did not give up and there is something in it; a score that
//! is no finite number is no score.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Failure, Outcome, Stop, SupervisorError};

/// How outcomes become one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the WIT variant is closed")]
pub enum Strategy {
    /// All one after the other.
    Concatenate,
    /// The first in the plan that succeeded.
    FirstSuccess,
    /// The one with the highest score; ties go to the earlier.
    HighestScore,
    /// The value at this JSON pointer that most give; ties go to the higher mean score, then to the
    /// earlier. The text counts where an outcome has no value and the pointer is empty.
    Majority(String),
    /// All one after the other, when at least so many succeeded.
    Quorum(u32),
    /// All one after the other, when all succeeded.
    All,
    /// This agent makes one of them.
    Reduce(String),
}

/// How a group is merged and bounded.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct AggregationConfig {
    /// How outcomes become one.
    pub strategy: Strategy,
    /// When those that still run are cancelled.
    pub timeout: Duration,
    /// The share that must succeed, from 0 to 1. With a majority, the share that must agree.
    pub min_success_ratio: f64,
    /// The score below which an outcome does not count. One without a score does not either, then.
    pub score_threshold: Option<f64>,
}

impl Default for AggregationConfig {
    fn default() -> Self {
        Self {
            strategy: Strategy::Concatenate,
            timeout: Duration::from_mins(5),
            min_success_ratio: 0.0,
            score_threshold: None,
        }
    }
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle both")]
pub enum Merged {
    /// One outcome, and how many stand behind it.
    Outcome {
        /// It.
        outcome: Box<Outcome>,
        /// How many agree with it or are part of it.
        agreed: usize,
    },
    /// The input of the agent that makes one of them.
    Reduce {
        /// The agent.
        agent: String,
        /// Every outcome and failure, with its label.
        input: Value,
    },
}

/// What became of one member, with its label.
pub(crate) type Each = (String, Result<Outcome, Failure>);

impl AggregationConfig {
    /// Checks what does not depend on any outcome.
    ///
    /// # Errors
    /// [`SupervisorError::Empty`] or [`SupervisorError::BadNumber`].
    pub fn check(&self, members: usize) -> Result<(), SupervisorError> {
        let bad = |what, value: String, why| Err(SupervisorError::BadNumber { what, value, why });
        if members == 0 {
            return Err(SupervisorError::Empty);
        }
        if !(0.0..=1.0).contains(&self.min_success_ratio) {
            let value = self.min_success_ratio.to_string();
            return bad("min-success-ratio", value, "it is a share from 0 to 1");
        }
        if let Some(threshold) = self.score_threshold
            && !threshold.is_finite()
        {
            return bad("score-threshold", threshold.to_string(), "it is a finite number");
        }
        match self.strategy {
            Strategy::Quorum(0) => bad("quorum", "0".to_owned(), "it is at least 1"),
            Strategy::Quorum(wanted) if wanted as usize > members => {
                bad("quorum", wanted.to_string(), "it is larger than the group")
            }
            _ => Ok(()),
        }
    }

    /// Returns how many of `total` must succeed.
    fn needed(&self, total: usize) -> usize {
        let share = match self.strategy {
            Strategy::All => return total,
            // The share is about those that agree, which is checked when they are counted.
            Strategy::Majority(_) => 0,
            _ => share_of(self.min_success_ratio, total),
        };
        let quorum = match self.strategy {
            Strategy::Quorum(wanted) => wanted as usize,
            _ => 1,
        };
        share.max(quorum)
    }
}

/// Returns the least number that is at least `ratio` of `total`.
fn share_of(ratio: f64, total: usize) -> usize {
    // Counted up rather than rounded: 0.3 × 10 is a little more than 3 in binary.
    let reaches = |count: &usize| {
        let (count, total) = (u32::try_from(*count), u32::try_from(total));
        let (count, total) = (count.unwrap_or(u32::MAX), total.unwrap_or(u32::MAX));
        f64::from(count) / f64::from(total) >= ratio
    };
    (0..=total).find(reaches).unwrap_or(total)
}

/// Makes one outcome of `each`, which is in the order of the plan.
///
/// # Errors
/// [`SupervisorError`], when too few succeeded, scored or agreed.
pub fn merge(config: &AggregationConfig, each: &[Each]) -> Result<Merged, SupervisorError> {
    config.check(each.len())?;
    let good = good(config, each);
    let needed = config.needed(each.len());
    if good.len() < needed {
        let (succeeded, total) = (good.len(), each.len());
        let scored = matches!(config.strategy, Strategy::HighestScore);
        if scored && each.iter().filter(|(_, done)| succeeds(done)).count() >= needed {
            let succeeded = each.iter().filter(|(_, done)| succeeds(done)).count();
            return Err(SupervisorError::NoScore { succeeded, threshold: config.score_threshold });
        }
        return Err(SupervisorError::TooFew { succeeded, total, needed });
    }
    let one = |outcome: Outcome, agreed| Merged::Outcome { outcome: Box::new(outcome), agreed };
    match &config.strategy {
        Strategy::Concatenate | Strategy::Quorum(_) | Strategy::All => {
            Ok(one(concatenated(&good, each.len()), good.len()))
        }
        Strategy::FirstSuccess => {
            let first = good.first().ok_or(SupervisorError::Empty)?;
            Ok(one(first.1.clone(), 1))
        }
        Strategy::HighestScore => {
            let threshold = config.score_threshold;
            let best = highest(&good);
            let best = best.ok_or(SupervisorError::NoScore { succeeded: good.len(), threshold })?;
            Ok(one(best.clone(), 1))
        }
        Strategy::Majority(pointer) => {
            let needed = share_of(config.min_success_ratio, each.len()).max(1);
            majority(pointer, &good, each.len(), needed)
        }
        Strategy::Reduce(agent) => {
            Ok(Merged::Reduce { agent: agent.clone(), input: reducer_input(each) })
        }
    }
}

fn succeeds(done: &Result<Outcome, Failure>) -> bool {
    done.as_ref().is_ok_and(Outcome::is_success)
}

/// Returns the outcomes that count, with their labels.
fn good<'e>(config: &AggregationConfig, each: &'e [Each]) -> Vec<(&'e str, &'e Outcome)> {
    let scores = |outcome: &Outcome| match (config.score_threshold, outcome.points()) {
        (Some(least), Some(points)) => points >= least,
        (Some(_), None) => false,
        (None, points) => points.is_some() || config.strategy != Strategy::HighestScore,
    };
    let of_each = |(label, done): &'e Each| match done {
        Ok(outcome) if outcome.is_success() && scores(outcome) => Some((label.as_str(), outcome)),
        _ => None,
    };
    each.iter().filter_map(of_each).collect()
}

/// Returns the parts, values and artifacts of all, each with the label of who made it.
fn concatenated(good: &[(&str, &Outcome)], total: usize) -> Outcome {
    let labelled = |(label, outcome): &(&str, &Outcome)| json!({ "label": label, "value": outcome.structured });
    let complete = good.len() == total && good.iter().all(|(_, one)| one.stop == Stop::Complete);
    let artifacts = good.iter().flat_map(|(label, outcome)| {
        let named = |artifact: &crate::Artifact| {
            let name = format!("{label}-{}", artifact.name);
            crate::Artifact { name, ..artifact.clone() }
        };
        outcome.artifacts.iter().map(named).collect::<Vec<_>>()
    });
    Outcome {
        parts: good.iter().flat_map(|(_, outcome)| outcome.parts.clone()).collect(),
        structured: Some(good.iter().map(labelled).collect()),
        score: None,
        artifacts: artifacts.collect(),
        stop: if complete { Stop::Complete } else { Stop::Partial },
    }
}

fn highest<'e>(good: &[(&'e str, &'e Outcome)]) -> Option<&'e Outcome> {
    let mut best: Option<(f64, &Outcome)> = None;
    for (_, outcome) in good {
        if let Some(points) = outcome.points()
            && best.is_none_or(|(most, _)| points > most)
        {
            best = Some((points, outcome));
        }
    }
    best.map(|(_, outcome)| outcome)
}

/// Those that gave one value.
struct Camp<'e> {
    value: Value,
    first: &'e Outcome,
    votes: usize,
    points: Vec<f64>,
}

impl Camp<'_> {
    /// Returns the mean score; one without any is below all that have one.
    fn mean(&self) -> f64 {
        let count = u32::try_from(self.points.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return f64::NEG_INFINITY;
        }
        // Divided first: the sum of two large scores is not a number one can compare.
        self.points.iter().map(|points| points / f64::from(count)).sum()
    }
}

fn majority(
    pointer: &str,
    good: &[(&str, &Outcome)],
    total: usize,
    needed: usize,
) -> Result<Merged, SupervisorError> {
    let mut camps: Vec<Camp<'_>> = Vec::new();
    for (_, outcome) in good {
        let Some(value) = vote(pointer, outcome) else { continue };
        let points = outcome.points();
        if let Some(camp) = camps.iter_mut().find(|camp| camp.value == value) {
            camp.votes += 1;
            camp.points.extend(points);
        } else {
            let points = points.into_iter().collect();
            camps.push(Camp { value, first: outcome, votes: 1, points });
        }
    }
    let mut best: Option<&Camp<'_>> = None;
    for camp in &camps {
        let wins = best.is_none_or(|most| {
            camp.votes > most.votes || (camp.votes == most.votes && camp.mean() > most.mean())
        });
        if wins {
            best = Some(camp);
        }
    }
    match best {
        Some(camp) if camp.votes >= needed => {
            Ok(Merged::Outcome { outcome: Box::new(camp.first.clone()), agreed: camp.votes })
        }
        other => Err(SupervisorError::NoMajority {
            pointer: pointer.to_owned(),
            agreed: other.map_or(0, |camp| camp.votes),
            total,
            needed,
        }),
    }
}

/// Returns what an outcome votes for; nothing when it has no value there.
fn vote(pointer: &str, outcome: &Outcome) -> Option<Value> {
    match &outcome.structured {
        Some(value) => value.pointer(pointer).cloned(),
        None if pointer.is_empty() => Some(Value::String(outcome.plain().trim().to_owned())),
        None => None,
    }
}

fn reducer_input(each: &[Each]) -> Value {
    let of_each = |(label, done): &Each| match done {
        Ok(outcome) => json!({
            "label": label,
            "text": outcome.plain(),
            "structured": outcome.structured,
            "score": outcome.points(),
        }),
        Err(failure) => json!({ "label": label, "failure": failure.to_string() }),
    };
    json!({ "outcomes": each.iter().map(of_each).collect::<Vec<_>>() })
}

/// Tells whether the result is known although some have not ended: the rest cannot change it.
/// `each` has a member's end where it is known.
pub(crate) fn is_settled(
    config: &AggregationConfig,
    each: &[Option<Result<Outcome, Failure>>],
) -> bool {
    if config.strategy != Strategy::FirstSuccess || config.needed(each.len()) > 1 {
        return false;
    }
    let counts = |done: &Result<Outcome, Failure>| {
        let one = [(String::new(), done.clone())];
        !good(config, &one).is_empty()
    };
    // The first that counts wins once all before it are known not to.
    for done in each {
        match done {
            Some(done) if counts(done) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    true
}
