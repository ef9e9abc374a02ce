//! Finds pages with a `SearXNG` instance, and gets them; `research-web` has how it is asked and read.

#![deny(unsafe_code)]

ringfence_sdk::plugin!("ringfence:step-searxng/searxng" for SearXng, generate_all);

/// The component.
struct SearXng;

research_web::provider!(SearXng, research_web::SearXng);
