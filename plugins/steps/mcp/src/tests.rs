//! Replies as real servers give them, and such that no honest one would.

#![allow(clippy::unwrap_used, reason = "tests")]

use ringfence_sdk::mcp::{Blob, Document, Link, Part};
use serde_json::json;

use super::*;

fn tool(name: &str, schema: &Value) -> Offered {
    Offered {
        server: "s".to_owned(),
        name: name.to_owned(),
        description: String::new(),
        input_schema: schema.to_string(),
        output_schema: None,
        read_only: true,
        digest: String::new(),
    }
}

fn text(text: &str) -> Reply {
    Reply { parts: vec![Part::Text(text.to_owned())], structured: None, is_error: false }
}

fn structured(value: &Value) -> Reply {
    Reply { parts: Vec::new(), structured: Some(value.to_string()), is_error: false }
}

/// Returns address, title and text of each result.
fn found(reply: &Reply) -> Vec<(String, Option<String>, Option<String>)> {
    let text = |body: Body| String::from_utf8(body.bytes).unwrap();
    let one = |found: Found| (found.url, found.title, found.body.map(text));
    results::found(reply, "s/search").into_iter().map(one).collect()
}

fn is(
    url: &str,
    title: Option<&str>,
    text: Option<&str>,
) -> (String, Option<String>, Option<String>) {
    (url.to_owned(), title.map(str::to_owned), text.map(str::to_owned))
}

#[test]
fn results_are_read_in_every_form_that_servers_give() {
    let a = || is("https://a.example/", Some("A"), Some("A dam."));
    let object = json!({ "url": "https://a.example/", "title": "A", "text": "A dam." });
    for reply in [
        structured(&json!({ "results": [object] })),
        structured(&json!({ "result": [object] })),
        structured(&json!([object])),
        structured(&object),
        structured(&json!({ "data": { "items": [object] } })),
        text(&json!({ "hits": [object] }).to_string()),
        text("Title: A\nURL: https://a.example/\nText: A dam."),
        text("Found 1 result:\n\n1. **A**\n   URL: https://a.example/\n   Summary: A dam.\n"),
    ] {
        assert_eq!(found(&reply), [a()], "{reply:?}");
    }
    let two =
        "Title: A\nURL: https://a.example/\nA dam.\n\nTitle: B\nURL: https://b.example/\nA weir.";
    assert_eq!(found(&text(two)), [a(), is("https://b.example/", Some("B"), Some("A weir."))]);
    let parts = vec![
        Part::Link(Link { uri: "note:1".to_owned(), name: "N".to_owned(), description: None }),
        Part::Document(Document {
            uri: "note:2".to_owned(),
            mime_type: None,
            text: "A weir.".to_owned(),
        }),
        Part::Blob(Blob {
            mime_type: "application/pdf".to_owned(),
            data: vec![b'%'],
            uri: Some("note:3".to_owned()),
        }),
        Part::Blob(Blob { mime_type: "image/png".to_owned(), data: vec![1], uri: None }),
    ];
    let reply = Reply { parts, structured: None, is_error: false };
    let notes = [
        is("note:1", Some("N"), None),
        is("note:2", None, Some("A weir.")),
        is("note:3", None, Some("%")),
    ];
    assert_eq!(found(&reply), notes);
}

#[test]
fn a_text_without_an_address_is_called_by_its_tool_and_hash() {
    let one = found(&text("Dams hold water."));
    assert!(one.len() == 1 && one[0].0.starts_with("mcp:s/search#"), "{one:?}");
    assert_eq!(one, found(&structured(&json!({ "results": [{ "content": "Dams hold water." }] }))));
    assert_ne!(one[0].0, found(&text("Dams hold no water."))[0].0);
}

#[test]
fn what_no_honest_server_says_is_bounded() {
    let long = "x".repeat(5000);
    let lies = json!({ "results": [
        { "url": long, "text": "a" },
        { "url": "https://a.example/\u{1b}[31m", "text": "b", "title": "\u{1b}[31m\n\nred" },
        { "url": 7, "title": ["x"] },
        "https://a.example/ is a text here",
        null,
    ] });
    let read = found(&structured(&lies));
    assert_eq!(read.len(), 3, "{read:?}");
    assert!(read.iter().all(|(url, ..)| url.starts_with("mcp:s/search#")), "{read:?}");
    assert_eq!(read[1].1.as_deref(), Some("[31m red"));
    let many = json!(vec![json!({ "url": "https://a.example/" }); 5000]);
    assert_eq!(found(&structured(&many)).len(), 1000);
    let deep = "[".repeat(100_000);
    assert_eq!(found(&text(&deep)).len(), 1, "what is no JSON is a text");
    let mut kept = Kept::default();
    for number in 0..20 {
        let body = Some(Body { media_type: String::new(), bytes: vec![b'x'; 7 << 20] });
        kept.add(Found { url: format!("n:{number}"), body, ..Found::default() });
    }
    assert!(kept.bytes <= MAX_KEPT_BYTES);
    let last = kept.found["n:9"].body.clone().unwrap();
    assert_eq!(page("n:9".to_owned(), last, None).unwrap_err(), ToolError::TooLarge(8 << 20));
}

