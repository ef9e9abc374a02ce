//! Finds pages with the search of Brave, and gets them; `research-web` has how it is asked and read.

#![deny(unsafe_code)]

ringfence_sdk::plugin!("ringfence:step-brave/brave" for Brave, generate_all);

/// The component.
struct Brave;

research_web::provider!(Brave, research_web::Brave);
