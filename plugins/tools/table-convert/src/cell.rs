//! One value of a table, kept as the text it was written with so that no digit is lost.

/// The longest integer that is taken for a number: past it readers of JSON start to round.
const MAX_NUMBER_DIGITS: usize = 17;

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The row has no such value.
    Missing,
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// Text.
    Text(String),
    /// An object or array, as compact JSON.
    Nested(String),
}

/// Whether untyped text becomes numbers, booleans and null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Types {
    Inferred,
    TextOnly,
}

impl Cell {
    /// Returns the cell for a value of a format without types.
    pub(crate) fn from_text(text: &str, types: Types) -> Self {
        match (types, text) {
            (Types::TextOnly, _) => Self::Text(text.to_owned()),
            (_, "" | "null") => Self::Null,
            (_, "true") => Self::Bool(true),
            (_, "false") => Self::Bool(false),
            _ if is_safe_number(text) => Self::Number(text.to_owned()),
            _ => Self::Text(text.to_owned()),
        }
    }

    /// Returns the cell for one JSON value, or `None` when a string in it cannot be decoded.
    pub(crate) fn from_json(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        Some(match raw.as_bytes().first()? {
            b'"' => Self::Text(serde_json::from_str(raw).ok()?),
            b'{' | b'[' => Self::Nested(compact(raw)),
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'n' => Self::Null,
            _ => Self::Number(raw.to_owned()),
        })
    }

    /// Returns the value as formats without types write it.
    pub(crate) fn plain(&self) -> &str {
        match self {
            Self::Missing | Self::Null => "",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(text) | Self::Text(text) | Self::Nested(text) => text,
        }
    }

    /// Appends the value as JSON.
    pub(crate) fn push_json(&self, out: &mut String) {
        match self {
            Self::Missing | Self::Null => out.push_str("null"),
            Self::Text(text) => push_json_string(text, out),
            other => out.push_str(other.plain()),
        }
    }
}

/// Appends a JSON string literal.
pub(crate) fn push_json_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Whether the text is a JSON number that survives a reader with 64-bit floating point.
fn is_safe_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=MAX_NUMBER_DIGITS).contains(&digits)
        && text.len() <= 2 * MAX_NUMBER_DIGITS
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
        && serde_json::from_str::<f64>(text).is_ok_and(f64::is_finite)
}

/// Removes the white space between JSON tokens, without recursion.
fn compact(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in raw.chars() {
        if !quoted && character.is_ascii_whitespace() {
            continue;
        }
        if quoted && !escaped && character == '\\' {
            escaped = true;
        } else {
            quoted ^= character == '"' && !escaped;
            escaped = false;
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Cell, Types};

    #[test]
    fn text_becomes_the_type_it_can_become_without_loss() {
        let check = |text: &str, json: &str| {
            let mut out = String::new();
            Cell::from_text(text, Types::Inferred).push_json(&mut out);
            assert_eq!(out, json, "{text}");
        };
        for (text, json) in [
            ("", "null"),
            ("null", "null"),
            ("true", "true"),
            ("False", "\"False\""),
            ("0", "0"),
            ("-12.50", "-12.50"),
            ("1e5", "1e5"),
            ("1e999", "\"1e999\""),
            ("007", "\"007\""),
            ("+1", "\"+1\""),
            (".5", "\".5\""),
            ("NaN", "\"NaN\""),
            ("1,5", "\"1,5\""),
            ("12345678901234567890", "\"12345678901234567890\""),
            (" 1", "\" 1\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
        ] {
            check(text, json);
        }
    }

    #[test]
    fn nested_json_is_compacted_and_keeps_its_strings() {
        let cell = Cell::from_json("{ \"a b\" : [ 1 ,\n 2 ], \"q\\\" \" : \"\\\\\" }");
        assert_eq!(cell, Some(Cell::Nested("{\"a b\":[1,2],\"q\\\" \":\"\\\\\"}".to_owned())));
    }

    #[test]
    fn a_lone_surrogate_is_no_text() {
        assert_eq!(Cell::from_json("\"\\ud800\""), None);
    }
}
