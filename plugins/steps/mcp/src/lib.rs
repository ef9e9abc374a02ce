//! The provider of a research run over a search tool of an outside MCP server.
//!
//! `settings` chooses the tools and their arguments, `results` reads replies; this file keeps what was found
//! until it is retrieved. Invariants: what a server says is data, bounded, and never decides which tool is
//! called; an address it gives is passed to the one tool that a person named for reading, and to nothing else.

#![deny(unsafe_code)]

mod results;
mod settings;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;

use ringfence_sdk::ToolError;
use ringfence_sdk::mcp::{self, Offered, Reply, Tool};
use ringfence_sdk::research::sha256;
use serde_json::Value;

use results::{Body, Found};

ringfence_sdk::plugin!("ringfence:step-mcp/mcp" for Mcp, generate_all);

use exports::ringfence::research::provider::{Guest, Hit, Known, Page};

/// Largest text of a document.
const MAX_TEXT_BYTES: usize = 8 << 20;
/// Largest texts of a run together.
const MAX_KEPT_BYTES: usize = 64 << 20;
/// Longest text of an error that a server gave.
const MAX_ERROR_CHARS: usize = 300;

/// The component.
struct Mcp;

/// What was found and not retrieved yet.
#[derive(Debug, Default)]
struct Kept {
    found: BTreeMap<String, Found>,
    bytes: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

impl Kept {
    /// Keeps a result. A text that does not fit is left out, and retrieving it says so.
    fn add(&mut self, mut found: Found) -> Hit {
        let bytes = found.body.as_ref().map_or(0, |body| body.bytes.len());
        if bytes > MAX_TEXT_BYTES || self.bytes.saturating_add(bytes) > MAX_KEPT_BYTES {
            let bytes = Vec::new();
            found.body = found.body.map(|body| Body { bytes, ..body });
        } else {
            self.bytes += bytes;
        }
        let Found { url, title, summary, published, .. } = found.clone();
        self.found.entry(url.clone()).or_insert(found);
        Hit { url, title, snippet: summary, published }
    }
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Guest for Mcp {
    fn search(query: String, limit: u32) -> Result<Vec<Hit>, ToolError> {
        let tools = mcp::tools();
        let reads = setting("MCP_READ");
        let tool = settings::searcher(&tools, setting("MCP_TOOL").as_deref(), reads.as_deref())?;
        let arguments = settings::search(tool, setting, &query, limit)?;
        let found = results::found(&called(tool, &arguments)?, &settings::name(tool));
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = found.into_iter().take(most);
        Ok(KEPT.with_borrow_mut(|kept| found.map(|found| kept.add(found)).collect()))
    }

    fn retrieve(url: String, known: Option<Known>) -> Result<Option<Page>, ToolError> {
        let found = KEPT.with_borrow(|kept| kept.found.get(&url).cloned());
        let found = found.ok_or_else(|| ToolError::not_found("no search of this run found it"))?;
        page(url, body(found)?, known)
    }
}

/// Returns the text of what was found: what came with it, else what the tool for reading says, else the summary.
fn body(found: Found) -> Result<Body, ToolError> {
    if let Some(body) = found.body {
        return Ok(body);
    }
    if let Some(named) = setting("MCP_READ") {
        let tools = mcp::tools();
        let tool = settings::tool(&tools, &named)?;
        let reply = called(tool, &settings::read(tool, setting, &found.url)?)?;
        return results::document(&reply)
            .ok_or_else(|| ToolError::not_found("there is no text of it"));
    }
    let text = found.summary.ok_or_else(|| {
        let why = "the search gave no text of it; name a tool that reads it: `--env MCP_READ=SERVER/TOOL --mcp SERVER/TOOL`";
        ToolError::not_found(why)
    })?;
    Ok(Body { media_type: "text/plain; charset=utf-8".to_owned(), bytes: text.into_bytes() })
}

fn page(url: String, body: Body, known: Option<Known>) -> Result<Option<Page>, ToolError> {
    let Body { media_type, bytes: body } = body;
    if body.is_empty() || body.len() > MAX_TEXT_BYTES {
        return Err(ToolError::TooLarge(MAX_TEXT_BYTES as u64));
    }
    let etag = sha256(&String::from_utf8_lossy(&body));
    if known.and_then(|known| known.etag).is_some_and(|known| known == etag) {
        return Ok(None);
    }
    Ok(Some(Page { url, media_type: Some(media_type), etag: Some(etag), modified: None, body }))
}

/// Calls a tool. That it says it failed is an error here.
fn called(tool: &Offered, arguments: &Value) -> Result<Reply, ToolError> {
    let reply = Tool::new(&tool.server, &tool.name).call(&arguments.to_string())?;
    if reply.is_error {
        let said: String = reply.text().chars().take(MAX_ERROR_CHARS).collect();
        return Err(ToolError::failed(format!("`{}` failed: {said}", settings::name(tool))));
    }
    Ok(reply)
}
