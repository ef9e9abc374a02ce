//! The edge to the plugins: which steps there are, and how one is called.

use std::fmt;

use futures::future::BoxFuture;
use ringfence_capability::Diagnostic;
use serde_json::Value;

use crate::report::StepUsed;

/// The steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever runs the steps has to have every one of them")]
pub enum StepKind {
    /// Makes searches of a question.
    Plan,
    /// Finds documents and gets them.
    Provider,
    /// Makes readable text of a page.
    Extract,
    /// Finds which documents are independent of each other.
    Deduplicate,
    /// Counts where sources come from.
    Bias,
    /// Finds the documents that answer the question.
    Rank,
    /// Finds sentences that may contradict each other.
    Contradict,
    /// Makes a report of sentences of the sources, and checks reports.
    Synthesise,
}

impl StepKind {
    /// Every step, in the order they run in.
    pub const ALL: [Self; 8] = [
        Self::Plan,
        Self::Provider,
        Self::Extract,
        Self::Deduplicate,
        Self::Bias,
        Self::Rank,
        Self::Contradict,
        Self::Synthesise,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Provider => "provider",
            Self::Extract => "extract",
            Self::Deduplicate => "deduplicate",
            Self::Bias => "bias",
            Self::Rank => "rank",
            Self::Contradict => "contradict",
            Self::Synthesise => "synthesise",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for StepKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|step| step.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|step| step.name()).collect();
            format!("`{text}` is no step; the steps are {}", known.join(", "))
        })
    }
}

/// Why a step gave nothing.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a run goes on after the one and ends with the other")]
pub enum StepError {
    /// The step itself says so. `case` is the case of its error, such as `not-found`.
    Said {
        /// The case of the error.
        case: String,
        /// Its text.
        text: String,
    },
    /// The step did not get to an answer: it was refused, trapped or reached a limit.
    Ended(Ended),
}

/// What ended a step: an error of whoever ran it.
#[derive(Debug)]
pub struct Ended(Box<dyn Diagnostic>);

impl Ended {
    /// Keeps an error.
    pub fn new(error: impl Diagnostic) -> Self {
        Self(Box::new(error))
    }

    /// Returns it.
    pub fn diagnostic(&self) -> &dyn Diagnostic {
        &*self.0
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Ended {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { case, text } => write!(f, "{case}: {text}"),
            Self::Ended(error) => error.fmt(f),
        }
    }
}

/// Whoever can call the steps, each with its own grants.
pub trait Steps: Sync {
    /// Calls a function of a step with JSON, by the mapping of WIT values to JSON.
    fn call<'a>(
        &'a self,
        step: StepKind,
        function: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, StepError>>;

    /// Returns which plugin a step is, and what it was granted.
    fn used(&self, step: StepKind) -> StepUsed;

    /// Tells whether the plugin of a step exports this interface of `ringfence:research` besides its own.
    fn has(&self, step: StepKind, interface: &str) -> bool;

    /// Tells whether pages of this media type are read by a plugin other than the extract step's.
    fn has_reader(&self, media_type: &str) -> bool {
        let _ = media_type;
        false
    }

    /// Returns the plugins that read pages of some media type in place of the extract step, as far as any came.
    fn readers(&self) -> Vec<StepUsed> {
        Vec::new()
    }

    /// Hears that an answer of a step was not asked for, because an earlier run kept it. What a step read from
    /// the network then is read from the network now.
    fn kept_answer(&self, step: StepKind);
}

/// Hears how far a run is.
pub trait Watch: Sync {
    /// `done` of `total` parts of a step are done.
    fn progress(&self, step: StepKind, done: usize, total: usize);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it is nothing")]
pub struct Silence;

impl Watch for Silence {
    fn progress(&self, _: StepKind, _: usize, _: usize) {}
}
