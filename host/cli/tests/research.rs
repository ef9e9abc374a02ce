//! `ringfence research` as a person uses it: the built command, the steps as components.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests start the command and look at files"
)]
#![forbid(unsafe_code)]

#[path = "research/common.rs"]
mod common;
#[path = "research/evaluate.rs"]
mod evaluate;
#[path = "research/flow.rs"]
mod flow;
#[path = "research/kept.rs"]
mod kept;
#[path = "research/model.rs"]
mod model;
#[path = "research/outside.rs"]
mod outside;
#[path = "research/pdf.rs"]
mod pdf;
#[path = "research/replaced.rs"]
mod replaced;
#[path = "research/reports.rs"]
mod reports;
#[path = "research/server.rs"]
mod server;
#[path = "research/web.rs"]
mod web;
