//! Why a page was not fetched.

use ringfence_sdk::ToolError;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its fields are")]
pub enum FetchError {
    #[error("address `{url}`: {reason}")]
    BadAddress { url: String, reason: String },
    #[error("header `{name}` {reason}")]
    BadHeader { name: String, reason: &'static str },
    #[error("the host refused: {reason}")]
    Denied { reason: String },
    #[error("redirect from `{from}` to `{to}` would give up encryption")]
    Downgrade { from: String, to: String },
    #[error("more than {limit} redirects, the last to `{url}`")]
    TooManyRedirects { limit: u8, url: String },
    #[error("`{media_type}` is not text; ask for bytes")]
    NotText { media_type: String },
    #[error("the body is encoded as `{encoding}`, which was not asked for")]
    Encoded { encoding: String },
    #[error("unknown charset `{label}`; ask for bytes")]
    UnknownCharset { label: String },
    #[error("no host `{host}` is known")]
    UnknownHost { host: String },
    #[error("{reason}")]
    Unavailable { reason: String },
    #[error("the server took too long")]
    TimedOut,
    #[error("larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("{reason}")]
    Failed { reason: String },
}

impl From<FetchError> for ToolError {
    fn from(error: FetchError) -> Self {
        let text = error.to_string();
        match error {
            FetchError::BadAddress { .. }
            | FetchError::BadHeader { .. }
            | FetchError::NotText { .. } => Self::InvalidInput(text),
            FetchError::Denied { .. } | FetchError::Downgrade { .. } => Self::Denied(text),
            FetchError::UnknownHost { .. } => Self::NotFound(text),
            FetchError::Unavailable { .. } | FetchError::TooManyRedirects { .. } => {
                Self::Unavailable(text)
            }
            FetchError::TimedOut => Self::Timeout,
            FetchError::TooLarge { limit } => Self::TooLarge(limit),
            FetchError::Encoded { .. }
            | FetchError::UnknownCharset { .. }
            | FetchError::Failed { .. } => Self::Failed(text),
        }
    }
}
