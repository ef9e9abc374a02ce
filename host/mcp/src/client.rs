//! Calls tools of one outside server over two streams of lines.
//!
//! One request is under way at any time, and whatever else the server sends is taken in while its answer
//! is waited for: between requests nothing is read. Invariants: every wait has an end; what a server can
//! send for one answer is bounded in lines and bytes; an answer counts only for the request that waits;
//! what a server asks is declined unless somebody is named who answers.
//!
//! Start with [`Client::begin`].

mod ask;
mod error;
mod revision;
mod talk;
mod tools;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::wire::{LineReader, LineWriter};

pub use ask::{Asked, Asking, Nobody};
pub use error::ClientError;
pub use revision::Revision;
pub use tools::{Called, Listed};

/// What one server may use; the defaults are what is documented.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct ClientBounds {
    /// The most bytes of one message.
    pub line: usize,
    /// The most messages before one answer.
    pub messages: u32,
    /// The most bytes of all of them.
    pub bytes: usize,
    /// The most lines before one answer that are no messages: some servers print.
    pub garbage: u32,
    /// How long the server may take to read one message.
    pub write: Duration,
    /// How long it may take to begin.
    pub begin: Duration,
    /// How long it may take to list its tools.
    pub list: Duration,
    /// The most tools it may have.
    pub tools: usize,
    /// The most bytes of one answer.
    pub answer: usize,
}

impl Default for ClientBounds {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            line: 16 * MIB,
            messages: 10_000,
            bytes: 64 * MIB,
            garbage: 64,
            write: Duration::from_secs(30),
            begin: Duration::from_mins(1),
            list: Duration::from_secs(30),
            tools: 1_000,
            answer: 4 * MIB,
        }
    }
}

/// What a server says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Introduction {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it tells a model about its tools as a whole.
    pub instructions: Option<String>,
}

/// A talk with one server.
pub struct Client<I, O> {
    reader: LineReader<I>,
    writer: LineWriter<O>,
    bounds: ClientBounds,
    revision: Revision,
    introduction: Introduction,
    next: i64,
    /// Whether the server said that its tools are others now.
    changed: bool,
    /// Whether a half message may have gone out, or the server broke the rules: nothing more is sent.
    over: bool,
}

impl<I: AsyncRead + Unpin, O: AsyncWrite + Unpin> Client<I, O> {
    /// Begins to talk: finds out which revision the server speaks, `known` first.
    ///
    /// # Errors
    /// Any [`ClientError`]; the talk is over then.
    pub async fn begin(
        input: I,
        output: O,
        bounds: ClientBounds,
        known: Option<&str>,
    ) -> Result<Self, ClientError> {
        let mut client = Self {
            reader: LineReader::new(input, bounds.line),
            writer: LineWriter::new(output, bounds.write),
            bounds,
            revision: Revision::default(),
            introduction: Introduction::default(),
            next: 0,
            changed: false,
            over: false,
        };
        let begun = tokio::time::timeout(bounds.begin, client.negotiate(known)).await;
        begun.map_err(|_| ClientError::Slow { what: "begin", after: bounds.begin })??;
        Ok(client)
    }

    /// Returns the revision that is spoken.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// Returns what the server says about itself.
    pub fn introduction(&self) -> &Introduction {
        &self.introduction
    }

    /// Tells whether the server said, since the last time this was asked, that its tools are others.
    pub fn tools_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Tells whether nothing more can be said.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Ends the output, which tells the server to end.
    pub async fn close(&mut self) {
        self.over = true;
        self.writer.close().await;
    }

    /// Returns what this side can do, as a server reads it.
    fn capabilities(asks: bool) -> Value {
        if asks { json!({ "elicitation": { "form": {} } }) } else { json!({}) }
    }
}

/// Returns who this side is, as a server reads it.
fn own_name() -> Value {
    json!({ "name": "ringfence", "version": env!("CARGO_PKG_VERSION") })
}
