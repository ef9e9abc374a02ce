//! Extracts the readable text and the metadata of an HTML page.
//!
//! `page` gets the bytes and decodes them, `tree` parses them within limits on nesting and nodes (what
//! runs on the tree later recurses), `extract` finds the article and its metadata.

#![deny(unsafe_code)]

mod error;
mod extract;
mod page;
mod tree;

use std::path::Path;

ringfence_sdk::plugin!("ringfence:html-extract/html-extract" for HtmlExtract, additional_derives: [PartialEq]);

/// The component.
struct HtmlExtract;

impl Guest for HtmlExtract {
    fn extract(
        input: Source,
        options: Option<Options>,
    ) -> Result<Extracted, ringfence_sdk::ToolError> {
        Ok(extract::extract(Path::new("/"), input, options.as_ref())?)
    }
}
