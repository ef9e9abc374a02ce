//! What a reply of a tool says was found. All of it is the server's word: it is read within bounds, and
//! nothing of it decides what is called.

use ringfence_sdk::mcp::{Part, Reply};
use ringfence_sdk::research::sha256;
use serde_json::{Map, Value};

/// Most results of one reply.
const MAX_RESULTS: usize = 1000;
/// Longest address, in bytes.
const MAX_ADDRESS_BYTES: usize = 2048;
/// Longest title or summary, in characters.
const MAX_TEXT_CHARS: usize = 500;

/// Where an object can have its results, the likeliest first.
const LISTS: [&str; 10] = [
    "results",
    "result",
    "items",
    "hits",
    "documents",
    "data",
    "pages",
    "entries",
    "matches",
    "content",
];
const ADDRESS: [&str; 5] = ["url", "uri", "link", "href", "id"];
const TITLE: [&str; 3] = ["title", "name", "heading"];
const TEXT: [&str; 8] =
    ["text", "content", "body", "markdown", "raw_content", "page_content", "pageContent", "result"];
const SUMMARY: [&str; 6] = ["snippet", "summary", "description", "abstract", "excerpt", "extract"];
const DATE: [&str; 7] =
    ["published", "date", "published_date", "publishedDate", "page_age", "updated", "created"];

/// A document as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) published: Option<String>,
    pub(crate) body: Option<Body>,
}

/// Returns what a search found. `tool` names the documents that have no address.
pub(crate) fn found(reply: &Reply, tool: &str) -> Vec<Found> {
    let structured = reply.structured.as_deref().and_then(json);
    let mut found: Vec<Found> = structured.iter().flat_map(|value| of_json(value, tool)).collect();
    if found.is_empty() {
        found = reply.parts.iter().flat_map(|part| of_part(part, tool)).collect();
    }
    found.truncate(MAX_RESULTS);
    found
}

/// Returns the one document that a reply has.
pub(crate) fn document(reply: &Reply) -> Option<Body> {
    let structured = reply.structured.as_deref().and_then(json);
    let structured = structured.as_ref().and_then(Value::as_object);
    if let Some(text) = structured.and_then(|object| first(object, &TEXT)) {
        return Some(plain(text));
    }
    let documents = reply.parts.iter().filter_map(|part| match part {
        Part::Document(document) => {
            let media_type = document.mime_type.clone();
            Some(typed(media_type.as_deref(), document.text.as_bytes()))
        }
        Part::Blob(blob) => Some(typed(Some(&blob.mime_type), &blob.data)),
        Part::Text(_) | Part::Link(_) => None,
    });
    let texts = reply.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Document(_) | Part::Blob(_) | Part::Link(_) => None,
    });
    let texts = texts.collect::<Vec<_>>().join("\n\n");
    documents.into_iter().next().or_else(|| (!texts.trim().is_empty()).then(|| plain(&texts)))
}

