//! Converts tables between CSV, TSV, JSON, JSON Lines and Markdown.
//!
//! The input is opened twice: `read::shape` finds the columns, then `read::each_row` hands every row
//! to a `write::TableWriter`. At no time is more than one row in memory, and nothing is written
//! before the first pass came to its end. Start at `convert.rs`; `bounds.rs` holds the limits.

#![deny(unsafe_code)]

mod bounds;
mod cell;
mod convert;
mod error;
mod origin;
mod read;
mod write;

use std::path::Path;

ringfence_sdk::plugin!("ringfence:table-convert/table-convert" for TableConvert);

/// The component.
struct TableConvert;

impl Guest for TableConvert {
    fn convert(
        input: Source,
        to: Format,
        options: Option<Options>,
    ) -> Result<Converted, ringfence_sdk::ToolError> {
        Ok(convert::convert(Path::new("/"), &input, to, options.as_ref())?)
    }
}
