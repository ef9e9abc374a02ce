//! A research run: steps in a fixed order, each a plugin behind [`Steps`], and a report whose every
//! sentence cites a place in a text that the report carries.
//!
//! Invariants: this room starts nothing and reads no file but its cache, it passes values from step to step; what a
//! source says is a value and never decides which step runs, what it is granted or what is searched for
//! next; a sentence that the checker refuses never reaches a report; everything that grows has a limit.
//!
//! Start with [`run`], then [`Report`] and [`check`].
#![forbid(unsafe_code)]

mod cache;
mod cached;
mod check;
mod confidence;
mod error;
mod evaluate;
mod gather;
mod judge;
mod markdown;
mod options;
mod pipeline;
mod report;
mod steps;
#[cfg(test)]
mod tests;

pub use cache::{
    Cache, CacheError, Entry as CacheEntry, Flight, Held, Key as CacheKey, Kind as CacheKind,
    MAX_BYTES as MAX_CACHE_BYTES,
};
pub use cached::{Cached, PAGE_AGE, RESUME_AGE, Resume, memory_key};
pub use check::{Checked, Finding, check, resolve};
pub use error::ResearchError;
pub use evaluate::{Answered, Clustered, Labelled, Question, Score, answered, clustered, clusters};
pub use markdown::markdown;
pub use options::{Options, Strategy, TrustList};
pub use pipeline::run;
pub use report::{
    Bias, Citation, Confidence, Contradiction, FORMAT, Level, Report, SameAs, Search, Share, Side,
    Skipped, Source, Statement, StepUsed, Verdict, Warning,
};
pub use steps::{Ended, Silence, StepError, StepKind, Steps, Watch};
