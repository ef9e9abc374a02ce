//! One entry of one object of a JSON file, put in without touching a byte of the rest.

use std::ops::Range;

use serde_json::{Value, json};

/// Returns `text` with `value` under `name` in the object under `key`.
///
/// # Errors
/// Why the file is left alone.
pub(super) fn with_entry(
    text: &str,
    key: &str,
    name: &str,
    value: &Value,
) -> Result<String, String> {
    if text.trim().is_empty() {
        let whole = json!({ key: { name: value } });
        return Ok(format!("{whole:#}\n"));
    }
    let old: Value = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON without comments ({error})"))?;
    if !old.is_object() || !old.get(key).is_none_or(Value::is_object) {
        return Err(format!("it is no object, or `{key}` in it is none"));
    }
    let mut wanted = old;
    if wanted[key][name] == *value {
        return Ok(text.to_owned());
    }
    wanted[key][name] = value.clone();
    let start = text.find('{').unwrap_or_default();
    let all = members(text, start);
    let done = match all.iter().rfind(|(of, _)| of == key) {
        None => added(text, start, &all, key, &json!({ name: value }), 1),
        Some((_, span)) => {
            let inner = members(text, span.start);
            match inner.iter().rfind(|(of, _)| of == name) {
                None => added(text, span.start, &inner, name, value, 2),
                Some((_, span)) => {
                    format!("{}{}{}", &text[..span.start], shown(value, 2), &text[span.end..])
                }
            }
        }
    };
    // What was meant is what a reader of the file finds, and nothing else changed.
    match serde_json::from_str::<Value>(&done) {
        Ok(found) if found == wanted => Ok(done),
        _ => Err("the entry cannot be put in without changing something else".to_owned()),
    }
}

/// Returns the entry `name` of the object under `key` and nothing else; empty when there is none.
pub(super) fn alone(text: &str, key: &str, name: &str) -> String {
    let all: Value = serde_json::from_str(text).unwrap_or_default();
    match all.get(key).and_then(|all| all.get(name)) {
        Some(value) => format!("{:#}\n", json!({ key: { name: value } })),
        None => String::new(),
    }
}

/// Adds a member at the end of the object that starts at `start`.
fn added(
    text: &str,
    start: usize,
    all: &[(String, Range<usize>)],
    name: &str,
    value: &Value,
    depth: usize,
) -> String {
    let member = format!("{}: {}", Value::from(name), shown(value, depth));
    let indent = "  ".repeat(depth);
    if let Some((_, last)) = all.last() {
        return format!("{},\n{indent}{member}{}", &text[..last.end], &text[last.end..]);
    }
    let close = "  ".repeat(depth - 1);
    let rest = text[start + 1..].trim_start();
    format!("{}\n{indent}{member}\n{close}{rest}", &text[..=start])
}

/// Returns a value as it stands `depth` objects deep.
fn shown(value: &Value, depth: usize) -> String {
    format!("{value:#}").replace('\n', &format!("\n{}", "  ".repeat(depth)))
}

/// Returns the members of the object that starts at `start` of valid JSON, and where their values are.
fn members(text: &str, start: usize) -> Vec<(String, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = start + 1;
    loop {
        at = skip(bytes, at, |byte| byte.is_ascii_whitespace() || byte == b',');
        if bytes.get(at) != Some(&b'"') {
            return found;
        }
        let end = value_end(bytes, at);
        let key = serde_json::from_str(&text[at..end]).unwrap_or_default();
        let value = skip(bytes, end, |byte| byte.is_ascii_whitespace() || byte == b':');
        at = value_end(bytes, value);
        found.push((key, value..at));
    }
}

fn skip(bytes: &[u8], at: usize, over: impl Fn(u8) -> bool) -> usize {
    at + bytes[at.min(bytes.len())..].iter().take_while(|byte| over(**byte)).count()
}

/// Returns where the value ends that starts at `at`.
fn value_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for (offset, byte) in bytes.iter().enumerate().skip(at) {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            if !in_string && depth == 0 {
                return offset + 1;
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return if depth == 1 { offset + 1 } else { offset },
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return offset,
            byte if depth == 0 && byte.is_ascii_whitespace() => return offset,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_entry_changes_wherever_it_goes() {
        let value = json!({ "command": "r" });
        let check = |text: &str, expected: &str| {
            let done = with_entry(text, "m", "n", &value).unwrap();
            assert_eq!(done, expected, "{text}");
            // A second time changes nothing.
            assert_eq!(with_entry(&done, "m", "n", &value).unwrap(), done);
        };
        let whole = "{\n  \"m\": {\n    \"n\": {\n      \"command\": \"r\"\n    }\n  }\n}\n";
        check("", whole);
        check("{}\n", whole);
        check(
            "{ \"z\": 1.50, \"a\": \"}\\\"\" }",
            "{ \"z\": 1.50, \"a\": \"}\\\"\",\n  \"m\": {\n    \"n\": {\n      \"command\": \"r\"\n    }\n  } }",
        );
        check(
            "{\"m\":{\"x\":[{}]},\"b\":null}",
            "{\"m\":{\"x\":[{}],\n    \"n\": {\n      \"command\": \"r\"\n    }},\"b\":null}",
        );
        check(
            "{\"m\": {\"n\": [1, 2], \"o\": 1}}",
            "{\"m\": {\"n\": {\n      \"command\": \"r\"\n    }, \"o\": 1}}",
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        for text in ["{ // a comment\n}", "[]", "{\"m\": []}", "{\"m\": 1", "\"m\""] {
            assert!(with_entry(text, "m", "n", &json!({})).is_err(), "{text}");
        }
        // Two of one key: a reader takes one of them, and not all take the same.
        assert!(with_entry(r#"{"m":{"n":1},"m":{}}"#, "m", "n", &json!({})).is_ok());
    }
}
