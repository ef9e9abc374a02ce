//! One fetch: the request, its redirects, and the answer within limits.

use std::time::Duration;

use page_charset::Extent;
use page_client::{FetchError, Method, Reply, Request, Transport, address};

use crate::body::{self, Taken};
use crate::{Form, Options, Page};

const DEFAULT_BODY_BYTES: u32 = 1 << 20;
const MAX_BODY_BYTES: u32 = 8 << 20;
const DEFAULT_REDIRECTS: u8 = 5;
const MAX_REDIRECTS: u8 = 20;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most headers a caller may send, and the longest value.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 8 << 10;

/// Headers that belong to the connection, or say who asks for what, and so to the host.
const RESERVED: [&str; 14] = [
    "host",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "accept-encoding",
    "http2-settings",
    "forwarded",
];
/// Headers of an answer that are passed on.
const PASSED_ON: [&str; 13] = [
    "age",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "link",
    "retry-after",
];

/// Fetches a page.
pub(crate) fn fetch(
    transport: &mut dyn Transport,
    url: &str,
    options: Option<&Options>,
) -> Result<Page, FetchError> {
    let timeout = options.and_then(|o| o.timeout_ms);
    let limit =
        options.and_then(|o| o.max_redirects).unwrap_or(DEFAULT_REDIRECTS).min(MAX_REDIRECTS);
    let mut request = Request {
        method: options.and_then(|o| o.method).map_or(Method::Get, Method::from),
        url: address::parse(url)?,
        headers: headers(options.map_or(&[], |o| o.headers.as_slice()))?,
        timeout: timeout.map_or(DEFAULT_TIMEOUT, |ms| Duration::from_millis(u64::from(ms))),
    };
    let (reply, redirects) = page_client::follow(transport, &mut request, limit)?;
    page(&request, reply, redirects, options)
}

fn page(
    request: &Request,
    mut reply: Reply,
    redirects: Vec<String>,
    options: Option<&Options>,
) -> Result<Page, FetchError> {
    let form = options.and_then(|o| o.form).unwrap_or(Form::Text);
    let limit = options.and_then(|o| o.max_bytes).unwrap_or(DEFAULT_BODY_BYTES).min(MAX_BODY_BYTES);
    let media_type = reply.header("content-type").map(str::to_owned);
    let has_body = request.method == Method::Get && !matches!(reply.status, 204 | 304);
    let taken = if has_body {
        if form == Form::Text {
            body::check_text(media_type.as_deref(), reply.header("content-encoding"))?;
        }
        body::take(&mut reply.body, media_type.as_deref(), form, limit)?
    } else {
        Taken::nothing()
    };
    let headers = reply.headers.into_iter().filter(|(name, _)| PASSED_ON.contains(&name.as_str()));
    Ok(Page {
        status: reply.status,
        url: request.url.to_string(),
        redirects,
        headers: headers.collect(),
        content_type: media_type.as_deref().map(body::essence).filter(|kind| !kind.is_empty()),
        charset: taken.charset,
        body: taken.body,
        size: taken.size,
        truncated: taken.extent == Extent::Cut,
    })
}

/// Returns the headers to send, names in lower case.
fn headers(given: &[(String, String)]) -> Result<Vec<(String, String)>, FetchError> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        if let Some(reason) = header_fault(&name, value, headers.len()) {
            let name = name.chars().take(100).filter(|c| !c.is_control()).collect();
            return Err(FetchError::BadHeader { name, reason });
        }
        headers.push((name, value.trim().to_owned()));
    }
    for (name, value) in [
        ("accept", "text/html, text/*;q=0.9, */*;q=0.5"),
        ("user-agent", "ringfence-web-fetch/0.1"),
    ] {
        if !headers.iter().any(|(n, _)| n == name) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(headers)
}

fn header_fault(name: &str, value: &str, count: usize) -> Option<&'static str> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if count >= MAX_HEADERS {
        return Some("is one too many; 32 can be sent");
    }
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some("is not a header name");
    }
    if RESERVED.contains(&name) {
        return Some("is set by the host");
    }
    if value.len() > MAX_HEADER_BYTES {
        return Some("has a value longer than 8192 bytes");
    }
    (!value.chars().all(|c| c == '\t' || (' '..='~').contains(&c)))
        .then_some("has a value that is not printable ASCII")
}

#[cfg(test)]
mod tests;
