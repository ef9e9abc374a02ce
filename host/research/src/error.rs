//! Why there is no report.

use ringfence_capability::{Class, Diagnostic};

use crate::steps::{Ended, StepError, StepKind};

/// Why a run made no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResearchError {
    /// A step says that it cannot do its part.
    #[error("the step `{step}` cannot go on: {case}: {text}")]
    Said {
        /// The step.
        step: StepKind,
        /// The case of its error.
        case: String,
        /// What it says.
        text: String,
    },
    /// A step did not get to an answer.
    #[error("the step `{step}` was not run to its end")]
    Ended {
        /// The step.
        step: StepKind,
        /// Why.
        #[source]
        source: Ended,
    },
    /// A step answered in another form than its interface has.
    #[error("the step `{step}` gave an answer that cannot be used: {why}")]
    Answer {
        /// The step.
        step: StepKind,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing was found that could be read.
    #[error("no document was found for the question")]
    NothingFound {
        /// How many searches were made.
        searches: usize,
        /// How many documents were found and could not be used.
        skipped: usize,
    },
    /// Documents were found, and none has a sentence that fits.
    #[error("{documents} documents were read, and no sentence of them answers the question")]
    NothingSaid {
        /// How many were read.
        documents: usize,
    },
    /// What a step made does not stand in the sources.
    #[error("the step `{step}` says what its sources do not carry: {finding}")]
    Unsupported {
        /// The step.
        step: StepKind,
        /// What the checker says.
        finding: String,
    },
    /// A report cannot be read.
    #[error("the report cannot be read: {why}")]
    Report {
        /// What is wrong with it.
        why: String,
    },
}

impl ResearchError {
    /// Returns the error about a report that is no report.
    pub fn unreadable(error: &serde_json::Error) -> Self {
        Self::Report { why: error.to_string() }
    }

    pub(crate) fn of(step: StepKind, error: StepError) -> Self {
        match error {
            StepError::Said { case, text } => Self::Said { step, case, text },
            StepError::Ended(source) => Self::Ended { step, source },
        }
    }
}

impl Diagnostic for ResearchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Said { .. } => "research::step",
            Self::Ended { source, .. } => source.diagnostic().code(),
            Self::Answer { .. } => "research::answer",
            Self::NothingFound { .. } => "research::nothing-found",
            Self::NothingSaid { .. } => "research::nothing-said",
            Self::Unsupported { .. } => "research::unsupported",
            Self::Report { .. } => "research::report",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Said { case, .. } if case == "invalid-input" || case == "too-large" => {
                Class::BadInput
            }
            Self::Said { case, .. } if case == "denied" => Class::Refused,
            Self::Ended { source, .. } => source.diagnostic().class(),
            Self::Said { .. } | Self::Answer { .. } | Self::Unsupported { .. } => {
                Class::PluginFailed
            }
            Self::NothingFound { .. } | Self::NothingSaid { .. } => Class::PluginFailed,
            Self::Report { .. } => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ended { source, .. } => source.diagnostic().hint(),
            Self::NothingFound { skipped: 0, .. } => Some(
                "ask with words that the documents use, or name another corpus with `--from`"
                    .to_owned(),
            ),
            Self::NothingFound { .. } => {
                Some("`--log info` tells which documents could not be read, and why".to_owned())
            }
            Self::NothingSaid { .. } => {
                Some("ask more plainly, or read more with `--budget` and `--depth`".to_owned())
            }
            Self::Unsupported { .. } | Self::Answer { .. } => {
                Some("use another plugin for this step: `--step NAME=PLUGIN`".to_owned())
            }
            Self::Report { .. } => {
                Some("a report to check is made with `ringfence research … --json`".to_owned())
            }
            Self::Said { .. } => None,
        }
    }
}
