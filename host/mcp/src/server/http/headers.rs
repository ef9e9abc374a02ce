//! What the head of a request says about its message: it has to be what the message says itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::message::{RpcError, code};
use crate::server::talk::{LEGACY, MODERN, says_too_little, unsupported};

/// Which session a request belongs to.
pub(super) const SESSION: &str = "mcp-session-id";
/// Which revision it is of.
pub(super) const VERSION: &str = "mcp-protocol-version";

/// Returns the value of a header.
pub(super) fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Tells whether a message is of the newest revision.
///
/// # Errors
/// When head and message say different things, or what is not spoken here.
pub(super) fn modern(
    headers: &HeaderMap,
    method: &str,
    params: &Map<String, Value>,
) -> Result<bool, RpcError> {
    let head = value(headers, VERSION);
    let key = "io.modelcontextprotocol/protocolVersion";
    let said = params.get("_meta").and_then(|meta| meta.get(key)).and_then(Value::as_str);
    match (head, said) {
        (None, None) => return Ok(false),
        (Some(head), None) if LEGACY.contains(&head) => return Ok(false),
        (Some(MODERN), None) => return Err(says_too_little("protocolVersion")),
        (Some(head), None) => return Err(unsupported(head)),
        (None, Some(said)) if LEGACY.contains(&said) => return Ok(false),
        (head, Some(said)) if head != Some(said) => {
            return Err(mismatch("`MCP-Protocol-Version` is not what `_meta` says"));
        }
        (_, Some(MODERN)) => {}
        (_, Some(said)) if LEGACY.contains(&said) => return Ok(false),
        (_, Some(said)) => return Err(unsupported(said)),
    }
    if value(headers, "mcp-method") != Some(method) {
        return Err(mismatch("`Mcp-Method` is not the `method` of the message"));
    }
    let key = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return Ok(true),
    };
    let named = params.get(key).and_then(Value::as_str);
    let head = value(headers, "mcp-name").and_then(decoded);
    if named.is_some() && head.as_deref() != named {
        return Err(mismatch("`Mcp-Name` is not what the message names"));
    }
    Ok(true)
}

fn mismatch(why: &str) -> RpcError {
    RpcError::new(code::HEADER_MISMATCH, why)
}

/// Returns what a header says that may be written as `=?base64?…?=`.
fn decoded(value: &str) -> Option<String> {
    let encoded = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(encoded) = encoded else { return Some(value.to_owned()) };
    String::from_utf8(BASE64.decode(encoded).ok()?).ok()
}

/// Tells whether the body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = value(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Tells whether whoever asks takes an answer of this type.
pub(super) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let (group, _) = wanted.split_once('/').unwrap_or((wanted, ""));
    let any = format!("{group}/*");
    let all = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(','))
        .map(|one| one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .any(|one| one == wanted || one == any || one == "*/*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(headers: &[(&str, &str)], method: &str, params: &Value) -> Result<bool, i64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.insert(name, value.parse().unwrap());
        }
        modern(&map, method, params.as_object().unwrap()).map_err(|error| error.code)
    }

    #[test]
    fn head_and_message_have_to_say_the_same() {
        let of = |version: &str| json!({ "name": "a", "_meta": { "io.modelcontextprotocol/protocolVersion": version } });
        let version = ("MCP-Protocol-Version", MODERN);
        let (call, name) = (("Mcp-Method", "tools/call"), ("Mcp-Name", "a"));
        let now = of(MODERN);
        for (headers, params, expected) in [
            (vec![version, call, name], &now, Ok(true)),
            (vec![version, call, ("Mcp-Name", "=?base64?YQ==?=")], &now, Ok(true)),
            (vec![version, call, ("Mcp-Name", " a ")], &now, Ok(true)),
            (vec![version, call], &now, Err(-32020)),
            (vec![version, call, ("Mcp-Name", "b")], &now, Err(-32020)),
            (vec![version, call, ("Mcp-Name", "=?base64?*?=")], &now, Err(-32020)),
            (vec![version, ("Mcp-Method", "TOOLS/CALL"), name], &now, Err(-32020)),
            (vec![version, name], &now, Err(-32020)),
            (vec![call, name], &now, Err(-32020)),
            (vec![("MCP-Protocol-Version", "2025-11-25"), call, name], &now, Err(-32020)),
            (vec![version, call, name], &of("v9"), Err(-32020)),
            (vec![("MCP-Protocol-Version", "v9"), call, name], &of("v9"), Err(-32022)),
            (vec![("MCP-Protocol-Version", "v9")], &json!({}), Err(-32022)),
            (vec![version], &json!({}), Err(-32602)),
            (vec![("MCP-Protocol-Version", "2025-06-18")], &json!({}), Ok(false)),
            (vec![], &json!({}), Ok(false)),
        ] {
            assert_eq!(said(&headers, "tools/call", params), expected, "{headers:?} {params}");
        }
    }

    #[test]
    fn what_is_accepted_may_be_written_in_many_ways() {
        let accepts = |value: &str, wanted| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, value.parse().unwrap());
            accepts(&headers, wanted)
        };
        assert!(accepts("application/json, text/event-stream", "text/event-stream"));
        assert!(accepts("text/html, Text/*;q=0.5", "text/event-stream"));
        assert!(accepts("*/*", "application/json"));
        assert!(!accepts("application/json", "text/event-stream"));
        assert!(!accepts("", "application/json"));
    }
}
