//! Other agents as children. A child gets what it asks for and its parent has, and ends with its parent.

use std::time::Duration;

pub use crate::bindings::ringfence::agent::agents::{
    Child, Group, GroupResult, OnFailure, SpawnError, Spec, State, Strategy,
};

use super::control::millis;
use super::{Budget, Failure, Outcome};

impl Spec {
    /// Returns a child called as its agent is, with nothing but a goal.
    pub fn new(agent: impl Into<String>, goal: impl Into<String>) -> Self {
        let agent = agent.into();
        Self {
            label: agent.clone(),
            agent,
            goal: goal.into(),
            input: "null".to_owned(),
            budget: None,
        }
    }

    /// Returns the same, called `label` in results; unique in a group.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Returns the same with `json`, a JSON text, as its input.
    #[must_use]
    pub fn input(self, json: impl Into<String>) -> Self {
        Self { input: json.into(), ..self }
    }

    /// Returns the same with a budget of its own, of which it gets at most what its parent has left.
    #[must_use]
    pub fn budget(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`SpawnError`], when it was not started.
    pub fn spawn(&self) -> Result<Child, SpawnError> {
        imp::spawn(self)
    }
}

impl Child {
    /// Waits for its end, at most this long; nothing when it still runs.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Outcome, Failure>> {
        self.join(millis(timeout))
    }
}

impl Group {
    /// Returns these agents side by side: all that succeed count, one that fails does not keep the
    /// others from going on, and they have all the time there is.
    pub fn new(specs: Vec<Spec>, strategy: Strategy) -> Self {
        Self {
            specs,
            strategy,
            min_success_ratio: 0.0,
            score_threshold: None,
            on_failure: OnFailure::Tolerate,
            max_parallel: u32::MAX,
            timeout_ms: u64::MAX,
        }
    }

    /// Returns the same, in which this share must succeed, from 0 to 1.
    #[must_use]
    pub fn min_success_ratio(self, share: f64) -> Self {
        Self { min_success_ratio: share, ..self }
    }

    /// Returns the same, in which an outcome with a lower score does not count.
    #[must_use]
    pub fn score_threshold(self, score: f64) -> Self {
        Self { score_threshold: Some(score), ..self }
    }

    /// Returns the same, of which at most so many run at once.
    #[must_use]
    pub fn at_once(self, most: u32) -> Self {
        Self { max_parallel: most, ..self }
    }

    /// Returns the same, in which those that still run after this time are cancelled.
    #[must_use]
    pub fn timeout(self, time: Duration) -> Self {
        Self { timeout_ms: millis(time), ..self }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`SpawnError`], when nothing was started.
    pub fn run(&self) -> Result<GroupResult, SpawnError> {
        imp::run_group(self)
    }
}

impl SpawnError {
    /// Returns it in words for a person.
    pub fn words(&self) -> String {
        match self {
            Self::NotFound => "there is no agent of this name in this run".to_owned(),
            Self::Denied(why) => format!("denied: {why}"),
            Self::Limit(what) => what.clone(),
            Self::Full => "the queue of agents is full".to_owned(),
            Self::Invalid(why) => why.clone(),
        }
    }
}

impl From<SpawnError> for Failure {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::Denied(why) => Self::Denied(why),
            SpawnError::Limit(what) => Self::Budget(what),
            SpawnError::Full => Self::Budget("the queue of agents is full".to_owned()),
            error => Self::Other(error.words()),
        }
    }
}

#[cfg(target_family = "wasm")]
use crate::bindings::ringfence::agent::agents as imp;

#[cfg(not(target_family = "wasm"))]
mod imp {
    use super::{Child, Group, GroupResult, SpawnError, Spec};

    fn none<T>() -> Result<T, SpawnError> {
        Err(SpawnError::Denied(super::super::NO_HOST.to_owned()))
    }

    pub(super) fn spawn(_: &Spec) -> Result<Child, SpawnError> {
        none()
    }

    pub(super) fn run_group(_: &Group) -> Result<GroupResult, SpawnError> {
        none()
    }
}
