//! What goes wrong with an outside server.

use std::time::Duration;

use ringfence_capability::{Class, Diagnostic, text};

use crate::CallError;
use crate::message::RpcError;

/// Why an outside server gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It ended, or closed its output.
    #[error("the server ended while it was asked to {what}")]
    Ended {
        /// What it was asked to do.
        what: &'static str,
    },
    /// It took too long.
    #[error("the server did not {what} within {} s", .after.as_secs_f64())]
    Slow {
        /// What it was asked to do.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// It sends more than is taken.
    #[error("the server sent more than {most} {what} before one answer")]
    Flood {
        /// The most that is taken.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// It cannot be written to.
    #[error("the server does not take what is sent to it")]
    Unwritable {
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It answered with an error.
    #[error("the server answered with an error: {}", text::brief(&error.message, 500))]
    Refused {
        /// The error.
        error: RpcError,
    },
    /// It speaks no revision that is spoken here.
    #[error("the server speaks revision `{}`, which is not spoken here", text::brief(revision, 40))]
    Revision {
        /// What it speaks.
        revision: String,
    },
    /// What it answers is not what the protocol says.
    #[error("the server's answer is none: {why}")]
    NoAnswer {
        /// What is wrong.
        why: &'static str,
    },
    /// It has too much to answer.
    #[error("the answer is larger than {most} bytes")]
    TooLarge {
        /// The most bytes.
        most: usize,
    },
    /// Whoever asked does not wait any more.
    #[error("the call was withdrawn")]
    Withdrawn,
}

impl ClientError {
    /// Tells whether the server can be talked to after this.
    pub fn leaves_it_usable(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::TooLarge { .. } | Self::NoAnswer { .. } | Self::Withdrawn
        )
    }
}

impl Diagnostic for ClientError {
    fn code(&self) -> &'static str {
        match self {
            Self::Ended { .. } => "mcp::server-ended",
            Self::Slow { .. } => "mcp::server-slow",
            Self::Flood { .. } => "mcp::server-flood",
            Self::Unwritable { .. } => "mcp::server-unwritable",
            Self::Refused { .. } => "mcp::server-error",
            Self::Revision { .. } => "mcp::server-revision",
            Self::NoAnswer { .. } => "mcp::server-answer",
            Self::TooLarge { .. } => "mcp::server-answer-size",
            Self::Withdrawn => "mcp::withdrawn",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Slow { .. } | Self::Flood { .. } | Self::TooLarge { .. } | Self::Withdrawn => {
                Class::LimitReached
            }
            _ => Class::PluginFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ended { .. } => Some(
                "it may need a directory, a variable or a host it was not given: \
                 `ringfence mcp list` shows what it has"
                    .to_owned(),
            ),
            Self::Slow { .. } => Some("give it more time with `--timeout`".to_owned()),
            Self::Flood { .. } | Self::NoAnswer { .. } | Self::Unwritable { .. } => {
                Some("tell the author of the server".to_owned())
            }
            Self::TooLarge { .. } => Some("ask for less at once".to_owned()),
            Self::Refused { .. } | Self::Revision { .. } | Self::Withdrawn => None,
        }
    }
}

impl From<ClientError> for CallError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Slow { after, .. } => Self::TimedOut { after },
            other => Self::of(&other),
        }
    }
}
