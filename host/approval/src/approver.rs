//! Who is asked.

use crate::{Answer, ApprovalError, Request};
use ringfence_capability::ArgvPattern;
use std::fmt;
use std::time::Duration;

/// The most bytes of what a person can look at before they answer.
pub const MAX_DETAIL: usize = 256 * 1024;

const DETAIL_IS_CUT: &str = "\n(cut off: there is more than can be shown here)\n";

/// Somebody who can be asked. An error is a denial.
pub trait Approver: Send + Sync {
    /// Returns the answer of a person to `request`.
    ///
    /// # Errors
    /// [`ApprovalError`] when there is none; then the action is denied.
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError>;

    /// Returns over which channel it asks.
    fn channel(&self) -> Channel;
}

/// How to ask, and what the host has to say about the request.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Prompt {
    /// How long to wait for the answer.
    pub patience: Duration,
    /// The pattern that `always` would stand for; without one it stands for exactly these
    /// arguments.
    pub pattern: Option<ArgvPattern>,
    /// What the host warns of, such as that the program is an interpreter.
    pub warnings: Vec<String>,
    /// What a person can look at before they answer, such as the differences between files: lines
    /// that are safe to show, at most [`MAX_DETAIL`] bytes.
    pub detail: Option<String>,
}

impl Prompt {
    /// Returns the prompt that waits for `patience` and has nothing to add.
    pub fn waiting(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Returns the prompt with what `always` would stand for.
    #[must_use]
    pub fn offering(self, pattern: ArgvPattern) -> Self {
        Self { pattern: Some(pattern), ..self }
    }

    /// Returns the prompt with something to look at, cut where it is too long.
    #[must_use]
    pub fn detailed(self, mut detail: String) -> Self {
        if detail.len() > MAX_DETAIL {
            detail.truncate(detail.floor_char_boundary(MAX_DETAIL - DETAIL_IS_CUT.len()));
            detail.push_str(DETAIL_IS_CUT);
        }
        Self { detail: Some(detail), ..self }
    }

    /// Returns the prompt with a warning of the host.
    #[must_use]
    pub fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

/// Over which channel a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the store knows every one by name")]
pub enum Channel {
    /// The terminal the host runs in.
    Terminal,
    /// A socket that `ringfence approvals` connects to.
    Socket,
    /// The command line, before the action was asked for.
    Command,
    /// The client of an MCP server.
    Elicitation,
    /// Nobody.
    Nobody,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 5] =
        [Self::Terminal, Self::Socket, Self::Command, Self::Elicitation, Self::Nobody];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Socket => "socket",
            Self::Command => "command",
            Self::Elicitation => "elicitation",
            Self::Nobody => "nobody",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Nobody: every request is denied, and the hint says how a person can approve it.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct NoApprover;

impl Approver for NoApprover {
    fn ask(&self, request: &Request, _: &Prompt) -> Result<Answer, ApprovalError> {
        let id = request.short_id().to_string();
        let command = format!("ringfence approvals approve {id}");
        Err(ApprovalError::NobodyToAsk { id, subject: request.subject(), command })
    }

    fn channel(&self) -> Channel {
        Channel::Nobody
    }
}
