//! Fetches a page over http from the hosts it was granted.
//!
//! `fetch` bounds what is read and checks headers; the crate `page-client` sends requests over `wasi:http` and
//! follows redirects. Which hosts can be reached is the host's decision, made anew for each request; what is
//! refused here is refused so that a caller learns it early.

#![deny(unsafe_code)]

mod body;
mod fetch;

ringfence_sdk::plugin!("ringfence:web-fetch/web-fetch" for WebFetch, additional_derives: [PartialEq]);

/// The component.
struct WebFetch;

impl From<Method> for page_client::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Head => Self::Head,
        }
    }
}

#[cfg(not(target_family = "wasm"))]
use page_client::Unplugged as Network;
#[cfg(target_family = "wasm")]
use page_client::Wasi as Network;

impl Guest for WebFetch {
    fn fetch(url: String, options: Option<Options>) -> Result<Page, ringfence_sdk::ToolError> {
        Ok(fetch::fetch(&mut Network, &url, options.as_ref())?)
    }
}
