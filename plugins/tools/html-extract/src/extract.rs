//! Reads the page, and gives what `readable_page` finds in the types of the interface.

use std::path::Path;

use page_charset::Decoded;

use crate::error::InputError;
use crate::{Extracted, Form, Metadata, Options, Part, Source, page};

/// Content length where the caller names none, and the most a caller may name.
const DEFAULT_CONTENT_BYTES: u32 = 256 << 10;
const MAX_CONTENT_BYTES: u32 = 4 << 20;

/// Makes a page readable; paths start at `root`.
pub(crate) fn extract(
    root: &Path,
    input: Source,
    options: Option<&Options>,
) -> Result<Extracted, InputError> {
    let Decoded { text, charset, replaced } =
        page::load(root, input, options.and_then(|o| o.charset.as_deref()))?;
    let limit = options.and_then(|o| o.max_bytes).unwrap_or(DEFAULT_CONTENT_BYTES);
    let wanted = readable_page::Options {
        form: match options.and_then(|o| o.form) {
            None | Some(Form::Markdown) => readable_page::Form::Markdown,
            Some(Form::Text) => readable_page::Form::Text,
        },
        part: match options.and_then(|o| o.part) {
            None | Some(Part::Article) => readable_page::Part::Article,
            Some(Part::WholePage) => readable_page::Part::WholePage,
        },
        base_url: options.and_then(|o| o.base_url.as_deref()),
        max_bytes: limit.min(MAX_CONTENT_BYTES) as usize,
    };
    let found = readable_page::extract(&text, &wanted)?;
    Ok(Extracted {
        content: found.content,
        truncated: found.truncated,
        part: match found.part {
            readable_page::Part::Article => Part::Article,
            readable_page::Part::WholePage => Part::WholePage,
        },
        excerpt: found.excerpt,
        metadata: metadata(found.metadata),
        words: found.words,
        links: found.links,
        charset: charset.to_owned(),
        replaced,
    })
}

fn metadata(found: readable_page::Metadata) -> Metadata {
    Metadata {
        title: found.title,
        byline: found.byline,
        site_name: found.site_name,
        published: found.published,
        modified: found.modified,
        language: found.language,
        description: found.description,
        canonical: found.canonical,
        image: found.image,
    }
}

#[cfg(test)]
mod tests;
