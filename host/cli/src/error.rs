//! Errors of the command line itself, and the others behind one type.

use ringfence::{Class, Diagnostic, RunError};

/// What ends a command.
#[derive(Debug)]
pub(crate) enum CliError {
    /// An argument cannot be used.
    Usage(String),
    /// A file cannot be read.
    File { what: &'static str, path: String, source: std::io::Error },
    /// A room says no.
    Room(Box<dyn Diagnostic>),
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::File { what, path, .. } => write!(f, "the {what} `{path}` cannot be read"),
            Self::Room(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CliError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) => None,
            Self::File { source, .. } => Some(source),
            Self::Room(error) => error.source(),
        }
    }
}

impl Diagnostic for CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "cli::usage",
            Self::File { .. } => "cli::file",
            Self::Room(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Usage(_) | Self::File { .. } => Class::BadInput,
            Self::Room(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_) => None,
            Self::File { .. } => Some("check the path and its rights".to_owned()),
            Self::Room(error) => error.hint(),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        Self::Room(Box::new(error))
    }
}

impl From<ringfence_policy::PolicyError> for CliError {
    fn from(error: ringfence_policy::PolicyError) -> Self {
        Self::Room(Box::new(error))
    }
}

impl From<ringfence_bundle::BundleError> for CliError {
    fn from(error: ringfence_bundle::BundleError) -> Self {
        Self::Room(Box::new(error))
    }
}

impl From<ringfence_capability::ParseError> for CliError {
    fn from(error: ringfence_capability::ParseError) -> Self {
        Self::Usage(error.to_string())
    }
}
