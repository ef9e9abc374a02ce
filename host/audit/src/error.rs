//! Why a record could not be written.

use ringfence_capability::{Class, Diagnostic};
use std::io;

/// A record that could not be written. The action it is about must not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file could not be opened.
    #[error("cannot open the audit log `{name}`")]
    Open {
        /// The name of the file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be locked, read or written.
    #[error("cannot {what} the audit log `{name}`")]
    Io {
        /// The name of the file.
        name: String,
        /// What failed.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key that checkpoints are signed with could not be read or written.
    #[error("cannot {what} the audit key `{name}`")]
    Key {
        /// The name of the file.
        name: String,
        /// What failed.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key that checkpoints are signed with is of no use.
    #[error("the audit key `{name}` cannot be used: {why}")]
    UnusableKey {
        /// The name of the file.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// The record could not be put into JSON.
    #[error("cannot write an audit record as JSON")]
    Encode {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The last whole line is no sound record.
    #[error("the last record of the audit log `{name}` is not sound")]
    BrokenTail {
        /// The name of the file.
        name: String,
    },
    /// The file is shorter than it was.
    #[error(
        "the audit log `{name}` lost records while it was open: {now} bytes, there were {before}"
    )]
    Shortened {
        /// The name of the file.
        name: String,
        /// Its length now.
        now: u64,
        /// Its length before.
        before: u64,
    },
}

impl Diagnostic for AuditError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "audit::open",
            Self::Io { .. } => "audit::io",
            Self::Key { .. } | Self::UnusableKey { .. } => "audit::key",
            Self::Encode { .. } => "audit::encode",
            Self::BrokenTail { .. } => "audit::broken-tail",
            Self::Shortened { .. } => "audit::shortened",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Open { .. } | Self::Io { .. } | Self::Key { .. } | Self::Encode { .. } => {
                Class::Internal
            }
            Self::UnusableKey { .. } | Self::BrokenTail { .. } | Self::Shortened { .. } => {
                Class::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::BrokenTail { .. } | Self::Shortened { .. } => {
                "run `ringfence audit verify` to see where; keep the files as evidence by moving \
                 `audit.*` aside, a new log is begun"
            }
            Self::UnusableKey { .. } => {
                "if others may read it, take that away: `chmod 600` the file; if others have read it, or it \
                 is lost, move it aside, a new one is made, and name the old public key to \
                 `ringfence audit verify --key`"
            }
            Self::Open { source, .. } | Self::Io { source, .. } | Self::Key { source, .. } => {
                match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "make room on the disk the state directory is on: what cannot be recorded \
                         is not done"
                    }
                    io::ErrorKind::ReadOnlyFilesystem => {
                        "name a state directory that can be written with `--state-dir`: what cannot \
                         be recorded is not done"
                    }
                    _ => return None,
                }
            }
            Self::Encode { .. } => return None,
        };
        Some(text.to_owned())
    }
}
