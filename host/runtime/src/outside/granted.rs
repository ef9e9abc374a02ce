//! The tools of outside servers for plugins and agents that were granted them.
//!
//! Invariants: a server is started with the first call of a granted tool, as whoever added it approved it
//! and in no other way; one that was removed, replaced or accepted anew is not called as it was before;
//! a run never calls a server that was added under a wider profile than its own; a tool is called only as
//! it was accepted. What is told to a plugin names no path of this machine; the log has the whole of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_bundle::nearest;
use ringfence_capability::{
    Capability, Class, Diagnostic, Digest, GrantSet, Kind, OutsidePart, OutsideScope, Profile,
    with_causes,
};
use ringfence_interfaces::mcp::{OutsideCall, OutsideReach, OutsideRefusal, OutsideTools, wit};
use ringfence_mcp::client::{ClientBounds, Nobody};
use ringfence_mcp::contract::Contract;
use ringfence_mcp::{Answer, CallError, Part, Quiet};

use super::gateway::hints;
use super::{Member, OutsideError, OutsideServer};
use crate::RunError;

/// Where the outside servers of a person are kept.
pub trait KeptServers: Send + Sync + 'static {
    /// Returns the names of those that can be listed: only what could be meant is looked for in them.
    fn names(&self) -> Vec<String>;

    /// Returns what is kept about one; nothing when it was not added. Nothing is started.
    ///
    /// # Errors
    /// When what is kept cannot be used.
    fn known(&self, name: &str) -> Result<Option<KnownServer>, OutsideError>;

    /// Returns one that was added, not started, with what is kept about exactly this one.
    ///
    /// # Errors
    /// When it is not what it was added as.
    fn open(&self, name: &str) -> Result<(KnownServer, OutsideServer), RunError>;
}

/// What is kept about one server.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "whoever keeps servers builds it")]
pub struct KnownServer {
    /// The digest of everything that is kept about it: another one is another server.
    pub record: Digest,
    /// The profile it was added under.
    pub profile: Profile,
    /// Its tools, as they were accepted.
    pub tools: Vec<Contract>,
}

/// The outside servers that plugins and agents can be granted tools of. Clones are the same: each server
/// runs once, whoever calls it.
#[derive(Clone)]
pub struct OutsideServers(Arc<Inner>);

struct Inner {
    kept: Arc<dyn KeptServers>,
    held: Mutex<BTreeMap<String, Arc<Held>>>,
}

/// A server that was opened.
struct Held {
    member: Member,
    granted: GrantSet,
    known: KnownServer,
}

impl OutsideServers {
    /// Returns those that are kept there. None is started.
    pub fn new(kept: Arc<dyn KeptServers>) -> Self {
        Self(Arc::new(Inner { kept, held: Mutex::default() }))
    }

    /// Checks that what is granted is there, for a run under `ceiling`. Nothing is started.
    ///
    /// # Errors
    /// [`OutsideError::NoServer`], [`OutsideError::TooWide`], [`OutsideError::NoTool`].
    pub fn check(&self, scope: &OutsideScope, ceiling: Profile) -> Result<(), OutsideError> {
        let name = scope.server().as_str();
        let known = self.within(name, self.0.kept.known(name)?, ceiling)?;
        let there = |name: &str| known.tools.iter().any(|tool| tool.name() == name);
        match scope.part() {
            OutsidePart::Tool(tool) if !there(tool.as_str()) => Err(OutsideError::NoTool {
                server: scope.server().to_string(),
                tool: tool.to_string(),
                known: known.tools.iter().map(|tool| tool.name().to_owned()).collect(),
            }),
            OutsidePart::Tool(_) | OutsidePart::Every | OutsidePart::Itself => Ok(()),
        }
    }

    /// Ends every server that runs. What one wrote into its stage is thrown away.
    pub async fn close(&self) {
        let held = {
            let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *held)
        };
        for one in held.into_values() {
            one.member.end().await;
        }
    }

    /// Returns them for a run under `ceiling`.
    pub(crate) fn under(&self, ceiling: Profile) -> Arc<dyn OutsideTools> {
        Arc::new(Under { servers: self.clone(), ceiling })
    }

    /// Returns what is known about a server that may serve a run under `ceiling`.
    fn within(
        &self,
        name: &str,
        known: Option<KnownServer>,
        ceiling: Profile,
    ) -> Result<KnownServer, OutsideError> {
        let Some(known) = known else {
            let names = self.0.kept.names();
            let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
            return Err(OutsideError::NoServer { server: name.to_owned(), near });
        };
        if known.profile > ceiling {
            let (server, profile) = (name.to_owned(), known.profile);
            return Err(OutsideError::TooWide { server, profile, ceiling });
        }
        Ok(known)
    }

    /// Returns the server, opened once for what is kept about it. Where that is another now, what was
    /// opened before is let go: its calls under way go on, and then it is killed.
    fn hold(&self, name: &str, ceiling: Profile) -> Result<Arc<Held>, RunError> {
        let mut all = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.kept.known(name);
        let is_same =
            |held: &Arc<Held>| matches!(&now, Ok(Some(now)) if now.record == held.known.record);
        if !all.get(name).is_some_and(is_same) {
            all.remove(name);
        }
        self.within(name, now?, ceiling)?;
        if let Some(held) = all.get(name) {
            return Ok(Arc::clone(held));
        }
        let (known, server) = self.0.kept.open(name)?;
        // It may have been replaced in between.
        let known = self.within(name, Some(known), ceiling)?;
        let granted = server.granted().clone();
        let held = Arc::new(Held { member: Member::new(server), granted, known });
        all.insert(name.to_owned(), Arc::clone(&held));
        Ok(held)
    }
}

