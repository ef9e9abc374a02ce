//! The Model Context Protocol over one registry of tools.
//!
//! [`Registry`] is the edge: whoever has tools implements it, and whoever offers or calls them uses it.
//! [`server`] offers a registry to clients, over standard input and output or HTTP; [`client`] calls the
//! tools of one outside server, each pinned by its [`contract`]. [`message`], [`wire`] and [`schema`] are
//! for both.
//!
//! Invariants: what comes from the other side is bounded before it is parsed, and answered or refused
//! by name; every call has a deadline and ends when its caller withdraws; inputs and outputs are held
//! against their schemas here, whatever the registry does; text of a tool never steers what shows it;
//! nothing that a client can ask for grants, widens or approves anything.
//!
//! Start with [`Registry`], then [`server::Server`].
#![forbid(unsafe_code)]

mod catalog;
pub mod client;
pub mod contract;
mod error;
mod joined;
pub mod message;
mod names;
mod registry;
pub mod schema;
pub mod server;
pub mod wire;

pub use catalog::{Argument, Catalog, Document, Hints, PromptInfo, Template, Tool};
pub use error::{CallError, McpError};
pub use joined::Joined;
pub use names::{MAX_NAME, tool_names};
pub use registry::{
    Answer, Answers, Asks, Call, Changes, Given, Listener, MAX_CONFIRM, Outcome, Part, Person,
    PromptAnswer, PromptCall, PromptOutcome, Question, Quiet, Registry, Severity, Speaker,
};
pub use server::{Server, ServerOptions};
