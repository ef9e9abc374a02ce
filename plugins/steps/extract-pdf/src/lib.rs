//! Makes readable text of PDF files. It is apart from `extract`, so that a file which stops or exhausts it takes
//! nothing else along, and so that runs without PDF files do not compile it.

#![deny(unsafe_code)]

mod pdf;

use research_quality::hash::sha256_hex;
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-extract-pdf/extract-pdf" for ExtractPdf, generate_all);

use exports::ringfence::research::extract::{Guest, Page, Readable};

/// Longest text; longer text is cut.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Largest file.
const MAX_FILE_BYTES: usize = 8 << 20;

/// The component.
struct ExtractPdf;

impl Guest for ExtractPdf {
    fn extract(page: Page) -> Result<Readable, ToolError> {
        if page.body.len() > MAX_FILE_BYTES {
            return Err(ToolError::TooLarge(MAX_FILE_BYTES as u64));
        }
        let pdf::Pdf { text, title, truncated } = pdf::read(&page.body, MAX_TEXT_BYTES)?;
        let words = research_quality::text::count_words(&text);
        Ok(Readable {
            sha256: sha256_hex(text.as_bytes()),
            text,
            truncated,
            article: false,
            title,
            byline: None,
            published: None,
            language: None,
            canonical: None,
            charset: "PDF".to_owned(),
            words: u32::try_from(words).unwrap_or(u32::MAX),
        })
    }
}
