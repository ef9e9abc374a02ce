//! How patterns are written: as words in files, and in one line for people and flags.
//!
//! In the line a word that is empty or has a space stands in `"`. Nothing else is special in quotes,
//! so that the line of a pattern means the same pattern again.

use super::{ArgvPattern, Element, Rest, WHAT};
use crate::{ParseError, text::hides};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// What one word of a file stands for.
pub(super) enum Word {
    Element(Element),
    Rest(Rest),
}

/// Reads one word after the program.
pub(super) fn word(word: &str) -> Result<Word, ParseError> {
    match word {
        "**" => return Ok(Word::Rest(Rest::Operands)),
        "-**" => return Ok(Word::Rest(Rest::Anything)),
        _ => {}
    }
    let open = word.strip_suffix('*').filter(|stem| !ends_in_escape(stem));
    Ok(Word::Element(match open {
        Some(stem) if stem.ends_with('*') && !ends_in_escape(&stem[..stem.len() - 1]) => {
            let why = "`**` stands alone, or as `-**` for options too; write `\\*` for a star";
            return Err(ParseError::new(WHAT, word, why));
        }
        Some(stem) => Element::Prefix(bytes(stem)?.into()),
        None => Element::Literal(bytes(word)?.into()),
    }))
}

/// Tells whether what follows `text` is escaped by the backslashes at its end.
fn ends_in_escape(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Returns the bytes that a word without a pattern stands for.
pub(super) fn bytes(word: &str) -> Result<Vec<u8>, ParseError> {
    let fail = |why| Err(ParseError::new(WHAT, word, why));
    let mut bytes = Vec::with_capacity(word.len().min(super::MAX_ARGV_BYTES));
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => return fail("`*` stands at the end of an argument; write `\\*` for a star"),
            c if hides(c) => return fail("write characters that hide as `\\xNN`, byte by byte"),
            '\\' => match escaped(&mut rest) {
                Some(byte) => bytes.push(byte),
                None => {
                    return fail("after `\\` comes `*`, `\\`, `\"`, or `x` and two digits 0-9 a-f");
                }
            },
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes)
}

fn escaped(rest: &mut std::str::Chars<'_>) -> Option<u8> {
    match rest.next()? {
        '*' => Some(b'*'),
        '\\' => Some(b'\\'),
        '"' => Some(b'"'),
        'x' => {
            let mut digit = || rest.next()?.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit()? * 16 + digit()?)
        }
        _ => None,
    }
}

/// Returns the program that `bytes` names; `shown` is how it was written.
pub(super) fn program(shown: &str, bytes: &[u8]) -> Result<Box<str>, ParseError> {
    let fail = |why| Err(ParseError::new("program", shown, why));
    let Ok(program) = std::str::from_utf8(bytes) else { return fail("its name is not UTF-8") };
    if program.is_empty() || program.len() > 1_024 {
        return fail("it is a name or an absolute path, of at most 1024 bytes");
    }
    if program.contains(hides) || program.contains('\\') || program.starts_with('-') {
        return fail("it has no `\\`, no character that hides, and does not begin with `-`");
    }
    let mut parts = program.split('/');
    let rooted = program.starts_with('/') && parts.next().is_some();
    if !rooted && program.contains('/') {
        return fail("it is a name or an absolute path: what a relative one runs can change");
    }
    if parts.any(|part| matches!(part, "" | "." | "..")) {
        return fail("a path has no `.`, no `..` and no empty parts");
    }
    Ok(program.into())
}

/// Returns the words of `pattern` as a file writes them.
pub(super) fn words(pattern: &ArgvPattern) -> impl Iterator<Item = String> {
    let program = escape(pattern.program.as_bytes());
    let element = |element: &Element| match element {
        Element::Literal(text) => escape(text),
        Element::Prefix(stem) => escape(stem) + "*",
    };
    let rest = match pattern.rest {
        Rest::Nothing => None,
        Rest::Operands => Some("**".to_owned()),
        Rest::Anything => Some("-**".to_owned()),
    };
    std::iter::once(program).chain(pattern.elements.iter().map(element)).chain(rest)
}

/// Returns `bytes` as text in which nothing hides. A backtick is escaped because messages put
/// patterns between backticks.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let byte = |text: &mut String, byte: u8| {
        // Writing to a text cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '*' | '\\' | '"' => text.extend(['\\', c]),
                c if hides(c) || c == '`' || (c.is_whitespace() && c != ' ') => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| byte(&mut text, b));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| byte(&mut text, *b));
    }
    text
}

impl fmt::Display for ArgvPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, at) in self.words().zip(0_usize..) {
            if at > 0 {
                f.write_char(' ')?;
            }
            if word.is_empty() || word.contains(' ') {
                write!(f, "\"{word}\"")?;
            } else {
                f.write_str(&word)?;
            }
        }
        Ok(())
    }
}

impl FromStr for ArgvPattern {
    type Err = ParseError;

    /// Reads the line that [`fmt::Display`] writes.
    fn from_str(line: &str) -> Result<Self, ParseError> {
        let mut words = Vec::new();
        let mut rest = line.trim_matches(' ');
        while !rest.is_empty() {
            let (word, after) = split(rest)
                .ok_or_else(|| ParseError::new(WHAT, line, "`\"` stands around a whole word"))?;
            words.push(word);
            rest = after.trim_start_matches(' ');
            if words.len() > super::MAX_ARGUMENTS + 2 {
                break;
            }
        }
        Self::parse(&words)
    }
}

/// Splits the first word off a line.
fn split(line: &str) -> Option<(&str, &str)> {
    let (quoted, text) = line.strip_prefix('"').map_or((false, line), |text| (true, text));
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if quoted => {
                let after = &text[at + 1..];
                let ends = after.is_empty() || after.starts_with(' ');
                return ends.then_some((&text[..at], after));
            }
            '"' => return None,
            ' ' if !quoted => return Some((&text[..at], &text[at..])),
            _ => {}
        }
    }
    (!quoted).then_some((text, ""))
}
