//! What comes of a task: an outcome, or a failure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A piece of what an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the WIT variant is closed")]
pub enum Part {
    /// Text.
    Text(String),
    /// A value.
    Json(Value),
    /// Anything else.
    Blob {
        /// Its media type.
        mime_type: String,
        /// Its bytes.
        data: Vec<u8>,
    },
}

/// How good an agent finds its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the WIT record is closed")]
pub struct Score {
    /// The higher the better; what is not finite counts as no score.
    pub value: f64,
    /// Why.
    pub rationale: Option<String>,
}

/// A file that belongs to a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_structs, reason = "the WIT record is closed")]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Why an agent stopped by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the WIT enum is closed")]
pub enum Stop {
    /// It did what it was asked.
    Complete,
    /// It did a part of it.
    Partial,
    /// It could not do it.
    GaveUp,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the WIT record is closed")]
pub struct Outcome {
    /// The result for a person.
    pub parts: Vec<Part>,
    /// The result for a program.
    pub structured: Option<Value>,
    /// How good the agent finds it.
    pub score: Option<Score>,
    /// Files that belong to it.
    pub artifacts: Vec<Artifact>,
    /// Why the agent stopped.
    pub stop: Stop,
}

impl Outcome {
    /// Returns an outcome that is this text.
    pub fn text(text: impl Into<String>) -> Self {
        let parts = vec![Part::Text(text.into())];
        Self { parts, structured: None, score: None, artifacts: Vec::new(), stop: Stop::Complete }
    }

    /// Tells whether it counts as a success: the agent did not give up, and there is something in it.
    pub fn is_success(&self) -> bool {
        let says = |part: &Part| match part {
            Part::Text(text) => !text.trim().is_empty(),
            Part::Json(value) => !value.is_null(),
            Part::Blob { data, .. } => !data.is_empty(),
        };
        let holds = self.parts.iter().any(says)
            || self.structured.as_ref().is_some_and(|value| !value.is_null())
            || !self.artifacts.is_empty();
        self.stop != Stop::GaveUp && holds
    }

    /// Returns its score, when it is a number one can compare.
    pub fn points(&self) -> Option<f64> {
        self.score.as_ref().map(|score| score.value).filter(|value| value.is_finite())
    }

    /// Returns its text.
    pub fn plain(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Json(value) => Some(value.to_string()),
            Part::Blob { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }
}

/// Why a run ended without an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the WIT variant is closed")]
pub enum Failure {
    /// It was cancelled.
    #[error("it was cancelled: {0}")]
    Cancelled(String),
    /// Its time was used up.
    #[error("its time was used up")]
    Timeout,
    /// A part of its budget was used up.
    #[error("its budget was used up: {0}")]
    Budget(String),
    /// Something was not granted or not approved.
    #[error("denied: {0}")]
    Denied(String),
    /// The task cannot be done as it is stated.
    #[error("the task cannot be done: {0}")]
    InvalidTask(String),
    /// A tool failed.
    #[error("a tool failed: {0}")]
    Tool(String),
    /// A model failed.
    #[error("a model failed: {0}")]
    Model(String),
    /// It crashed.
    #[error("it crashed: {0}")]
    Trapped(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Returns the failure an agent itself returned, in which what only the host can know is `Other`.
    #[must_use]
    pub fn from_guest(self) -> Self {
        match self {
            Self::Cancelled(_) | Self::Timeout | Self::Budget(_) | Self::Trapped(_) => {
                Self::Other(format!("the agent says that {self}"))
            }
            own => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_cannot_forge_what_only_the_host_knows() {
        for forged in [
            Failure::Timeout,
            Failure::Cancelled("x".into()),
            Failure::Budget("x".into()),
            Failure::Trapped("x".into()),
        ] {
            assert!(matches!(forged.from_guest(), Failure::Other(_)));
        }
        let own = Failure::Tool("no such file".into());
        assert_eq!(own.clone().from_guest(), own);
    }

    #[test]
    fn an_empty_outcome_is_no_success() {
        assert!(!Outcome::text(" \n").is_success());
        assert!(!Outcome { stop: Stop::GaveUp, ..Outcome::text("sorry") }.is_success());
        assert!(Outcome { stop: Stop::Partial, ..Outcome::text("half") }.is_success());
        let value = Outcome { structured: Some(serde_json::json!({})), ..Outcome::text("") };
        assert!(value.is_success(), "an empty object says something");
    }
}
