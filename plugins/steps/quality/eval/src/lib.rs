//! Measures the research algorithms on labelled sets: what is found, what is missed, what is merged
//! wrongly, and how time and memory grow.
//!
//! `sets` makes the sets, `measure` scores them. Everything is generated from fixed seeds, so that
//! the same program prints the same numbers; only times differ.

#![forbid(unsafe_code)]

pub mod agreement;
pub mod growth;
pub mod measure;
pub mod mutate;
pub mod random;
pub mod sets;
pub mod templates;
