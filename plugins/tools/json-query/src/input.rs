//! Reads the values of the input, one after the other.

use std::fs::File;
use std::io::Read;

use jaq_json::{Val, read};
use ringfence_sdk::ToolError;

use crate::Request;

/// Largest file that is read. The values need several times as much memory.
pub(crate) const MAX_FILE_BYTES: u64 = 64 << 20;
/// Deepest nesting of arrays and objects: the parser is recursive.
pub(crate) const MAX_NESTING: usize = 256;

/// Returns the bytes of the input, or nothing when the program runs on null.
///
/// # Errors
///
/// `invalid-input` for both sources at once or nesting that is too deep, `too-large`, and what opening
/// and reading a file can give.
pub(crate) fn bytes(request: &Request) -> Result<Option<Vec<u8>>, ToolError> {
    let bytes = match (&request.json, &request.path) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ToolError::invalid_input("give `json` or `path`, not both"));
        }
        (Some(json), None) => json.clone().into_bytes(),
        (None, Some(path)) => file(path)?,
    };
    match too_deep(&bytes) {
        Some(offset) => {
            let what = format_args!("nested deeper than {MAX_NESTING}");
            Err(ToolError::invalid_input(at(&bytes, offset, &what)))
        }
        None => Ok(Some(bytes)),
    }
}

/// Returns the values in `bytes`. After the first that is no JSON there is no other.
pub(crate) fn values(bytes: &[u8]) -> impl Iterator<Item = Result<Val, String>> + '_ {
    let mut broken = false;
    let mut values = read::parse_many(bytes);
    std::iter::from_fn(move || {
        if broken {
            return None;
        }
        let value = values.next()?;
        broken = value.is_err();
        Some(value.map_err(|error| parse_error(bytes, &error.to_string())))
    })
}

fn file(path: &str) -> Result<Vec<u8>, ToolError> {
    let failed = |error: std::io::Error| ToolError::io(path, &error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ToolError::TooLarge(MAX_FILE_BYTES));
    }
    Ok(bytes)
}

/// The parser says `byte offset N: what`, and keeps the number to itself otherwise.
fn parse_error(bytes: &[u8], text: &str) -> String {
    let parts = text.strip_prefix("byte offset ").and_then(|rest| rest.split_once(": "));
    match parts.and_then(|(offset, what)| Some((offset.parse().ok()?, what))) {
        Some((offset, what)) => at(bytes, offset, &what),
        None => text.to_owned(),
    }
}

fn at(bytes: &[u8], offset: usize, what: &dyn std::fmt::Display) -> String {
    let before = &bytes[..offset.min(bytes.len())];
    let number = before.split(|&byte| byte == b'\n').count();
    let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let column = String::from_utf8_lossy(line).chars().count() + 1;
    format!("input, line {number}, column {column}: {what}")
}

/// Returns where the nesting becomes too deep. Knows strings, and comments, which the parser accepts.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut offset = 0;
    while let Some(&byte) = bytes.get(offset) {
        match byte {
            b'"' => offset = string_end(bytes, offset),
            b'#' => {
                let comment = bytes[offset..].iter().position(|&byte| byte == b'\n');
                offset = comment.map_or(bytes.len(), |length| offset + length);
            }
            b'[' | b'{' if depth == MAX_NESTING => return Some(offset),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        offset += 1;
    }
    None
}

/// Returns where the string that starts at `start` has its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut offset = start + 1;
    while let Some(&byte) = bytes.get(offset) {
        match byte {
            b'"' => break,
            b'\\' => offset += 2,
            _ => offset += 1,
        }
    }
    offset
}
