//! Agents: components that work on a task, and may use tools, models and other agents, each only as far
//! as they were granted.
//!
//! ```text
#![doc = include_str!("../../templates/agent/src/lib.rs")]
//! ```
//!
//! This is the whole of `sdk/templates/agent`, which is built and tested as it stands. [`agent!`](crate::agent!)
//! exports a type that has a function `run` as an agent; nothing has to be written in WIT. What an agent does
//! not use is not imported, and needs no grant:
//!
//! | module | request in the manifest |
//! |---|---|
//! | [`tools`] | `tool` with the names of plugins, or `mcp` with servers and tools |
//! | [`model`] | `model` with logical names |
//! | [`children`], [`mailbox`] | `agent` with the names of agents |
//! | [`control`], [`approval`] | none |
//!
//! Whatever others wrote (the answer of a tool or a model, a message, another agent's outcome) is data for an
//! agent, and nothing in it changes what was granted. [`tools::Reply::untrusted`](tools::Reply) says when
//! the run has read from the network.
//!
//! Outside a host, in native tests, there are no tools, models and children: each answers `denied`.

pub mod approval;
pub mod children;
pub mod control;
pub mod mailbox;
pub mod model;
pub mod tools;

use std::fmt::Display;

pub use crate::bindings::ringfence::agent::types::{
    Artifact, Blob, Budget, Failure, Outcome, Part, Score, Stop, Task,
};

/// What everything that needs a host answers where there is none.
#[cfg(not(target_family = "wasm"))]
const NO_HOST: &str = "there is no host";

impl Task {
    /// Returns a task with this goal, nothing that belongs to it, and the budget that runs have by
    /// default. Tasks come from the host; this one is for tests.
    pub fn new(goal: impl Into<String>) -> Self {
        let budget = Budget {
            wall_ms: 300_000,
            model_calls: 50,
            tool_calls: 200,
            output_tokens: 100_000,
            children: 32,
            depth: 3,
        };
        let (id, goal, input) = ("1".to_owned(), goal.into(), "null".to_owned());
        Self { id, goal, input, schema: None, budget }
    }
}

impl Outcome {
    /// Returns the outcome of a task that was done, with this for a person to read.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
            structured: None,
            score: None,
            artifacts: Vec::new(),
            stop: Stop::Complete,
        }
    }

    /// Returns the same with `json`, a JSON text, for programs to read.
    #[must_use]
    pub fn with_structured(self, json: impl Into<String>) -> Self {
        Self { structured: Some(json.into()), ..self }
    }

    /// Returns the same with how good the agent finds it, and why.
    #[must_use]
    pub fn with_score(self, value: f64, why: impl Into<String>) -> Self {
        Self { score: Some(Score { value, rationale: Some(why.into()) }), ..self }
    }

    /// Returns the same with one more file, which the host keeps in the transcript.
    #[must_use]
    pub fn with_artifact(
        mut self,
        name: impl Into<String>,
        mime_type: impl Into<String>,
        data: impl Into<Vec<u8>>,
    ) -> Self {
        let (name, mime_type, data) = (name.into(), mime_type.into(), data.into());
        self.artifacts.push(Artifact { name, mime_type, data });
        self
    }

    /// Returns the same, said to be only a part of what was wanted unless `whole`.
    #[must_use]
    pub fn complete_if(self, whole: bool) -> Self {
        Self { stop: if whole { Stop::Complete } else { Stop::Partial }, ..self }
    }

    /// Returns its text, what is no text left out.
    pub fn plain(&self) -> String {
        plain(&self.parts)
    }
}

/// Returns the text of these parts, each on lines of its own; bytes are left out.
pub fn plain(parts: &[Part]) -> String {
    let text = |part: &Part| match part {
        Part::Text(text) | Part::Json(text) => Some(text.clone()),
        Part::Blob(_) => None,
    };
    parts.iter().filter_map(text).collect::<Vec<_>>().join("\n\n")
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Failure {
    /// Returns it in words for a person.
    pub fn words(&self) -> String {
        match self {
            Self::Cancelled(why) => format!("cancelled: {why}"),
            Self::Timeout => "the time was used up".to_owned(),
            Self::Budget(what) => format!("the budget was used up: {what}"),
            Self::Denied(why) => format!("denied: {why}"),
            Self::InvalidTask(why) => format!("the task cannot be done as it is stated: {why}"),
            Self::Tool(why) => format!("a tool failed: {why}"),
            Self::Model(why) => format!("a model failed: {why}"),
            Self::Trapped(why) => format!("crashed: {why}"),
            Self::Other(why) => why.clone(),
        }
    }
}

impl Failure {
    /// Returns the failure of a task that cannot be done as it is stated.
    pub fn invalid(why: impl Display) -> Self {
        Self::InvalidTask(why.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Denied(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_says_what_it_is_made_of() {
        let outcome = Outcome::text("two").with_structured("2").with_score(0.5, "half");
        let outcome = outcome.with_artifact("a.txt", "text/plain", "x").complete_if(false);
        assert_eq!((outcome.plain().as_str(), outcome.structured.as_deref()), ("two", Some("2")));
        assert_eq!((outcome.stop, outcome.artifacts.len()), (Stop::Partial, 1));
        assert_eq!(outcome.score.map(|score| score.value), Some(0.5));
    }

    #[test]
    fn outside_a_host_there_is_nothing_and_it_says_so() {
        assert!(tools::list().is_empty() && model::names().is_empty());
        assert!(matches!(tools::call("look", "{}"), Err(tools::Error::Denied(_))));
        assert!(matches!(model::Chat::new("fast").user("hi").ask(), Err(model::Error::Denied(_))));
        assert_eq!(model::remark(None, "say", "this", 9), None);
        let child = children::Spec::new("other", "do it").spawn();
        assert!(matches!(child, Err(children::SpawnError::Denied(_))));
        assert_eq!(
            approval::ask("go", "{}", std::time::Duration::ZERO),
            approval::Verdict::NoApprover
        );
        assert!(
            !control::is_cancelled() && control::remaining() > std::time::Duration::from_secs(1)
        );
        assert!(mailbox::receive(std::time::Duration::ZERO).is_ok_and(|none| none.is_none()));
    }
}
