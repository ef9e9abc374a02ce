//! Finds the readable text and the metadata of an HTML page, within bounds.
//!
//! `decode` gets text from bytes, `tree` parses it within limits on nesting and nodes (what runs on the
//! tree later recurses), `extract` finds the article and its metadata. Nothing is read or fetched here.

#![forbid(unsafe_code)]

mod decode;
mod extract;
mod tree;

pub use decode::{MAX_PAGE_BYTES, decode};
pub use extract::extract;

/// Why nothing could be extracted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// There is nothing in it.
    #[error("the page is empty")]
    Empty,
    /// It is something else.
    #[error("the input is {kind}, not an HTML page")]
    NotHtml {
        /// What it is.
        kind: &'static str,
    },
    /// There is no such encoding.
    #[error("unknown charset `{label}`; use a name such as `utf-8` or `iso-8859-1`")]
    UnknownCharset {
        /// The name that was given.
        label: String,
    },
    /// The address cannot be one to resolve links against.
    #[error("base-url `{url}` is not an absolute address")]
    BadBaseUrl {
        /// The address.
        url: String,
    },
    /// It is nested too deep.
    #[error("elements are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It has too many parts.
    #[error("the page has more than {limit} elements and texts")]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
    /// It is made to take long.
    #[error("texts with this many `&` take too long to work on")]
    TooManyEscapes,
    /// It is too large.
    #[error("the page is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Markdown.
    Markdown,
    /// Plain text, paragraphs apart.
    Text,
}

/// Which part of the page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The article, or the whole page when none can be told apart.
    Article,
    /// Everything in the body.
    WholePage,
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// Form of the content.
    pub form: Form,
    /// Part of the page.
    pub part: Part,
    /// Address that relative links are resolved against.
    pub base_url: Option<&'o str>,
    /// Most bytes of content; longer content is cut.
    pub max_bytes: usize,
}

/// What a page says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Title of the article.
    pub title: Option<String>,
    /// Who wrote it.
    pub byline: Option<String>,
    /// Name of the site.
    pub site_name: Option<String>,
    /// When it was published, as the page writes it.
    pub published: Option<String>,
    /// When it was last changed, as the page writes it.
    pub modified: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Description for search engines.
    pub description: Option<String>,
    /// Address that the page calls its own.
    pub canonical: Option<String>,
    /// Address of the picture that stands for the page.
    pub image: Option<String>,
}

/// A page made readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// The content.
    pub content: String,
    /// Whether it was cut.
    pub truncated: bool,
    /// The part it holds.
    pub part: Part,
    /// First sentence or description.
    pub excerpt: Option<String>,
    /// What the page says about itself.
    pub metadata: Metadata,
    /// Words in the content before it was cut; every ideograph counts as one.
    pub words: u32,
    /// Links in the content.
    pub links: u32,
}
