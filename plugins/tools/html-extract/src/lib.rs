//! Extracts the readable text and the metadata of an HTML page.
//!
//! `page` gets the bytes, `extract` has the crate `readable` find the article and its metadata in them.

#![deny(unsafe_code)]

mod error;
mod extract;
mod page;

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
