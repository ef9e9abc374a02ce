//! Finds articles of a wiki that runs `MediaWiki`, and gets them; `research-web` has how it is asked and read.

#![deny(unsafe_code)]

ringfence_sdk::plugin!("ringfence:step-wikipedia/wikipedia" for Wikipedia, generate_all);

/// The component.
struct Wikipedia;

research_web::provider!(Wikipedia, research_web::Wikipedia);
