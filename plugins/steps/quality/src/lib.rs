//! The algorithms behind the research steps, free of input and output: the same bytes in give the same
//! bytes out, natively and as WebAssembly.
//!
//! Nothing here reads a file, a clock or a random number, nothing panics, and every allocation is
//! bounded by a constant in [`limits`]. `text` has the words every other module counts in; start
//! with [`neardup`] to see them used. The reference page on research quality states each algorithm
//! exactly, with its sources.

#![forbid(unsafe_code)]

pub mod bias;
pub mod cite;
pub mod contradict;
pub mod document;
pub mod hash;
mod lexicon;
pub mod limits;
pub mod neardup;
pub mod plan;
mod question;
pub mod rank;
pub mod sentence;
mod statement;
pub mod stem;
pub mod synthesise;
pub mod text;
