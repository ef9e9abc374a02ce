//! Why a page was refused.

use std::io;

use readable_page::PageError;
use ringfence_sdk::ToolError;

/// Why nothing could be extracted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error(transparent)]
    Page(#[from] PageError),
    #[error("a path must name a file")]
    BadPath,
    #[error("cannot read `{path}`")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
}

impl From<InputError> for ToolError {
    fn from(error: InputError) -> Self {
        match &error {
            InputError::Page(PageError::TooLarge { limit }) => Self::TooLarge(*limit),
            InputError::Read { path, source } => Self::io(path, source),
            _ => Self::InvalidInput(error.to_string()),
        }
    }
}
