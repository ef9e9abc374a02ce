//! The one error of the development commands: what failed and what to do about it.

use std::fmt;
use std::path::Path;

/// What failed, and the next step for the person at the keyboard.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
    exit_code: u8,
}

impl Failure {
    /// Returns a failure of the work itself.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit_code: 1 }
    }

    /// Returns a failure of the command line.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        let hint = Some("run `cargo xtask --help`".to_owned());
        Self { what: what.into(), hint, exit_code: 2 }
    }

    /// Returns a failure to read or write `path`.
    pub(crate) fn io(verb: &str, path: &Path, source: &std::io::Error) -> Self {
        Self::new(format!("cannot {verb} `{}`: {source}", path.display()))
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the exit code of the process.
    pub(crate) const fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
