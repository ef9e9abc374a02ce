//! Why a page was refused.

use std::io;

use ringfence_sdk::ToolError;

/// Why nothing could be extracted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    #[error("the page is empty")]
    Empty,
    #[error("the input is {kind}, not an HTML page")]
    NotHtml { kind: &'static str },
    #[error("unknown charset `{label}`; use a name such as `utf-8` or `iso-8859-1`")]
    UnknownCharset { label: String },
    #[error("base-url `{url}` is not an absolute address")]
    BadBaseUrl { url: String },
    #[error("a path must name a file")]
    BadPath,
    #[error("elements are nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("the page has more than {limit} elements and texts")]
    TooManyNodes { limit: usize },
    #[error("texts with this many `&` take too long to work on")]
    TooManyEscapes,
    #[error("the page is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("cannot read `{path}`")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
}

impl From<PageError> for ToolError {
    fn from(error: PageError) -> Self {
        match &error {
            PageError::TooLarge { limit } => Self::TooLarge(*limit),
            PageError::Read { path, source } => Self::io(path, source),
            _ => Self::InvalidInput(error.to_string()),
        }
    }
}
