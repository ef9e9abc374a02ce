//! What the providers that search the network share: [`Engine`] is one search service, `engines` has
//! three, [`search`] and [`retrieve`] ask.
//!
//! Invariants: what a server sends is read within limits and is data; nothing of it decides what is asked
//! next but the address of a hit, which the host holds against its grants like any other; a page is asked for with
//! what is known of it, so that one that did not change is not sent again.

#![deny(unsafe_code)]

mod engines;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::time::Duration;

use page_client::{FetchError, Method, Reply, Request, Transport, address, follow};
use ringfence_sdk::ToolError;
use serde_json::Value;
use url::Url;

pub use engines::{Brave, SearXng, Wikipedia};
#[cfg(not(target_family = "wasm"))]
pub use page_client::Unplugged as Network;
#[cfg(target_family = "wasm")]
pub use page_client::Wasi as Network;

/// Largest answer of a search.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
/// Largest page.
const MAX_PAGE_BYTES: u64 = 8 << 20;
/// Most redirects.
const MAX_REDIRECTS: u8 = 5;
/// How long to wait for a connection, the first byte, and between two bytes.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most answers of a service that one search takes.
const MAX_ANSWERS: u32 = 5;
/// Longest question to a service.
const MAX_QUERY_BYTES: usize = 400;
/// Longest text of a hit, in characters.
const MAX_TEXT_CHARS: usize = 500;
/// Who asks; services want to know it.
const AGENT: &str = "ringfence-research/0.1 (https://github.com/ringfence/ringfence)";

/// A document that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it is.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// Some sentences of it.
    pub snippet: Option<String>,
    /// When it was published.
    pub published: Option<String>,
}

/// A document as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it was in the end.
    pub url: String,
    /// Its media type.
    pub media_type: Option<String>,
    /// A validator (`ETag`).
    pub etag: Option<String>,
    /// When it was changed last, as the server wrote it.
    pub modified: Option<String>,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A search service.
pub trait Engine {
    /// The variable that names another address for it.
    const VARIABLE: &'static str;
    /// Where it is; nothing when it has no usual place.
    const ADDRESS: Option<&'static str>;

    /// Returns the address of one answer, the first being number 0, and how many hits it has at most.
    fn ask(base: &Url, query: &str, limit: u32, number: u32) -> Option<(Url, u32)>;

    /// Reads the hits of an answer; nothing when it has another form.
    fn read(base: &Url, answer: &Value) -> Option<Vec<Hit>>;
}

/// Searches with a service.
///
/// # Errors
/// When the service has no address, refuses, cannot be reached, or answers in another form.
pub fn search<E: Engine>(
    transport: &mut dyn Transport,
    address: Option<&str>,
    query: &str,
    limit: u32,
) -> Result<Vec<Hit>, ToolError> {
    let base = address.or(E::ADDRESS).ok_or_else(|| {
        let text =
            format!("where the service is has to be said: `--env {}=https://…`", E::VARIABLE);
        ToolError::InvalidInput(text)
    })?;
    let base = address::parse(base)?;
    let query = query.get(..query.floor_char_boundary(MAX_QUERY_BYTES)).unwrap_or_default();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut hits: Vec<Hit> = Vec::new();
    for number in 0..MAX_ANSWERS {
        let Some((url, count)) = E::ask(&base, query, limit, number) else { break };
        let answer = match json(transport, url) {
            Err(error) if number > 0 => {
                ringfence_sdk::log::warn(format!("a further answer was not had: {error:?}"));
                break;
            }
            answer => answer?,
        };
        let form =
            || ToolError::Failed("the service answered in a form that is not its own".to_owned());
        let found = E::read(&base, &answer).ok_or_else(form)?;
        let fewer = found.len() < usize::try_from(count).unwrap_or(usize::MAX);
        hits.extend(found.into_iter().filter(|hit| address::parse(&hit.url).is_ok()));
        if hits.len() >= most || fewer {
            break;
        }
    }
    hits.truncate(most);
    Ok(hits)
}

