//! Where a bundle was installed from, and where an update looks for the next one.

use ringfence_capability::{ParseError, text};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest source.
const MAX_CHARS: usize = 4_096;

/// Where a bundle comes from. Written `file:PATH`, `directory:PATH` or `oci:REFERENCE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(clippy::exhaustive_enums, reason = "whoever fetches must handle every source")]
pub enum Source {
    /// A packed bundle or a component, by its path.
    File(String),
    /// A directory that is packed when it is installed, by its path.
    Directory(String),
    /// A reference in a registry, such as `registry.example/tools/word-count:1.2`.
    Oci(String),
}

impl Source {
    /// Returns what the operator would write: the path or the reference.
    pub fn operand(&self) -> &str {
        let (Self::File(text) | Self::Directory(text) | Self::Oci(text)) = self;
        text
    }

    /// Returns the same kind of source at another path or reference.
    ///
    /// # Errors
    /// As [`Source::from_str`].
    pub fn at(&self, operand: &str) -> Result<Self, ParseError> {
        format!("{}:{operand}", self.kind()).parse()
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Directory(_) => "directory",
            Self::Oci(_) => "oci",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.operand())
    }
}

impl FromStr for Source {
    type Err = ParseError;

    fn from_str(source: &str) -> Result<Self, ParseError> {
        let fail = |why| ParseError::new("source", source, why);
        let (kind, operand) = source.split_once(':').unwrap_or((source, ""));
        if operand.is_empty() || operand.chars().count() > MAX_CHARS {
            return Err(fail("a path or a reference of at most 4096 characters follows the `:`"));
        }
        if operand.chars().any(text::hides) {
            return Err(fail("control and hidden characters are not allowed"));
        }
        let operand = operand.to_owned();
        match kind {
            "file" => Ok(Self::File(operand)),
            "directory" => Ok(Self::Directory(operand)),
            "oci" => Ok(Self::Oci(operand)),
            _ => Err(fail("it begins with `file:`, `directory:` or `oci:`")),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for text in ["file:/a b/x.rfz", "directory:./p", "oci:r.example:5000/a/b@sha256:00"] {
            let source: Source = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
        }
        let moved = "file:/a/x.rfz".parse::<Source>().unwrap().at("../x.rfz").unwrap();
        assert_eq!(moved, Source::File("../x.rfz".to_owned()));
    }

    #[test]
    fn anything_else_is_no_source() {
        for (text, why) in [
            ("", "follows the `:`"),
            ("file:", "follows the `:`"),
            ("/a/x.rfz", "follows the `:`"),
            ("http://x", "begins with `file:`"),
            ("file:/a\u{202e}b", "hidden characters"),
            ("file:/a\nb", "hidden characters"),
        ] {
            let error = text.parse::<Source>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
