//! Fetches a page over http from the hosts it was granted.
//!
//! `fetch` follows redirects and bounds what is read, over the `Transport` trait; `wire` is that trait
//! over `wasi:http`. Which hosts can be reached is the host's decision, made anew for each request;
//! what is refused here (schemes, downgrades, headers) is refused so that a caller learns it early.

#![deny(unsafe_code)]

mod address;
mod body;
mod error;
mod fetch;
#[cfg(target_family = "wasm")]
mod wire;

ringfence_sdk::plugin!("ringfence:web-fetch/web-fetch" for WebFetch, additional_derives: [PartialEq]);

/// The component.
struct WebFetch;

impl Guest for WebFetch {
    #[cfg(target_family = "wasm")]
    fn fetch(url: String, options: Option<Options>) -> Result<Page, ringfence_sdk::ToolError> {
        Ok(fetch::fetch(&mut wire::Wasi, &url, options.as_ref())?)
    }

    #[cfg(not(target_family = "wasm"))]
    fn fetch(url: String, options: Option<Options>) -> Result<Page, ringfence_sdk::ToolError> {
        struct Unplugged;
        impl fetch::Transport for Unplugged {
            fn send(&mut self, _: &fetch::Request) -> Result<fetch::Reply, error::FetchError> {
                Err(error::FetchError::Denied {
                    reason: "no network outside a component".to_owned(),
                })
            }
        }
        Ok(fetch::fetch(&mut Unplugged, &url, options.as_ref())?)
    }
}
