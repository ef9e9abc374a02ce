//! Asks for a page: the request, its redirects, and the answer as it comes.
//!
//! `wire` is [`Transport`] over `wasi:http`; tests put another one in its place. Which hosts can be reached is
//! the host's decision, made anew for each request; what is refused here (schemes, downgrades) is refused so
//! that a caller learns it early.

#![deny(unsafe_code)]

pub mod address;
mod error;
#[cfg(target_family = "wasm")]
mod wire;

use std::io::Read;
use std::time::Duration;

use url::Url;

pub use error::FetchError;
#[cfg(target_family = "wasm")]
pub use wire::Wasi;

/// Headers that are for one host only: what proves who asks, and what is known of its pages.
const FOR_ONE_HOST: [&str; 5] =
    ["authorization", "cookie", "x-api-key", "if-none-match", "if-modified-since"];

/// Methods that only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The page and its headers.
    Get,
    /// The headers alone.
    Head,
}

/// What goes over the wire; header names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// How long to wait for a connection, the first byte, and between two bytes.
    pub timeout: Duration,
}

/// What comes back; header names in lower case.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Box<dyn Read>,
}

impl Reply {
    /// Returns the first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn location(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
            .then(|| self.header("location"))
            .flatten()
    }
}

/// Sends one request, without following anything.
pub trait Transport {
    /// Sends it.
    fn send(&mut self, request: &Request) -> Result<Reply, FetchError>;
}

/// No network: what the logic of a plugin meets in native tests.
pub struct Unplugged;

impl Transport for Unplugged {
    fn send(&mut self, _: &Request) -> Result<Reply, FetchError> {
        Err(FetchError::Denied { reason: "no network outside a component".to_owned() })
    }
}

/// Sends a request and follows at most `limit` redirects. Afterwards `request` is what was sent last; the
/// addresses before it are returned with the answer.
pub fn follow(
    transport: &mut dyn Transport,
    request: &mut Request,
    limit: u8,
) -> Result<(Reply, Vec<String>), FetchError> {
    let mut redirects = Vec::new();
    loop {
        let reply = transport.send(request)?;
        let Some(location) = reply.location() else { return Ok((reply, redirects)) };
        let to = address::redirect(&request.url, location)?;
        if redirects.len() >= usize::from(limit) {
            return Err(FetchError::TooManyRedirects { limit, url: to.to_string() });
        }
        if to.origin() != request.url.origin() {
            request.headers.retain(|(name, _)| !FOR_ONE_HOST.contains(&name.as_str()));
        }
        redirects.push(std::mem::replace(&mut request.url, to).to_string());
    }
}
