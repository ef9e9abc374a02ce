//! How something was approved, and what it came to: kinds, counts and times, never contents.

use crate::target::neutral;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Approval {
    /// For how long, or that it was denied.
    pub how: How,
    /// Who answered: the approver, such as `terminal`; never a user's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// The lease it was given under or used up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease: Option<String>,
}

/// For how long something was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum How {
    /// For exactly this request, once.
    Once,
    /// For the rest of the run.
    Run,
    /// Under a lease: several times, or until it expires.
    Lease,
    /// Not at all.
    Denied,
    /// Nobody answered in time, which denies.
    Expired,
    /// What was approved before no longer is.
    Revoked,
}

/// What an operation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// A program ended by itself.
    Exited {
        /// Its exit code.
        code: u8,
        /// How long it ran and how much it wrote.
        #[serde(flatten)]
        usage: Usage,
    },
    /// A program was ended by a signal.
    Killed {
        /// The signal.
        signal: i32,
        /// How long it ran and how much it wrote.
        #[serde(flatten)]
        usage: Usage,
    },
    /// Staged writes were put into the workspace, or thrown away.
    Staged {
        /// Which of both.
        kept: Kept,
        /// How many paths are new.
        added: u64,
        /// How many have other contents or rights.
        changed: u64,
        /// How many are gone.
        removed: u64,
        /// How many bytes the new contents have.
        size_bytes: u64,
    },
    /// A request through the proxy was answered, or a tunnel closed.
    Requested {
        /// The status, where the host saw one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        status: Option<u16>,
        /// How many bytes went out.
        sent_bytes: u64,
        /// How many bytes came in.
        received_bytes: u64,
        /// How long it took.
        duration_ms: u64,
    },
}

/// What a program used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// How long it ran.
    pub duration_ms: u64,
    /// How many bytes it wrote to standard output, where the host passed them on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdout_bytes: Option<u64>,
    /// How many bytes it wrote to standard error, where the host passed them on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stderr_bytes: Option<u64>,
}

/// What became of staged writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kept {
    /// They are in the workspace.
    Committed,
    /// They are gone.
    Discarded,
    /// A commit was taken back.
    Undone,
}

impl Approval {
    /// Returns the approval, or its refusal, of this kind.
    pub fn new(how: How) -> Self {
        Self { how, by: None, lease: None }
    }

    /// Returns the same approval, given by `approver`.
    #[must_use]
    pub fn by(self, approver: &str) -> Self {
        Self { by: Some(neutral(approver)), ..self }
    }

    /// Returns the same approval, under `lease`.
    #[must_use]
    pub fn under(self, lease: &str) -> Self {
        Self { lease: Some(neutral(lease)), ..self }
    }

    pub(crate) fn neutralised(&self) -> Self {
        let safe = |text: &Option<String>| text.as_deref().map(neutral);
        Self { how: self.how, by: safe(&self.by), lease: safe(&self.lease) }
    }
}

impl How {
    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Run => "run",
            Self::Lease => "lease",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Usage {
    /// Returns what a program used that ran this long.
    pub fn new(duration: Duration) -> Self {
        Self { duration_ms: millis(duration), ..Self::default() }
    }

    /// Returns the same use, with what the host passed on.
    #[must_use]
    pub fn wrote(self, stdout_bytes: u64, stderr_bytes: u64) -> Self {
        Self { stdout_bytes: Some(stdout_bytes), stderr_bytes: Some(stderr_bytes), ..self }
    }
}

impl Outcome {
    /// Returns the outcome of a request through the proxy.
    pub fn requested(
        status: Option<u16>,
        sent_bytes: u64,
        received_bytes: u64,
        duration: Duration,
    ) -> Self {
        Self::Requested { status, sent_bytes, received_bytes, duration_ms: millis(duration) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn outcomes_have_the_documented_form_and_survive_the_log() {
        let usage = Usage::new(Duration::from_millis(1500));
        let cases = [
            (
                Outcome::Exited { code: 1, usage: usage.wrote(10, 0) },
                r#"{"type":"exited","code":1,"duration_ms":1500,"stdout_bytes":10,"stderr_bytes":0}"#,
            ),
            (
                Outcome::Killed { signal: 9, usage },
                r#"{"type":"killed","signal":9,"duration_ms":1500}"#,
            ),
            (
                Outcome::Staged {
                    kept: Kept::Committed,
                    added: 1,
                    changed: 2,
                    removed: 3,
                    size_bytes: 4,
                },
                r#"{"type":"staged","kept":"committed","added":1,"changed":2,"removed":3,"size_bytes":4}"#,
            ),
            (
                Outcome::requested(Some(200), 5, 6, Duration::from_millis(7)),
                r#"{"type":"requested","status":200,"sent_bytes":5,"received_bytes":6,"duration_ms":7}"#,
            ),
        ];
        for (outcome, json) in cases {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), json);
            assert_eq!(serde_json::from_str::<Outcome>(json).unwrap(), outcome);
        }
    }
}
