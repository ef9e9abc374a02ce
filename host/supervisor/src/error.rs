//! Why agents did not get a common result, or could not be set up.

use ringfence_capability::{Class, Diagnostic};

/// An error of this room.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// There is nothing to merge.
    #[error("a group has no members")]
    Empty,
    /// A number makes no sense.
    #[error("`{what}` is {value}: {why}")]
    BadNumber {
        /// What it is.
        what: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        why: &'static str,
    },
    /// Too few succeeded.
    #[error("{succeeded} of {total} succeeded, and {needed} must")]
    TooFew {
        /// How many did.
        succeeded: usize,
        /// How many there are.
        total: usize,
        /// How many must.
        needed: usize,
    },
    /// None of those that succeeded has a score that counts.
    #[error("none of {succeeded} outcomes has a score that counts{}", at_least(*.threshold))]
    NoScore {
        /// How many succeeded.
        succeeded: usize,
        /// The least score that counts.
        threshold: Option<f64>,
    },
    /// No value was given by enough of them.
    #[error("at most {agreed} of {total} agree at `{pointer}`, and {needed} must")]
    NoMajority {
        /// Where the value is.
        pointer: String,
        /// How many gave the most frequent one.
        agreed: usize,
        /// How many there are.
        total: usize,
        /// How many must agree.
        needed: usize,
    },
}

fn at_least(threshold: Option<f64>) -> String {
    threshold.map(|least| format!(" (at least {least})")).unwrap_or_default()
}

impl Diagnostic for SupervisorError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "supervisor::empty-group",
            Self::BadNumber { .. } => "supervisor::bad-number",
            Self::TooFew { .. } => "supervisor::too-few",
            Self::NoScore { .. } => "supervisor::no-score",
            Self::NoMajority { .. } => "supervisor::no-majority",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Empty | Self::BadNumber { .. } => Class::BadInput,
            Self::TooFew { .. } | Self::NoScore { .. } | Self::NoMajority { .. } => {
                Class::PluginFailed
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Empty => "name at least one agent",
            Self::BadNumber { .. } => return None,
            Self::TooFew { .. } => {
                "the failures above say why; fewer may be enough for \
                                    `min-success-ratio`"
            }
            Self::NoScore { .. } => "use agents that score what they return, or another strategy",
            Self::NoMajority { .. } => "use more agents, or look at what each returned",
        };
        Some(hint.to_owned())
    }
}