impl Held {
    fn tool(&self, name: &str) -> Option<&Contract> {
        self.known.tools.iter().find(|tool| tool.name() == name)
    }

    fn reads_only(&self, tool: &Contract) -> bool {
        hints(tool, &self.granted).read_only
    }

    fn seen(&self, server: &str, tool: &Contract) -> wit::Tool {
        wit::Tool {
            server: server.to_owned(),
            name: tool.name().to_owned(),
            description: tool.description().to_owned(),
            input_schema: tool.input().to_string(),
            output_schema: tool.output().map(|schema| schema.to_string()),
            read_only: self.reads_only(tool),
            digest: tool.digest().to_string(),
        }
    }
}

/// The servers, for runs under one profile.
struct Under {
    servers: OutsideServers,
    ceiling: Profile,
}

impl Under {
    fn hold(&self, server: &str) -> Result<Arc<Held>, OutsideRefusal> {
        self.servers.hold(server, self.ceiling).map_err(|error| {
            let told = told(&CallError::of(&error));
            OutsideRefusal { told, why: with_causes(&error) }
        })
    }

    async fn made(&self, call: OutsideCall) -> Result<wit::Reply, wit::Error> {
        let input = serde_json::from_str(&call.arguments)
            .map_err(|error| wit::Error::InvalidArguments(format!("no JSON: {error}")))?;
        let held = self.hold(&call.server).map_err(|refusal| {
            tracing::warn!(server = call.server, why = refusal.why, "it cannot be called");
            refusal.told
        })?;
        // Nobody is at the run to whom a question of the server could go.
        let (asking, listener) = (Arc::new(Nobody), Arc::new(Quiet));
        let answer = held.member.answered(&call.tool, &input, listener, asking, || call.deadline);
        answer.await.map(reply).map_err(|error| told(&error))
    }
}

impl OutsideTools for Under {
    fn tools(&self, granted: &GrantSet) -> Vec<wit::Tool> {
        let mut all = Vec::new();
        for server in servers_of(granted) {
            let held = match self.hold(&server) {
                Ok(held) => held,
                Err(OutsideRefusal { why, .. }) => {
                    tracing::warn!(server, why, "it cannot be used, so its tools are not offered");
                    continue;
                }
            };
            let covered = |tool: &&Contract| {
                let scope = OutsideScope::tool(&server, tool.name());
                scope.is_ok_and(|scope| granted.allows(&Capability::Mcp(scope)))
            };
            all.extend(
                held.known.tools.iter().filter(covered).map(|tool| held.seen(&server, tool)),
            );
        }
        all
    }

    fn reach(&self, server: &str, tool: &str) -> Result<OutsideReach, OutsideRefusal> {
        let held = self.hold(server)?;
        let no_tool = || {
            let why = format!("server `{server}` has no tool `{tool}`");
            OutsideRefusal { told: wit::Error::NotFound(why.clone()), why }
        };
        let tool = held.tool(tool).ok_or_else(no_tool)?;
        Ok(if held.reads_only(tool) { OutsideReach::Reads } else { OutsideReach::Changes })
    }

    fn call(&self, call: OutsideCall) -> BoxFuture<'_, Result<wit::Reply, wit::Error>> {
        self.made(call).boxed()
    }
}

/// Returns the servers that these grants are about.
fn servers_of(granted: &GrantSet) -> BTreeSet<String> {
    let scopes = granted.of_kind(Kind::Mcp).filter_map(|capability| match capability {
        Capability::Mcp(scope) => Some(scope.server().to_string()),
        _ => None,
    });
    scopes.collect()
}

fn reply(answer: Answer) -> wit::Reply {
    wit::Reply {
        parts: answer.parts.into_iter().map(part).collect(),
        structured: answer.structured.map(|value| value.to_string()),
        is_error: answer.failed,
    }
}

fn part(part: Part) -> wit::Part {
    let blob = |mime_type: String, data: &str, uri| match BASE64.decode(data) {
        Ok(data) => wit::Part::Blob(wit::Blob { mime_type, data, uri }),
        Err(_) => wit::Part::Text(format!("[{mime_type} that is no base64]")),
    };
    match part {
        Part::Text(text) => wit::Part::Text(text),
        Part::TextDocument { uri, mime_type, text } => {
            wit::Part::Document(wit::Document { uri, mime_type, text })
        }
        Part::Link { uri, name, description, .. } => {
            wit::Part::Link(wit::Link { uri, name, description })
        }
        Part::Image { data, mime_type } | Part::Audio { data, mime_type } => {
            blob(mime_type, &data, None)
        }
        Part::BytesDocument { uri, mime_type, data } => {
            let mime_type = mime_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            blob(mime_type, &data, Some(uri))
        }
    }
}

/// Returns what the plugin is told. The log has the whole of it.
fn told(error: &CallError) -> wit::Error {
    let text = error.to_string();
    match (error, error.code()) {
        (CallError::Input { .. }, _) => wit::Error::InvalidArguments(text),
        (CallError::TimedOut { .. } | CallError::Busy, _) | (_, "mcp::server-slow") => {
            wit::Error::Timeout
        }
        (_, "mcp::quarantined") => wit::Error::Quarantined(text),
        (_, "mcp::unknown-tool" | "mcp::unknown-server") => wit::Error::NotFound(text),
        (_, "mcp::too-wide") => wit::Error::Denied(text),
        (_, "mcp::server-answer-size") => {
            wit::Error::TooLarge(ClientBounds::default().answer as u64)
        }
        (CallError::Registry { class: Class::Refused, .. }, code) => {
            wit::Error::Denied(format!("the server is not what a person approved ({code})"))
        }
        (CallError::Registry { .. }, code) => {
            wit::Error::Unavailable(format!("the server failed ({code})"))
        }
        _ => wit::Error::Failed(text),
    }
}
