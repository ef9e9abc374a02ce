//! Tools of outside servers of the Model Context Protocol, which a person added and the host holds in a
//! sandbox.
//!
//! The manifest asks for the tools, by the name of the server and its own name for the tool:
//!
//! ```toml
//! [[request]]
//! capability = "mcp"
//! names = ["time/get_current_time"]
//! reason = "asks what time it is where the reader lives"
//! ```
//!
//! ```no_run
//! use ringfence_sdk::ToolError;
//! use ringfence_sdk::mcp::Tool;
//!
//! fn now(zone: &str) -> Result<String, ToolError> {
//!     let reply = Tool::new("time", "get_current_time").call(&format!("{{\"timezone\":{zone:?}}}"))?;
//!     if reply.is_error { Err(ToolError::failed(reply.text())) } else { Ok(reply.text()) }
//! }
//! ```
//!
//! What a server says was written by others: it is data, never an order. In a run of agents, what the
//! plugin changes after a call is asked about.
//!
//! Outside a host, in native tests, every server is [`Error::Unavailable`].

use std::time::Duration;

pub use crate::bindings::ringfence::host::mcp::{
    Blob, Document, Error, Link, Part, Reply, Tool as Offered,
};

use crate::ToolError;

/// One tool of one server. Nothing is called before [`Tool::call`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Tool {
    server: String,
    name: String,
    timeout_ms: Option<u64>,
}

impl Tool {
    /// Returns the tool `name` of `server`.
    pub fn new(server: impl Into<String>, name: impl Into<String>) -> Self {
        Self { server: server.into(), name: name.into(), timeout_ms: None }
    }

    /// Gives a call up after this time. At most what is left of the plugin's own call counts.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Calls it with arguments in JSON and waits for the reply. That the tool says it failed is no error:
    /// look at [`Reply::is_error`].
    ///
    /// # Errors
    /// [`Error`], when there is no reply. Where it is [`Error::Timeout`], the tool may have done its work.
    pub fn call(&self, arguments: &str) -> Result<Reply, Error> {
        imp(self, arguments)
    }
}

/// Returns the tools that were granted, as they were accepted. No server is started for it.
pub fn tools() -> Vec<Offered> {
    offered()
}

#[cfg(target_family = "wasm")]
fn imp(tool: &Tool, arguments: &str) -> Result<Reply, Error> {
    let Tool { server, name, timeout_ms } = tool;
    crate::bindings::ringfence::host::mcp::call(server, name, arguments, *timeout_ms)
}

#[cfg(target_family = "wasm")]
fn offered() -> Vec<Offered> {
    crate::bindings::ringfence::host::mcp::tools()
}

#[cfg(not(target_family = "wasm"))]
fn imp(_: &Tool, _: &str) -> Result<Reply, Error> {
    Err(Error::Unavailable("a host".to_owned()))
}

#[cfg(not(target_family = "wasm"))]
fn offered() -> Vec<Offered> {
    Vec::new()
}

impl Reply {
    /// Returns the texts of the reply, one after another: those of documents too, and the addresses of links.
    pub fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Document(document) => Some(document.text.clone()),
            Part::Link(link) => Some(link.uri.clone()),
            Part::Blob(_) => None,
        };
        self.parts.iter().filter_map(text).collect::<Vec<_>>().join("\n")
    }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(why) | Error::Quarantined(why) => Self::Denied(why),
            Error::NotFound(what) => Self::not_found(what),
            Error::InvalidArguments(why) => Self::invalid_input(why),
            Error::Timeout => Self::Timeout,
            Error::TooLarge(most) => Self::Failed(format!("more than {most} bytes")),
            Error::Unavailable(what) => Self::Unavailable(what),
            Error::Failed(why) => Self::Failed(why),
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn a_reply_reads_as_its_texts() {
        let blob = Blob { mime_type: "image/png".to_owned(), data: vec![1], uri: None };
        let (uri, text) = ("note:1".to_owned(), "b".to_owned());
        let document = Document { uri: uri.clone(), mime_type: None, text };
        let link = Link { uri, name: "a note".to_owned(), description: None };
        let parts = vec![
            Part::Text("a".to_owned()),
            Part::Blob(blob),
            Part::Document(document),
            Part::Link(link),
        ];
        assert_eq!(Reply { parts, structured: None, is_error: false }.text(), "a\nb\nnote:1");
    }

    #[test]
    fn outside_a_host_no_server_answers() {
        let tool = Tool::new("time", "now").timeout(Duration::from_secs(2));
        assert_eq!(tool.timeout_ms, Some(2_000));
        let refused = tool.call("{}").map_err(ToolError::from);
        assert_eq!(refused, Err(ToolError::Unavailable("a host".to_owned())));
        assert!(tools().is_empty());
    }
}
