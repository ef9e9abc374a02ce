//! Where a table comes from: text or a file, opened as often as needed; its format and delimiter.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::error::TableError;
use crate::{Format, Source};

/// How much of the input is looked at to work out its format.
const HEAD_BYTES: u64 = 64 << 10;

/// The input, and the directory that paths start from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) root: &'a Path,
    pub(crate) source: &'a Source,
}

impl<'a> Origin<'a> {
    /// Returns what to call the input in a message.
    pub(crate) fn name(&self) -> &'a str {
        match self.source {
            Source::Text(_) => "text",
            Source::File(path) => path,
        }
    }

    /// Opens the input at its first character, behind a byte order mark.
    pub(crate) fn open(&self) -> Result<Box<dyn Read + 'a>, TableError> {
        let mut reader: Box<dyn Read + 'a> = match self.source {
            Source::Text(text) => Box::new(text.as_bytes()),
            Source::File(path) => {
                let file = File::open(resolve(self.root, path)?);
                let file = file.map_err(|e| TableError::from_io("read", path, e))?;
                let meta = file.metadata().map_err(|e| TableError::from_io("read", path, e))?;
                if !meta.is_file() {
                    return Err(TableError::NotFound { path: path.to_owned() });
                }
                Box::new(file)
            }
        };
        let mut mark = Vec::new();
        let read = reader.by_ref().take(3).read_to_end(&mut mark);
        read.map_err(|e| TableError::from_io("read", self.name(), e))?;
        match mark.as_slice() {
            [0xef, 0xbb, 0xbf] => Ok(reader),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                Err(TableError::input("start", "the input is UTF-16; convert it to UTF-8 first"))
            }
            _ => Ok(Box::new(Cursor::new(mark).chain(reader))),
        }
    }

    /// Returns the start of the input as text; refuses what cannot be a table.
    pub(crate) fn head(&self) -> Result<String, TableError> {
        let mut head = Vec::new();
        let read = self.open()?.take(HEAD_BYTES).read_to_end(&mut head);
        read.map_err(|e| TableError::from_io("read", self.name(), e))?;
        if head.contains(&0) {
            return Err(TableError::input("start", "the input is binary, not a table in text"));
        }
        if head.iter().all(u8::is_ascii_whitespace) {
            return Err(TableError::input("start", "the input is empty"));
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// Returns the format that the file name says, or else the one the content looks like.
    pub(crate) fn guess_format(&self, head: &str) -> Format {
        let Source::File(path) = self.source else { return guess_by_content(head) };
        let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Format::Csv,
            "tsv" | "tab" => Format::Tsv,
            "json" => Format::Json,
            "jsonl" | "ndjson" => Format::JsonLines,
            "md" | "markdown" => Format::Markdown,
            _ => guess_by_content(head),
        }
    }
}

/// Returns the place of a path below the root. What lies outside is for the host to refuse.
pub(crate) fn resolve(root: &Path, path: &str) -> Result<PathBuf, TableError> {
    let relative = path.trim_start_matches('/');
    if relative.is_empty() || path.contains('\0') {
        return Err(TableError::option("a path must name a file"));
    }
    Ok(root.join(relative))
}

/// Returns the delimiter that the first line uses most, a comma when it uses none.
pub(crate) fn guess_delimiter(head: &str) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in head.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|c| c.0 == byte).for_each(|c| c.1 += 1),
        }
    }
    // `max_by_key` takes the last of equals; the order above is that of preference.
    counts.iter().rev().max_by_key(|c| c.1).map_or(b',', |c| c.0)
}

fn guess_by_content(head: &str) -> Format {
    let start = head.trim_start();
    let mut lines = start.lines();
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or_default();
    if start.starts_with('[') && !is_json_row(first, second) {
        Format::Json
    } else if start.starts_with(['{', '[']) {
        Format::JsonLines
    } else if head.lines().any(crate::read::markdown::is_rule) {
        Format::Markdown
    } else if guess_delimiter(start) == b'\t' {
        Format::Tsv
    } else {
        Format::Csv
    }
}

/// Whether two lines are JSON arrays of their own: JSON Lines, not one array.
fn is_json_row(first: &str, second: &str) -> bool {
    let is_array = |line: &str| serde_json::from_str::<Vec<serde::de::IgnoredAny>>(line).is_ok();
    is_array(first) && is_array(second)
}

#[cfg(test)]
mod tests {
    use super::{guess_by_content, guess_delimiter};
    use crate::Format;

    #[test]
    fn the_content_tells_the_format() {
        for (text, format) in [
            ("a,b\n1,2\n", Format::Csv),
            ("a\tb\n1\t2\n", Format::Tsv),
            (" [{\"a\":1}]", Format::Json),
            ("[\n[1,2]\n]", Format::Json),
            ("[1,2]\n[3,4]\n", Format::JsonLines),
            ("{\"a\":1}\n", Format::JsonLines),
            ("# Title\n\n| a | b |\n| - | - |\n| 1 | 2 |\n", Format::Markdown),
            ("", Format::Csv),
        ] {
            assert_eq!(guess_by_content(text), format, "{text:?}");
        }
    }

    #[test]
    fn the_first_line_tells_the_delimiter() {
        for (text, delimiter) in [
            ("a;b;c\n1,2,3,4,5", b';'),
            ("\"a;b;c\",d\n", b','),
            ("a|b", b'|'),
            ("a", b','),
            ("a,b;c", b','),
        ] {
            assert_eq!(guess_delimiter(text), delimiter, "{text:?}");
        }
    }
}
