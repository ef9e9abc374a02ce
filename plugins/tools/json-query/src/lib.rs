//! Answers jq queries over JSON text and files.
//!
//! `wit/world.wit` says what can be asked and what is answered. [`query::run`] is the way through:
//! `program` compiles and says where a program is wrong, `input` reads JSON within limits.

#![deny(unsafe_code)]

mod input;
mod program;
pub mod query;

use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:json-query/json-query" for JsonQuery, additional_derives: [PartialEq]);

pub use bindings::{Report, Request};

struct JsonQuery;

impl Guest for JsonQuery {
    fn query(request: Request) -> Result<Report, ToolError> {
        query::run(&request)
    }
}

#[cfg(test)]
mod tests;
