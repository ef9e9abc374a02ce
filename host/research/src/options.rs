//! What a person says about a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How widely to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the plan step knows exactly these")]
pub enum Strategy {
    /// Also what a complete answer has: evidence, limits, objections.
    #[default]
    Comprehensive,
    /// The question and its parts.
    Focused,
    /// Also what lies beside the question.
    Exploratory,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comprehensive => "comprehensive",
            Self::Focused => "focused",
            Self::Exploratory => "exploratory",
        })
    }
}

/// A list of ratings of domains that the user has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_structs, reason = "the bias step knows exactly these")]
pub struct TrustList {
    /// What to call it.
    pub name: String,
    /// Its text, as comma-separated values.
    pub csv: String,
    /// When it was published, as `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// What to do in a run.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Options::default()`")]
pub struct Options {
    /// How widely to search.
    pub strategy: Strategy,
    /// How far down each list of hits is read: 8 hits, and twice as many with each further level.
    pub depth: u32,
    /// Most searches.
    pub breadth: u32,
    /// Most documents that are retrieved.
    pub budget: u32,
    /// Most sentences of the report.
    pub sentences: u32,
    /// Lists of ratings of domains; the first that knows one decides.
    pub lists: Vec<TrustList>,
    /// The day, as `YYYY-MM-DD`.
    pub today: String,
}

/// The hits of one search that the first level of depth reads.
const FIRST_HITS: u32 = 8;

impl Options {
    /// The deepest.
    pub const MAX_DEPTH: u32 = 6;
    /// The broadest: what the plan step makes at most.
    pub const MAX_BREADTH: u32 = 32;
    /// The most documents of one run.
    pub const MAX_BUDGET: u32 = 1000;

    /// Returns how many hits of one search are taken.
    pub(crate) fn hits(&self) -> u32 {
        FIRST_HITS << self.depth.clamp(1, Self::MAX_DEPTH).saturating_sub(1)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            depth: 2,
            breadth: 8,
            budget: 40,
            sentences: 20,
            lists: Vec::new(),
            today: String::new(),
        }
    }
}
