//! One word of a command line, written so that it can be taken for nothing else.

use crate::Argument;
use ringfence_capability::text;
use std::fmt::Write as _;

/// Returns `argument` as one word of a shell: as it is when nothing in it is special, in `'…'` when
/// a shell would split or expand it, and in `$'…'` with escapes when a character in it could steer a
/// terminal, hide, or is no text.
pub fn word(argument: &Argument) -> String {
    let bytes = argument.as_bytes();
    let bare = |b: &u8| b.is_ascii_alphanumeric() || b"_./:=@%+,-".contains(b);
    match argument.text() {
        Some(text) if !text.is_empty() && bytes.iter().all(bare) => text.to_owned(),
        Some(text) if !text.chars().any(is_odd) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => escaped(bytes),
    }
}

/// Tells whether a character must not be shown as it is: it hides, is a space that looks like
/// another, or has no agreed look.
fn is_odd(c: char) -> bool {
    text::hides(c)
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{2800}' | '\u{fe0e}' | '\u{fe0f}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
        // Marks that are drawn over the character before.
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Tells whether a text has letters that can be mistaken for others.
pub(crate) fn has_foreign_letters(argument: &Argument) -> bool {
    argument.text().is_some_and(|text| text.chars().any(|c| !c.is_ascii() && !is_odd(c)))
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape(c, &mut out);
        }
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('\'');
    out
}

fn escape(c: char, out: &mut String) {
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\t' => out.write_str("\\t"),
        '\r' => out.write_str("\\r"),
        '\'' | '\\' => write!(out, "\\{c}"),
        _ if !is_odd(c) => out.write_char(c),
        _ if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
        _ if u32::from(c) <= 0xffff => write!(out, "\\u{:04x}", u32::from(c)),
        _ => write!(out, "\\U{:08x}", u32::from(c)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_for_nothing_else() {
        for (bytes, shown) in [
            (&b"cargo"[..], "cargo"),
            (b"--config=a/b.toml", "--config=a/b.toml"),
            (b"", "''"),
            (b"a b", "'a b'"),
            (b"$(id)", "'$(id)'"),
            (b"it's", r"'it'\''s'"),
            (b"~", "'~'"),
            (b"a\nb", r"$'a\nb'"),
            (b"\x1b[2J'\\", r"$'\x1b[2J\'\\'"),
            (b"a\xffb", r"$'a\xffb'"),
            ("r\u{202e}txt".as_bytes(), r"$'r\u202etxt'"),
            ("a\u{a0}b".as_bytes(), r"$'a\u00a0b'"),
            ("\u{e0041}".as_bytes(), r"$'\U000e0041'"),
            ("größe".as_bytes(), "'größe'"),
        ] {
            assert_eq!(word(&Argument::from_bytes(bytes)), shown, "{bytes:?}");
        }
    }
}