/// Gets a page; nothing when it is still the one that is known.
///
/// # Errors
/// When it may not be asked for, cannot be had, or is too large.
pub fn retrieve(
    transport: &mut dyn Transport,
    url: &str,
    known: Option<(Option<String>, Option<String>)>,
) -> Result<Option<Page>, ToolError> {
    let (etag, modified) = known.unwrap_or_default();
    let mut headers =
        vec![("accept", "text/html, text/plain;q=0.9, text/markdown;q=0.9".to_owned())];
    headers.extend(etag.map(|etag| ("if-none-match", etag)));
    headers.extend(modified.map(|modified| ("if-modified-since", modified)));
    let mut request = request(address::parse(url)?, headers);
    let (mut reply, _) = follow(transport, &mut request, MAX_REDIRECTS)?;
    // What another host says has not changed is not what is known.
    let asks = |name: &str| request.headers.iter().any(|(header, _)| header == name);
    if reply.status == 304 && (asks("if-none-match") || asks("if-modified-since")) {
        return Ok(None);
    }
    checked(&reply, &request.url)?;
    let of = |name: &str| reply.header(name).map(str::to_owned);
    let (media_type, etag, modified) = (of("content-type"), of("etag"), of("last-modified"));
    let body = read(&mut reply, MAX_PAGE_BYTES)?;
    Ok(Some(Page { url: request.url.to_string(), media_type, etag, modified, body }))
}

fn json(transport: &mut dyn Transport, url: Url) -> Result<Value, ToolError> {
    let mut request = request(url, vec![("accept", "application/json".to_owned())]);
    let (mut reply, _) = follow(transport, &mut request, MAX_REDIRECTS)?;
    checked(&reply, &request.url)?;
    let body = read(&mut reply, MAX_ANSWER_BYTES)?;
    serde_json::from_slice(&body)
        .map_err(|error| ToolError::Failed(format!("the service sent no whole JSON: {error}")))
}

fn request(url: Url, headers: Vec<(&str, String)>) -> Request {
    let sendable =
        |value: &String| value.len() < 1024 && value.bytes().all(|b| (b' '..=b'~').contains(&b));
    let headers = headers.into_iter().filter(|(_, value)| sendable(value));
    let headers = headers.chain([("user-agent", AGENT.to_owned())]);
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).collect();
    Request { method: Method::Get, url, headers, timeout: TIMEOUT }
}

/// Sorts statuses into what a caller can do about them.
fn checked(reply: &Reply, url: &Url) -> Result<(), ToolError> {
    let host = url.host_str().unwrap_or_default();
    let later = reply.header("retry-after").filter(|text| text.len() < 40);
    let later =
        later.map(|text| format!(", and says to ask again after {text}")).unwrap_or_default();
    match reply.status {
        200 => match reply.header("content-encoding").map(str::trim) {
            None | Some("" | "identity") => Ok(()),
            Some(encoding) => {
                Err(FetchError::Encoded { encoding: encoding.chars().take(40).collect() }.into())
            }
        },
        401 | 403 => {
            Err(ToolError::Denied(format!("`{host}` refused with status {}", reply.status)))
        }
        404 | 410 => Err(ToolError::NotFound(format!("`{host}` has no such page"))),
        429 => Err(ToolError::Unavailable(format!("`{host}` was asked too often{later}"))),
        500..600 => Err(ToolError::Unavailable(format!(
            "`{host}` failed with status {}{later}",
            reply.status
        ))),
        status => Err(ToolError::Failed(format!("`{host}` answered with status {status}"))),
    }
}

fn read(reply: &mut Reply, most: u64) -> Result<Vec<u8>, ToolError> {
    let mut bytes = Vec::new();
    let read = (&mut reply.body).take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| ToolError::Unavailable(format!("the body broke off: {error}")))?;
    if bytes.len() as u64 > most {
        return Err(ToolError::TooLarge(most));
    }
    Ok(bytes)
}

/// Writes a provider over one engine: `provider!(Component, Engine)` where the bindings of the plugin are.
#[macro_export]
macro_rules! provider {
    ($component:ident, $engine:ty) => {
        use exports::ringfence::research::provider::{Guest, Hit, Known, Page};

        impl Guest for $component {
            fn search(query: String, limit: u32) -> Result<Vec<Hit>, ringfence_sdk::ToolError> {
                let address = std::env::var(<$engine as $crate::Engine>::VARIABLE).ok();
                let mut network = $crate::Network;
                let found =
                    $crate::search::<$engine>(&mut network, address.as_deref(), &query, limit)?;
                let hit = |hit: $crate::Hit| {
                    let $crate::Hit { url, title, snippet, published } = hit;
                    Hit { url, title, snippet, published }
                };
                Ok(found.into_iter().map(hit).collect())
            }

            fn retrieve(
                url: String,
                known: Option<Known>,
            ) -> Result<Option<Page>, ringfence_sdk::ToolError> {
                let known = known.map(|known| (known.etag, known.modified));
                let page = $crate::retrieve(&mut $crate::Network, &url, known)?;
                Ok(page.map(|page| {
                    let $crate::Page { url, media_type, etag, modified, body } = page;
                    Page { url, media_type, etag, modified, body }
                }))
            }
        }
    };
}
