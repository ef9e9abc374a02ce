//! Why a conversion was refused; the component maps these to the error variants of its WIT.

use std::error::Error as _;
use std::io;

use ringfence_sdk::ToolError;

/// Why a table could not be converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// The arguments contradict each other or name nothing.
    #[error("{reason}")]
    BadOption {
        /// What is wrong with which option.
        reason: String,
    },
    /// The input is not a table of its format.
    #[error("{place}: {reason}")]
    BadInput {
        /// Row or line in the input.
        place: String,
        /// What was found there.
        reason: String,
    },
    /// A path does not exist or is no file.
    #[error("no file `{path}` in what this plugin may read")]
    NotFound {
        /// The path as given.
        path: String,
    },
    /// The grants do not cover the operation.
    #[error("{action} `{path}` was not granted")]
    Denied {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path as given.
        path: String,
    },
    /// Something is larger than the limit that is named.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Reading or writing failed for another reason.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path as given, or `text` for inline input.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl TableError {
    pub(crate) fn option(reason: impl Into<String>) -> Self {
        Self::BadOption { reason: reason.into() }
    }

    pub(crate) fn input(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::BadInput { place: place.into(), reason: reason.into() }
    }

    /// Sorts an operating-system error into the kinds that a caller can act on.
    pub(crate) fn from_io(action: &'static str, path: &str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => Self::NotFound { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                let action = if action == "read" { "reading" } else { "writing" };
                Self::Denied { action, path }
            }
            _ => Self::Io { action, path, source },
        }
    }
}

impl From<TableError> for ToolError {
    fn from(error: TableError) -> Self {
        let text = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        match error {
            TableError::BadOption { .. } | TableError::BadInput { .. } => Self::InvalidInput(text),
            TableError::NotFound { .. } => Self::NotFound(text),
            TableError::Denied { .. } => Self::Denied(text),
            TableError::TooLarge { limit, .. } => Self::TooLarge(limit),
            TableError::Io { .. } => Self::Failed(text),
        }
    }
}
