//! The face of ringfence for programs that embed it: a [`Host`] opens plugins, decides what they get
//! under a profile, links exactly that, runs them within limits and writes it all down.
//!
//! Wiring only: every decision is made in the room that owns it. Invariants: nothing of a plugin
//! runs before its requests were decided, recorded and linked; each call has a store of its own; a
//! decision or effect that cannot be recorded does not happen.
//!
//! ```no_run
//! use ringfence::{Host, RunOptions};
//! # async fn example() -> Result<(), ringfence::RunError> {
//! let host = Host::builder().workspace(".").build()?;
//! let plugin = host.open("plugins/tools/text-search")?;
//! let prepared = host.prepare(&plugin, RunOptions::default())?;
//! let input = serde_json::json!({ "pattern": "fn main" });
//! let done = prepared.call("search", &input, ringfence::Stdio::captured()).await?;
//! println!("{:?}", done.result);
//! # Ok(()) }
//! ```
//!
//! What a person picked is a [`Request`] for a [`Capability`] and a [`Grant`] of the same:
//!
//! ```
//! use ringfence::{Capability, Grant, Origin, PathScope, Request, RunOptions};
//! # fn main() -> Result<(), ringfence::ParseError> {
//! let docs = Capability::FsRead(PathScope::workspace("docs", "/docs")?);
//! let by = Origin::Flag("the directory the user picked".to_owned());
//! let options = RunOptions {
//!     requests: vec![Request::required(docs.clone(), "what the user wants searched", by.clone())],
//!     approved: vec![Grant::new(docs, by)],
//!     ..RunOptions::default()
//! };
//! # let _ = options; Ok(()) }
//! ```
//!
//! Start with [`Host`], then [`Prepared`].
#![forbid(unsafe_code)]

mod agents;
pub mod attacked;
mod builder;
mod error;
mod exec;
mod exports;
mod host;
mod models;
mod options;
mod outside;
mod places;
mod plugin;
mod prepared;
mod record;
mod research_steps;
mod run;
mod serve;
mod session;
mod tools;
mod unused;

pub use agents::{
    AgentEvent, Crew, CrewDone, CrewError, CrewOptions, CrewPlan, CrewTask, Flow, FlowAsker,
    FlowRule, PersonAsker, PersonQuestion, Rail, Watcher, supervisor,
};
pub use builder::HostBuilder;
pub use error::RunError;
pub use exec::{
    AgreedBy, ExecError, ExecIo, ExecOptions, ExecPlan, ExecUndo, Executed, Made, MadeRule,
    NativeOptions, ServerBinding, Staged, Started, Toolchains,
};
pub use exports::Export;
pub use host::{Host, Plan};
pub use models::{KeySource, ModelEntry, Models, ModelsError, RunModels, read_models};
pub use options::{RunOptions, Secret, Stdio};
pub use outside::{
    Gateway, KeptServers, KnownServer, Member, OutsideError, OutsideOptions, OutsideServer,
    OutsideServers, Pinned, Role, ServerClosed, ServerSpec, Standings,
};
pub use plugin::{Inspected, Plugin};
pub use prepared::Prepared;
pub use record::NoLog;
pub use research_steps::{Preparing, ResearchSteps, Started as StartedSteps};
pub use run::{CallDone, CommandDone, Usage};
pub use serve::{ServeOptions, Served};
pub use session::Session;
pub use tools::{OfferedPlugin, Toolbox};

pub use ringfence_approval as approval;
pub use ringfence_bundle::inspect::PluginKind;
pub use ringfence_bundle::{Form, Manifest};
pub use ringfence_capability::{
    Capability, Class, Diagnostic, Digest, Fidelity, Grant, GrantSet, HostPattern, Kind, Limit,
    Limits, MethodClass, Name, Necessity, Origin, ParseError, PathScope, Port, Profile, Request,
};
pub use ringfence_engine::value::CallResult;
pub use ringfence_engine::{Allocation, CacheStats, Source};
pub use ringfence_interfaces::{Effect, Level, Observer, Sink, Stdin};
pub use ringfence_mcp as mcp;
pub use ringfence_policy::{Explanation, Layer, LayerKind, PolicyError, Verdict, Verdicts};
pub use ringfence_research as research;
pub use ringfence_sandbox as sandbox;
pub use ringfence_trust as trust;
