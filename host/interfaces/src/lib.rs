//! The host functions a plugin can be given, one module per capability.
//!
//! Invariants: an interface is linked only when a grant covers it ([`link`]); a refusal inside a
//! linked interface is a typed error of that interface, never a trap; every effect is told to the
//! [`EffectSink`] before it happens; every allocation a guest can drive is charged to the meter.
//!
//! Start with [`link`] (what gets linked and what is refused), then [`HostState`] (what one run holds).
#![forbid(unsafe_code)]

pub mod agent;
mod effect;
pub mod exec;
pub mod fs;
mod host;
pub mod http;
pub mod kv;
mod link;
pub mod mcp;
pub mod model;
mod output;
mod provider;
pub mod proxy;
mod source;
mod state;

pub use agent::{AgentChild, AgentWorld};
pub use effect::{Effect, EffectSink, Effects, Moved, NotRecorded, Verdict};
pub use fs::Blocking;
pub use host::{Level, Observer};
pub use link::{LinkError, LinkPlan, Refused, covers, link, offers};
pub use output::{Output, Sink};
pub use state::{HostState, Setup, Stdin};
