//! What is wrong with an input, and where.

use ringfence_capability::{Class, Diagnostic};
use serde_json::Value;
use std::fmt;

/// How much of a text from the input an error shows.
const SHOWN_CHARS: usize = 60;

/// JSON and a function's type do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A part of the input is not what the function's type says.
    #[error("{path}: expected {expected}, found {found}")]
    Mismatch {
        /// Where in the input, such as `input.items[3].name`.
        path: String,
        /// What the type says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The input becomes more values than the host makes for one call.
    #[error("the input holds more than {most} values")]
    TooLarge {
        /// The most there may be.
        most: usize,
    },
    /// A value has no form in JSON.
    #[error("{path}: {what} cannot be written as JSON")]
    NotConvertible {
        /// Where in the input or the result.
        path: String,
        /// What it is.
        what: &'static str,
    },
}

impl Diagnostic for ValueError {
    fn code(&self) -> &'static str {
        "engine::input"
    }

    fn class(&self) -> Class {
        Class::BadInput
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Mismatch { .. } => {
                "`ringfence inspect PLUGIN --schemas` shows what each function takes"
            }
            Self::TooLarge { .. } => "pass large data as a file in a granted directory",
            Self::NotConvertible { .. } => {
                "only a component can call this function; it is not callable with JSON"
            }
        };
        Some(hint.to_owned())
    }
}

/// A place in the input, kept on the stack and only written out for an error.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root(&'static str),
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(super) fn root(name: &'static str) -> Self {
        Self { parent: None, step: Step::Root(name), depth: 0 }
    }

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key), depth: self.depth + 1 }
    }

    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index), depth: self.depth + 1 }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn mismatch(&self, expected: impl Into<String>, found: &Value) -> ValueError {
        self.error(expected, describe(found))
    }

    pub(super) fn error(
        &self,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ValueError {
        let (expected, found) = (expected.into(), found.into());
        ValueError::Mismatch { path: self.to_string(), expected, found }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Root(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) if key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
                write!(f, ".{key}")
            }
            Step::Key(key) => write!(f, "[{:?}]", short(key)),
        }
    }
}

/// Returns what `value` is, for an error: never more than a line of it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {}", short(&number.to_string())),
        Value::String(text) => format!("the string {:?}", short(text)),
        Value::Array(items) if items.len() == 1 => "an array of 1 item".to_owned(),
        Value::Array(items) => format!("an array of {} items", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Returns the beginning of `text`.
pub(super) fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Returns names for an error, the first few of them.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<String> = names.take(SHOWN + 1).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("…".to_owned());
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
