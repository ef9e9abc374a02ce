//! How the errors of the standard library become the error of a tool.

use std::fmt::{self, Display, Formatter};
use std::io;

use crate::ToolError;

impl ToolError {
    /// Returns the error for arguments, or a file, that cannot be used as they are.
    pub fn invalid_input(text: impl Display) -> Self {
        Self::InvalidInput(text.to_string())
    }

    /// Returns the error for a file, page or entry that does not exist.
    pub fn not_found(text: impl Display) -> Self {
        Self::NotFound(text.to_string())
    }

    /// Returns the error for anything that has no case of its own.
    pub fn failed(text: impl Display) -> Self {
        Self::Failed(text.to_string())
    }

    /// Returns the error for `error`, with `name` in the text: the file or host it is about.
    pub fn io(name: impl Display, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let text = format!("`{name}`: {}", lower(error));
        match error.kind() {
            Kind::NotFound => Self::NotFound(text),
            // Outside the granted directories a path is answered with one of these two.
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Denied(text),
            Kind::InvalidInput
            | Kind::InvalidData
            | Kind::InvalidFilename
            | Kind::UnexpectedEof
            | Kind::IsADirectory
            | Kind::NotADirectory => Self::InvalidInput(text),
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::NotConnected => Self::Unavailable(text),
            Kind::TimedOut => Self::Timeout,
            _ => Self::Failed(text),
        }
    }
}

impl Display for ToolError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(text) => write!(f, "invalid input: {text}"),
            Self::Denied(text) => write!(f, "denied: {text}"),
            Self::NotFound(text) => write!(f, "not found: {text}"),
            Self::TooLarge(limit) => write!(f, "larger than {limit} bytes"),
            Self::Unavailable(text) => write!(f, "not available: {text}"),
            Self::Timeout => f.write_str("the time was used up"),
            Self::Cancelled => f.write_str("the call was withdrawn"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ToolError {}

impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> Self {
        match Self::io("", &error) {
            Self::NotFound(_) => Self::NotFound(lower(&error)),
            Self::Denied(_) => Self::Denied(lower(&error)),
            Self::InvalidInput(_) => Self::InvalidInput(lower(&error)),
            Self::Unavailable(_) => Self::Unavailable(lower(&error)),
            Self::Failed(_) => Self::Failed(lower(&error)),
            other => other,
        }
    }
}

impl From<std::string::FromUtf8Error> for ToolError {
    fn from(error: std::string::FromUtf8Error) -> Self {
        Self::InvalidInput(error.to_string())
    }
}

impl From<std::str::Utf8Error> for ToolError {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::InvalidInput(error.to_string())
    }
}

impl From<std::num::ParseIntError> for ToolError {
    fn from(error: std::num::ParseIntError) -> Self {
        Self::InvalidInput(error.to_string())
    }
}

impl From<std::num::ParseFloatError> for ToolError {
    fn from(error: std::num::ParseFloatError) -> Self {
        Self::InvalidInput(error.to_string())
    }
}

impl From<fmt::Error> for ToolError {
    fn from(error: fmt::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Operating-system messages start with a capital and end with a number nobody can use.
fn lower(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn check(kind: io::ErrorKind, expected: &ToolError) {
        assert_eq!(&ToolError::io("a.txt", &io::Error::new(kind, "Some text")), expected, "{kind}");
    }

    #[test]
    fn io_errors_keep_the_kind_a_caller_can_act_on() {
        let text = || "`a.txt`: some text".to_owned();
        check(io::ErrorKind::NotFound, &ToolError::NotFound(text()));
        check(io::ErrorKind::PermissionDenied, &ToolError::Denied(text()));
        check(io::ErrorKind::ReadOnlyFilesystem, &ToolError::Denied(text()));
        check(io::ErrorKind::InvalidData, &ToolError::InvalidInput(text()));
        check(io::ErrorKind::ConnectionRefused, &ToolError::Unavailable(text()));
        check(io::ErrorKind::TimedOut, &ToolError::Timeout);
        check(io::ErrorKind::Other, &ToolError::Failed(text()));
    }

    #[test]
    fn a_question_mark_on_a_missing_file_says_not_found() {
        let read = || -> Result<String, ToolError> { Ok(std::fs::read_to_string("no/such/file")?) };
        assert_eq!(read(), Err(ToolError::NotFound("no such file or directory".to_owned())));
    }

    #[test]
    fn every_error_has_a_text_for_people() {
        assert_eq!(ToolError::TooLarge(10).to_string(), "larger than 10 bytes");
        assert_eq!(ToolError::invalid_input("no pattern").to_string(), "invalid input: no pattern");
    }
}
