//! Finds text in the files of the workspace, line by line.
//!
//! `wit/world.wit` says what can be asked and what is answered. Start reading at [`search::run`];
//! `collect` turns the lines the searcher finds into the report, within its budget.

#![deny(unsafe_code)]

mod collect;
pub mod search;

use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:text-search/text-search" for TextSearch, additional_derives: [PartialEq]);

pub use bindings::{File, Match, Report, Request, SkipReason, Skipped};

struct TextSearch;

impl Guest for TextSearch {
    fn search(request: Request) -> Result<Report, ToolError> {
        search::run(&request)
    }
}

#[cfg(test)]
mod tests;
