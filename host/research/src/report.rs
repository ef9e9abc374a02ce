//! The report, as it is written as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::options::Strategy;

/// What the field `format` says.
pub const FORMAT: &str = "ringfence-research/1";

/// A report. It carries the texts it cites, so that it can be checked by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// The question.
    pub question: String,
    /// How widely was searched.
    pub strategy: Strategy,
    /// The day it was made, as `YYYY-MM-DD`.
    pub made: String,
    /// The sentences, in the order of the sources.
    pub statements: Vec<Statement>,
    /// Sentences that may contradict each other.
    pub contradictions: Vec<Contradiction>,
    /// How far the whole can be relied on.
    pub confidence: Confidence,
    /// Every source that was read.
    pub sources: Vec<Source>,
    /// Where the sources come from.
    pub bias: Bias,
    /// What was searched for.
    pub searches: Vec<Search>,
    /// What was found and not used.
    pub skipped: Vec<Skipped>,
    /// Which plugin did what, with which grants.
    pub steps: Vec<StepUsed>,
    /// What a reader should know beside the above.
    pub notes: Vec<String>,
}

/// A sentence with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Statement {
    /// The sentence.
    pub text: String,
    /// The places that say it.
    pub citations: Vec<Citation>,
    /// How many independent sources say it.
    pub support: u32,
    /// How far it can be relied on.
    pub confidence: Confidence,
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Citation {
    /// The `id` of the source.
    pub source: String,
    /// SHA-256 of its text: the place means something in that text only.
    pub sha256: String,
    /// Where the place begins, in bytes of UTF-8.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
}

/// How far something can be relied on, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Confidence {
    /// How far.
    pub level: Level,
    /// Why.
    pub reasons: Vec<String>,
}

/// How far something can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "three levels are the promise")]
pub enum Level {
    /// One source, or something speaks against it.
    Low,
    /// Two independent sources, or a primary one.
    Medium,
    /// Three independent sources or more.
    High,
}

/// What one document is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the deduplicate step knows exactly these")]
pub enum Verdict {
    /// The same text, set differently.
    Exact,
    /// One holds nearly all of the other.
    Duplicate,
    /// One derives from the other.
    Derivative,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Source {
    /// What citations call it.
    pub id: String,
    /// Where it was found.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// When it was published, as it says.
    pub published: Option<String>,
    /// SHA-256 of its text.
    pub sha256: String,
    /// How many words it has.
    pub words: u32,
    /// How well it fits the question; absent when it shares no word with it.
    pub score: Option<f64>,
    /// Its class of trust: `primary`, `reliable`, `mixed`, `low` or `unknown`.
    pub trust: String,
    /// The number of its cluster: all of one count as one independent source.
    pub cluster: u32,
    /// What stands for its cluster, when it is another source.
    pub same_as: Option<SameAs>,
    /// Its text, when something cites it.
    pub text: Option<String>,
}

/// What stands for the cluster of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct SameAs {
    /// The `id` of the other source.
    pub source: String,
    /// What this one is to it.
    pub verdict: Verdict,
}

/// Two sentences that may contradict each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Contradiction {
    /// How they differ: `numbers`, `negation` or `opposites`.
    pub kind: String,
    /// What differs.
    pub detail: String,
    /// One side.
    pub first: Side,
    /// The other.
    pub second: Side,
}

/// One side of a contradiction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Side {
    /// The sentence.
    pub text: String,
    /// Where it stands.
    pub citation: Citation,
}

/// Where the sources come from, as the bias step says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Bias {
    /// Independent sources.
    pub sources: u32,
    /// How many domains of equal shares would be as concentrated.
    pub effective_domains: f64,
    /// Herfindahl-Hirschman index, from 0 to 1.
    pub hhi: f64,
    /// Share of the sources that lists know.
    pub coverage: f64,
    /// Share of low ones among those that lists know.
    pub low_ratio: f64,
    /// By domain, the largest share first, with what each list says.
    pub shares: Vec<Share>,
    /// What stands out.
    pub warnings: Vec<Warning>,
}

/// What comes from one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Share {
    /// The registrable domain.
    pub domain: String,
    /// Independent sources from it.
    pub sources: u32,
    /// The same over all independent sources.
    pub share: f64,
    /// Its class.
    pub class: String,
    /// What each list says, with the list, the line and the date.
    pub scores: Vec<Value>,
}

/// Something a reader should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Warning {
    /// A stable name.
    pub code: String,
    /// What it means here.
    pub message: String,
}

/// A search that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Search {
    /// What was searched for.
    pub query: String,
    /// Why.
    pub reason: String,
    /// How many documents were found.
    pub hits: usize,
    /// Why there are none, when the search itself failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<String>,
}

/// A document that was found and not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Skipped {
    /// Where it was found.
    pub url: String,
    /// Why it was not used.
    pub why: String,
}

/// Which plugin was a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "whoever runs the steps makes it")]
pub struct StepUsed {
    /// The step.
    pub step: String,
    /// The plugin, as `name@version`.
    pub plugin: String,
    /// Its digest.
    pub digest: String,
    /// What it was granted.
    pub grants: Vec<String>,
}
