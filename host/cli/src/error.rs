//! Errors of the command line itself, and the others behind one type.

use ringfence::{Class, Diagnostic, RunError};

/// What ends a command.
#[derive(Debug)]
pub(crate) enum CliError {
    /// An argument cannot be used.
    Usage(String),
    /// The command line itself cannot be read, and what may have been meant.
    Arguments { text: String, hint: Option<String> },
    /// Nothing says where the user's policy is.
    NoHome,
    /// A file cannot be read.
    File { what: &'static str, path: String, source: std::io::Error },
    /// A file cannot be written.
    Write { what: &'static str, path: String, source: std::io::Error },
    /// Something was not done, because it is not trusted or nobody said yes.
    Refused(String),
    /// A result cannot be written where it belongs.
    Output(std::io::Error),
    /// A room says no.
    Room(Box<dyn Diagnostic>),
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text) | Self::Refused(text) | Self::Arguments { text, .. } => {
                f.write_str(text)
            }
            Self::NoHome => f.write_str(
                "neither `XDG_CONFIG_HOME` nor `HOME` names a directory, so your policy cannot be looked for",
            ),
            Self::File { what, path, .. } => write!(f, "the {what} `{path}` cannot be read"),
            Self::Write { what, path, .. } => write!(f, "the {what} `{path}` cannot be written"),
            Self::Output(_) => f.write_str("standard output cannot be written"),
            Self::Room(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CliError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) | Self::Refused(_) | Self::Arguments { .. } | Self::NoHome => None,
            Self::File { source, .. } | Self::Write { source, .. } | Self::Output(source) => {
                Some(source)
            }
            Self::Room(error) => error.source(),
        }
    }
}

impl Diagnostic for CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Arguments { .. } => "cli::usage",
            Self::NoHome => "cli::no-home",
            Self::File { .. } => "cli::file",
            Self::Write { .. } => "cli::write",
            Self::Refused(_) => "cli::refused",
            Self::Output(_) => "cli::output",
            Self::Room(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Usage(_)
            | Self::Arguments { .. }
            | Self::NoHome
            | Self::File { .. }
            | Self::Write { .. } => Class::BadInput,
            Self::Refused(_) => Class::Refused,
            Self::Output(_) => Class::Internal,
            Self::Room(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_) | Self::Refused(_) => None,
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Some("it is there already: move it away, or name another file".to_owned())
            }
            Self::Write { .. } => Some("check that its directory exists and is yours".to_owned()),
            Self::Arguments { hint, .. } => hint.clone(),
            Self::NoHome => Some(
                "set `HOME` to your home directory; an empty one means no policy of yours"
                    .to_owned(),
            ),
            Self::File { .. } => Some("check the path and its rights".to_owned()),
            Self::Output(_) => {
                Some("check the disk that holds it; the work itself was done".to_owned())
            }
            Self::Room(error) => error.hint(),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        Self::Room(Box::new(error))
    }
}

impl From<ringfence::mcp::McpError> for CliError {
    fn from(error: ringfence::mcp::McpError) -> Self {
        Self::Room(Box::new(error))
    }
}

impl From<ringfence_policy::PolicyError> for CliError {
    fn from(error: ringfence_policy::PolicyError) -> Self {
        Self::Room(Box::new(error))
    }
}

/// Errors of rooms that end a command as they are.
macro_rules! from_rooms {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::Room(Box::new(error))
            }
        })+
    };
}

from_rooms!(
    ringfence_audit::AuditError,
    ringfence_bundle::BundleError,
    ringfence_bundle::archive::ArchiveError,
    ringfence::trust::KeyError,
    ringfence::trust::StoreError,
    ringfence::trust::TrustError,
);

#[cfg(feature = "oci")]
from_rooms!(ringfence_bundle::oci::OciError);

impl From<ringfence_capability::ParseError> for CliError {
    fn from(error: ringfence_capability::ParseError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        let mut parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
        let first = parts.next().unwrap_or("the command line cannot be read");
        let tips: Vec<_> = parts.filter_map(|part| part.strip_prefix("tip: ")).collect();
        let lines = first.strip_prefix("error: ").unwrap_or(first).lines().map(str::trim);
        Self::Arguments {
            text: lines.collect::<Vec<_>>().join(" "),
            hint: Some(if tips.is_empty() {
                "`ringfence --help` shows the commands, `ringfence COMMAND --help` the options"
                    .to_owned()
            } else {
                tips.join("; ")
            }),
        }
    }
}
