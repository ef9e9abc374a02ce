//! Canonical JSON: the one way to write a value, so that its SHA-256 means something.
//!
//! The subset of RFC 8785 without fractions:
//!
//! - no white space; members of objects sorted by the UTF-16 code units of their names;
//! - numbers are whole, between -(2^53 - 1) and 2^53 - 1, in decimal; anything else is refused;
//! - strings are UTF-8 with `\"`, `\\`, `\b`, `\f`, `\n`, `\r` and `\t`, the other characters below
//!   U+0020 as `\u00xx` in lower-case hexadecimal, and everything else as it is;
//! - at most [`MAX_DEPTH`] levels deep.

use crate::RequestError;
use ringfence_capability::Digest;
use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

/// The deepest nesting: a plan has five levels, and a reader of JSON stops at 128.
pub(crate) const MAX_DEPTH: usize = 64;

/// The largest whole number that every reader of JSON holds exactly: 2^53 - 1.
const MAX_NUMBER: i64 = (1 << 53) - 1;

/// Returns the canonical bytes of `value`.
///
/// # Errors
/// [`RequestError::NotCanonical`] for a fraction, a number too large, or nesting too deep.
pub(crate) fn bytes(value: &Value) -> Result<Vec<u8>, RequestError> {
    let mut out = Vec::with_capacity(1024);
    write(value, &mut out, 0)?;
    Ok(out)
}

/// Returns the SHA-256 of the canonical bytes of `value`.
pub(crate) fn digest(value: &Value) -> Result<Digest, RequestError> {
    Ok(sha256(&bytes(value)?))
}

/// Returns the SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

fn write(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), RequestError> {
    if depth > MAX_DEPTH {
        return Err(RequestError::NotCanonical { why: "it is nested too deeply" });
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                write(item, out, depth + 1)?;
            }
            out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
        }
        Value::Object(members) => write_object(members, out, depth)?,
    }
    Ok(())
}

fn write_object(
    members: &Map<String, Value>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), RequestError> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write(value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), RequestError> {
    let whole = number.as_i64().filter(|n| (-MAX_NUMBER..=MAX_NUMBER).contains(n));
    let why = "a number in it is not whole, or larger than 2^53 - 1";
    let whole = whole.ok_or(RequestError::NotCanonical { why })?;
    out.extend_from_slice(whole.to_string().as_bytes());
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_value_has_one_spelling() {
        let value = json!({ "b": [1, -2, true, null, {}], "a": "\u{1}\"\\\n\u{7f}é", "": [] });
        let text = String::from_utf8(bytes(&value).unwrap()).unwrap();
        assert_eq!(text, "{\"\":[],\"a\":\"\\u0001\\\"\\\\\\n\u{7f}é\",\"b\":[1,-2,true,null,{}]}");
    }

    #[test]
    fn members_are_sorted_as_utf_16_like_the_standard_says() {
        let value = json!({ "\u{fb33}": 1, "\u{1f600}": 2, "\u{20ac}": 3, "\r": 4, "1": 5 });
        let text = String::from_utf8(bytes(&value).unwrap()).unwrap();
        assert_eq!(text, "{\"\\r\":4,\"1\":5,\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn what_has_no_exact_spelling_is_refused() {
        let mut deep = json!(1);
        for _ in 0..=MAX_DEPTH {
            deep = json!([deep]);
        }
        for value in [json!(1.5), json!(1.0), json!(1_u64 << 53), json!(u64::MAX), deep] {
            assert!(matches!(bytes(&value), Err(RequestError::NotCanonical { .. })), "{value}");
        }
        assert_eq!(bytes(&json!(9_007_199_254_740_991_i64)).unwrap(), b"9007199254740991");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_bytes_are_json_for_the_same_value_and_stable(value in any_value()) {
            let once = bytes(&value).unwrap();
            let back: Value = serde_json::from_slice(&once).unwrap();
            prop_assert_eq!(&back, &value);
            prop_assert_eq!(bytes(&back).unwrap(), once);
        }
    }
}