#[test]
fn the_arguments_are_found_in_the_schema_or_named() {
    let none = |_: &str| None;
    let of = |schema: Value, setting: &dyn Fn(&str) -> Option<String>| {
        settings::search(&tool("search", &schema), setting, "dams", 8)
    };
    let schema = json!({ "properties": { "limit": { "type": "integer", "maximum": 5 }, "query": { "type": "string" } } });
    assert_eq!(of(schema.clone(), &none), Ok(json!({ "query": "dams", "limit": 5 })));
    let only = json!({ "properties": { "what": { "type": "string" }, "n": { "type": "string" } }, "required": ["what"] });
    assert_eq!(of(only, &none), Ok(json!({ "what": "dams" })));
    let unclear = json!({ "properties": { "a": { "type": "string" }, "b": { "type": "string" } } });
    let why = of(unclear.clone(), &none).unwrap_err().to_string();
    assert!(why.contains("`--env MCP_QUERY=NAME`, with one of `a`, `b`"), "{why}");
    let named = |name: &str| match name {
        "MCP_QUERY" => Some("b".to_owned()),
        "MCP_LIMIT" => Some(String::new()),
        "MCP_ARGUMENTS" => Some("{\"lang\":\"en\"}".to_owned()),
        _ => None,
    };
    assert_eq!(of(unclear, &named), Ok(json!({ "b": "dams", "lang": "en" })));
    let wrong = |name: &str| (name == "MCP_ARGUMENTS").then(|| "[]".to_owned());
    let why = of(schema, &wrong).unwrap_err().to_string();
    assert_eq!(why, "invalid input: `MCP_ARGUMENTS` is no JSON object");
    let read = tool("read", &json!({ "properties": { "urls": { "type": "array" } } }));
    assert_eq!(settings::read(&read, none, "note:1"), Ok(json!({ "urls": ["note:1"] })));
}

#[test]
fn the_tool_that_searches_is_named_or_the_only_one() {
    let tools = [tool("search", &json!({})), tool("read", &json!({}))];
    let chosen = |tools: &[Offered], named: Option<&str>, reads: Option<&str>| {
        settings::searcher(tools, named, reads).map(|tool| tool.name.clone())
    };
    assert_eq!(chosen(&tools[..1], None, None), Ok("search".to_owned()));
    assert_eq!(chosen(&tools, None, Some("s/read")), Ok("search".to_owned()));
    assert_eq!(chosen(&tools, Some("s/read"), None), Ok("read".to_owned()));
    let why = chosen(&tools, None, None).unwrap_err().to_string();
    assert!(why.contains("with one of `s/search`, `s/read`"), "{why}");
    let why = chosen(&tools, Some("s/write"), None).unwrap_err();
    assert!(matches!(&why, ToolError::Denied(text) if text.contains("`--mcp s/write`")), "{why}");
    let why = chosen(&[], None, None).unwrap_err().to_string();
    assert!(why.contains("--provider mcp:SERVER/TOOL"), "{why}");
}

#[test]
fn a_document_is_read_from_every_form() {
    let said =
        |reply: &Reply| results::document(reply).map(|body| String::from_utf8(body.bytes).unwrap());
    assert_eq!(said(&text("A dam.")).as_deref(), Some("A dam."));
    assert_eq!(said(&structured(&json!({ "content": "A dam." }))).as_deref(), Some("A dam."));
    assert_eq!(said(&text(" ")), None);
}

#[test]
fn what_was_found_is_retrieved_once_more_only_when_it_changed() {
    let body = || Body { media_type: "text/plain".to_owned(), bytes: b"A dam.".to_vec() };
    let had = page("n:1".to_owned(), body(), None).unwrap().unwrap();
    let known = Known { etag: had.etag, modified: None };
    assert!(page("n:1".to_owned(), body(), Some(known)).unwrap().is_none());
}