fn json(text: &str) -> Option<Value> {
    let text = text.trim();
    text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

fn plain(text: &str) -> Body {
    typed(None, text.as_bytes())
}

fn typed(media_type: Option<&str>, bytes: &[u8]) -> Body {
    let media_type = media_type.filter(|kind| kind.len() < 100).unwrap_or("text/plain");
    let is_text = media_type.starts_with("text/") && !media_type.contains("charset");
    let charset = if is_text { "; charset=utf-8" } else { "" };
    Body { media_type: format!("{media_type}{charset}"), bytes: bytes.to_vec() }
}

fn of_part(part: &Part, tool: &str) -> Vec<Found> {
    match part {
        Part::Text(text) => of_text(text, tool),
        Part::Document(document) => {
            let body = Some(typed(document.mime_type.as_deref(), document.text.as_bytes()));
            vec![addressed(Found { url: document.uri.clone(), body, ..Found::default() }, tool)]
        }
        Part::Link(link) => {
            let title = shown(&link.name);
            let summary = link.description.as_deref().and_then(shown);
            let url = address(&link.uri).map(str::to_owned);
            let found = |url| Found { url, title, summary, ..Found::default() };
            url.map(found).into_iter().collect()
        }
        Part::Blob(blob) => {
            let url = blob.uri.as_deref().and_then(address).map(str::to_owned);
            let body = Some(typed(Some(&blob.mime_type), &blob.data));
            url.map(|url| Found { url, body, ..Found::default() }).into_iter().collect()
        }
    }
}

/// Reads a text: JSON, entries with an address each, or one document.
fn of_text(text: &str, tool: &str) -> Vec<Found> {
    if let Some(value) = json(text) {
        return of_json(&value, tool);
    }
    let entries = entries(text);
    if !entries.is_empty() {
        return entries.into_iter().map(|found| addressed(found, tool)).collect();
    }
    let body = (!text.trim().is_empty()).then(|| plain(text));
    body.map(|body| addressed(Found { body: Some(body), ..Found::default() }, tool))
        .into_iter()
        .collect()
}

fn of_json(value: &Value, tool: &str) -> Vec<Found> {
    let one = |value: &Value| match value {
        Value::Object(object) => of_object(object, tool),
        Value::String(text) => of_text(text, tool).into_iter().next(),
        _ => None,
    };
    let many = |values: &[Value]| values.iter().take(MAX_RESULTS).filter_map(one).collect();
    match value {
        Value::Array(values) => many(values),
        Value::Object(object) => {
            let list = LISTS.iter().find_map(|name| object.get(*name).and_then(Value::as_array));
            match (list, object.get("result").or_else(|| object.get("data"))) {
                (Some(list), _) => many(list),
                (None, Some(inner @ Value::Object(_))) => of_json(inner, tool),
                (None, _) => of_object(object, tool).into_iter().collect(),
            }
        }
        _ => Vec::new(),
    }
}

/// Reads one result; nothing when it has neither an address nor a text.
fn of_object(object: &Map<String, Value>, tool: &str) -> Option<Found> {
    let url = ADDRESS.iter().find_map(|name| object.get(*name)?.as_str().and_then(address));
    let body = first(object, &TEXT).map(plain);
    let summary = first(object, &SUMMARY);
    if url.is_none() && body.is_none() && summary.is_none() {
        return None;
    }
    let found = Found {
        url: url.unwrap_or_default().to_owned(),
        title: first(object, &TITLE).and_then(shown),
        summary: summary.and_then(shown),
        published: first(object, &DATE).and_then(shown),
        body,
    };
    Some(addressed(found, tool))
}

fn first<'v>(object: &'v Map<String, Value>, names: &[&str]) -> Option<&'v str> {
    let text = |name: &&str| object.get(*name).and_then(Value::as_str);
    names.iter().find_map(|name| text(name).filter(|text| !text.trim().is_empty()))
}

/// Reads entries of lines `Title: …`, `URL: …` and text; none when no line is an address.
fn entries(text: &str) -> Vec<Found> {
    let (mut all, mut now, mut said) = (Vec::new(), Found::default(), String::new());
    let mut end = |now: &mut Found, said: &mut String| {
        let text = std::mem::take(said);
        let mut found = std::mem::take(now);
        if !found.url.is_empty() && all.len() < MAX_RESULTS {
            found.body = (!text.trim().is_empty()).then(|| plain(text.trim()));
            all.push(found);
        }
    };
    for line in text.lines() {
        let is_mark =
            |c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | '-' | '*' | '#' | ' ');
        let bare = line.trim_start_matches(is_mark);
        let (key, value) = bare.split_once(':').unwrap_or(("", bare));
        let (key, value) =
            (key.trim_end_matches('*').to_ascii_lowercase(), value.trim_matches(['*', ' ']));
        match key.as_str() {
            "title" => {
                end(&mut now, &mut said);
                now.title = shown(value);
            }
            "url" | "link" | "source" if address(value).is_some_and(|url| url.contains("://")) => {
                if !now.url.is_empty() {
                    end(&mut now, &mut said);
                }
                value.clone_into(&mut now.url);
                // A line of its own above the address is the title.
                if now.title.is_none() {
                    now.title =
                        said.lines().rev().find_map(|line| shown(line.trim_matches(['*', ' '])));
                }
                said.clear();
            }
            "published" | "date" | "published date" => now.published = shown(value),
            "text" | "content" | "summary" | "snippet" | "description" => {
                said.push_str(value);
                said.push('\n');
            }
            _ => {
                said.push_str(if now.url.is_empty() { bare } else { line });
                said.push('\n');
            }
        }
    }
    end(&mut now, &mut said);
    all
}

/// Gives what has no address one that says where it is from.
fn addressed(mut found: Found, tool: &str) -> Found {
    if address(&found.url).is_none() {
        let text = found.body.as_ref().map(|body| String::from_utf8_lossy(&body.bytes));
        let hash = sha256(text.as_deref().or(found.summary.as_deref()).unwrap_or_default());
        found.url = format!("mcp:{tool}#{}", hash.get(..16).unwrap_or_default());
    }
    found
}

/// Returns an address that can be shown and cited.
fn address(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_clean = !text.contains(|c: char| c.is_control() || c.is_whitespace());
    (!text.is_empty() && text.len() <= MAX_ADDRESS_BYTES && is_clean).then_some(text)
}

/// Returns a short text for people; nothing when there is none.
fn shown(text: &str) -> Option<String> {
    let words: Vec<_> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    let short: String = words.join(" ").chars().take(MAX_TEXT_CHARS).collect();
    (!short.is_empty()).then_some(short)
}
