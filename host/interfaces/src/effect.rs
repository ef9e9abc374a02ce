//! What a guest did or tried, told to whoever keeps the log.

use ringfence_capability::Kind;
use std::sync::Arc;

/// One effect outside the guest's own memory, or an attempt at one that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effect {
    /// What it is about.
    pub kind: Kind,
    /// What was done, such as `open`, `GET`, `set`.
    pub operation: String,
    /// What it was done to: a guest path, `host:port`, a key's namespace. Never a value.
    pub target: String,
    /// Whether it was let through.
    pub verdict: Verdict,
    /// How much it moved, where the record is about its end.
    pub moved: Option<Moved>,
    /// What else there is to say about it, in words of the host.
    pub note: Option<String>,
}

/// How many bytes of bodies, or of a tunnel, went out and came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there are two directions")]
pub struct Moved {
    /// Out of the sandbox.
    pub sent_bytes: u64,
    /// Into the sandbox.
    pub received_bytes: u64,
}

impl Effect {
    /// Returns an effect that was let through.
    pub fn done(kind: Kind, operation: impl Into<String>, target: impl Into<String>) -> Self {
        let (operation, target) = (operation.into(), target.into());
        Self { kind, operation, target, verdict: Verdict::Done, moved: None, note: None }
    }

    /// Returns an attempt that was refused, with the reason.
    pub fn refused(
        kind: Kind,
        operation: impl Into<String>,
        target: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        let verdict = Verdict::Refused(reason.into());
        let (operation, target) = (operation.into(), target.into());
        Self { kind, operation, target, verdict, moved: None, note: None }
    }

    /// Returns the same effect, now ended after it moved this much.
    #[must_use]
    pub fn after(self, moved: Moved) -> Self {
        Self { moved: Some(moved), ..self }
    }

    /// Returns the same effect with this to say about it.
    #[must_use]
    pub fn noting(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// What became of an attempted effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the log must handle both")]
pub enum Verdict {
    /// It was let through.
    Done,
    /// It was refused, for this reason.
    Refused(String),
}

/// The effect was not recorded as done, so it must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRecorded {
    /// The log cannot be written.
    #[error("the effect could not be written to the audit log")]
    Unwritten,
    /// A rule of the host refused it, for this reason. The refusal is in the log.
    #[error("{0}")]
    Refused(&'static str),
}

impl NotRecorded {
    /// Returns the error for a log that cannot be written.
    pub fn new() -> Self {
        Self::Unwritten
    }
}

impl Default for NotRecorded {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps effects. Called before the effect happens: an error means it must not.
pub trait EffectSink: Send + Sync + 'static {
    /// Records one effect.
    ///
    /// # Errors
    /// When it could not be recorded.
    fn record(&self, effect: Effect) -> Result<(), NotRecorded>;
}

/// A sink shared by the interfaces of one run.
pub type Effects = Arc<dyn EffectSink>;
