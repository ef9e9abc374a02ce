//! A TOML document that knows its places: tables with fixed keys, values with their line.

use crate::nearest::nearest;
use crate::{BundleError, ManifestProblem};
use ringfence_capability::{Origin, ParseError, text};
use std::ops::Range;
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a manifest and its name.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    file: &'a str,
}

impl<'a> Document<'a> {
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        Self { text, file }
    }

    /// Returns the error for `problem` at a byte offset.
    pub(super) fn error(&self, offset: usize, problem: ManifestProblem) -> BundleError {
        let (line, column) = self.place(offset);
        let (file, problem) = (self.file.to_owned(), Box::new(problem));
        BundleError::Manifest { file, line, column, problem }
    }

    /// Returns where a byte offset is, as the origin of a request.
    pub(super) fn origin(&self, offset: usize) -> Origin {
        Origin::File { path: self.file.to_owned(), line: self.place(offset).0 }
    }

    fn place(&self, offset: usize) -> (u32, u32) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let lines = before.bytes().filter(|byte| *byte == b'\n').count();
        let columns = before[line_start..].chars().count();
        let from_one = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        (from_one(lines), from_one(columns))
    }
}

/// A table whose keys are all known.
pub(super) struct Table<'d, 'v> {
    pub(super) document: &'d Document<'d>,
    section: String,
    start: usize,
    entries: &'v DeTable<'v>,
}

impl<'d, 'v> Table<'d, 'v> {
    /// Returns `table` after checking that it has no key but `known` ones.
    pub(super) fn new(
        document: &'d Document<'d>,
        section: &str,
        start: usize,
        table: &'v DeTable<'v>,
        known: &[&str],
    ) -> Result<Self, BundleError> {
        for key in table.keys() {
            let text: &str = key.get_ref();
            if !known.contains(&text) {
                let problem = ManifestProblem::UnknownKey {
                    key: shorten(text),
                    section: section.to_owned(),
                    nearest: nearest(text, known.iter().copied()).map(str::to_owned),
                    known: list(known),
                };
                return Err(document.error(key.span().start, problem));
            }
        }
        Ok(Self { document, section: section.to_owned(), start, entries: table })
    }

    /// Returns the value of `key`.
    pub(super) fn value(&self, key: &'static str) -> Option<Value<'d, 'v>> {
        let value = self.entries.get(key)?;
        Some(Value { document: self.document, key: key.to_owned(), spanned: value })
    }

    /// Returns the value of `key`, or the error that it is missing; `example` is a line that would do.
    pub(super) fn required(
        &self,
        key: &'static str,
        example: &'static str,
    ) -> Result<Value<'d, 'v>, BundleError> {
        self.value(key).ok_or_else(|| {
            let section = self.section.clone();
            let problem = ManifestProblem::MissingKey { key, section, example };
            self.document.error(self.start, problem)
        })
    }

    /// Returns the truth value of `key`, false when it is absent.
    pub(super) fn flag(&self, key: &'static str) -> Result<bool, BundleError> {
        self.value(key).map_or(Ok(false), |value| value.boolean())
    }
}

/// One value and the key it belongs to.
pub(super) struct Value<'d, 'v> {
    pub(super) document: &'d Document<'d>,
    pub(super) key: String,
    spanned: &'v Spanned<DeValue<'v>>,
}

impl<'d, 'v> Value<'d, 'v> {
    pub(super) fn new(
        document: &'d Document<'d>,
        key: &str,
        value: &'v Spanned<DeValue<'v>>,
    ) -> Self {
        Self { document, key: shorten(key), spanned: value }
    }

    /// Returns where the value begins.
    pub(super) fn start(&self) -> usize {
        let Range { start, .. } = self.spanned.span();
        start
    }

    pub(super) fn text(&self) -> Result<&'v str, BundleError> {
        let text = self.spanned.get_ref().as_str();
        text.ok_or_else(|| self.wrong_type("a string in quotes"))
    }

    pub(super) fn boolean(&self) -> Result<bool, BundleError> {
        let flag = self.spanned.get_ref().as_bool();
        flag.ok_or_else(|| self.wrong_type("`true` or `false`"))
    }

    /// Returns the text of a string, or of a whole number written without quotes.
    pub(super) fn text_or_number(&self) -> Result<&'v str, BundleError> {
        match self.spanned.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str()),
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type("a string such as \"64MiB\", or a whole number")),
        }
    }

    pub(super) fn table(&self) -> Result<&'v DeTable<'v>, BundleError> {
        let table = self.spanned.get_ref().as_table();
        table.ok_or_else(|| self.wrong_type("a table"))
    }

    /// Returns the elements of a list that has at least one.
    pub(super) fn list(&self, expected: &'static str) -> Result<Vec<Self>, BundleError> {
        let array = self.spanned.get_ref().as_array();
        let array = array.ok_or_else(|| self.wrong_type(expected))?;
        if array.is_empty() {
            return Err(self.refuse("list", "it is empty; remove it or name something"));
        }
        Ok(array.iter().map(|value| Self::new(self.document, &self.key, value)).collect())
    }

    /// Returns the string read as a `T`.
    pub(super) fn parse<T: FromStr<Err = ParseError>>(&self) -> Result<T, BundleError> {
        self.text()?.parse().map_err(|source| self.wrong(source))
    }

    /// Returns the error that the value is not well formed.
    pub(super) fn wrong(&self, source: ParseError) -> BundleError {
        self.problem(ManifestProblem::Value { key: self.key.clone(), source })
    }

    /// Returns the error that the value is not a `what`.
    pub(super) fn refuse(&self, what: &'static str, why: &'static str) -> BundleError {
        let text = self.spanned.get_ref().as_str().unwrap_or_default();
        self.wrong(ParseError::new(what, text, why))
    }

    pub(super) fn problem(&self, problem: ManifestProblem) -> BundleError {
        self.document.error(self.start(), problem)
    }

    fn wrong_type(&self, expected: &'static str) -> BundleError {
        let found = self.spanned.get_ref().type_str();
        self.problem(ManifestProblem::WrongType { key: self.key.clone(), expected, found })
    }
}

/// Returns the words in backticks, separated by commas.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the beginning of a text from the file, fit for a message.
pub(super) fn shorten(text: &str) -> String {
    text::brief(text, 80)
}
