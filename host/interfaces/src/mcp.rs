//! `ringfence:host/mcp`: tools of outside servers for a plugin.
//!
//! This room checks that the tool is one the plugin was granted, records the call, and waits; what holds
//! the servers is an [`OutsideTools`] that the run was set up with. Invariants: a tool that no grant
//! covers never reaches it; a call is recorded, and held to the flow rule, before anything of a server
//! runs; the wait ends with the run.
//!
//! Start with [`OutsideCaller`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use ringfence_capability::{Capability, GrantSet, Kind, OutsideScope, text};
use ringfence_engine::Meter;
use wasmtime::component::{HasData, Linker};

use crate::{Effect, Effects, HostState};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from WIT")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1/host",
        inline: "package ringfence:link; world imports {
            import ringfence:host/mcp@0.1.0;
        }",
        imports: { default: async | trappable },
        additional_derives: [PartialEq],
    });
}

pub use bindings::ringfence::host::mcp as wit;

/// The most the arguments of one call may hold, in bytes.
pub const ARGUMENT_BYTES: usize = 1024 * 1024;
/// The most of a name that is recorded.
const NAME_BYTES: usize = 200;
/// The most of a reason that is recorded.
const REASON_BYTES: usize = 1_000;

/// Calls tools of outside servers for one run of one plugin.
pub trait OutsideTools: Send + Sync + 'static {
    /// Returns the tools that these grants cover, as they were accepted. Blocks.
    fn tools(&self, granted: &GrantSet) -> Vec<wit::Tool>;

    /// Returns what calling the tool does at most, without starting anything. Blocks.
    ///
    /// # Errors
    /// When it cannot be called.
    fn reach(&self, server: &str, tool: &str) -> Result<OutsideReach, OutsideRefusal>;

    /// Calls a tool that a grant covers.
    ///
    /// # Cancellation
    /// Dropping the future withdraws the call.
    fn call(&self, call: OutsideCall) -> BoxFuture<'_, Result<wit::Reply, wit::Error>>;
}

/// Why a tool cannot be called.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever holds the servers builds it")]
pub struct OutsideRefusal {
    /// What the guest is told.
    pub told: wit::Error,
    /// Why, for the log.
    pub why: String,
}

/// What a call does at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the record names each")]
pub enum OutsideReach {
    /// It reads.
    Reads,
    /// It may change something.
    Changes,
}

impl OutsideReach {
    /// Returns the operation that the record of a call has.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Reads => "read",
            Self::Changes => "change",
        }
    }
}

/// One call of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutsideCall {
    /// The server.
    pub server: String,
    /// The tool, by the server's own name.
    pub tool: String,
    /// The arguments, as JSON.
    pub arguments: String,
    /// When whoever called stops waiting.
    pub deadline: Instant,
}

/// Calls tools of outside servers within the grants of one run.
pub struct OutsideCaller {
    grants: Arc<GrantSet>,
    servers: Option<Arc<dyn OutsideTools>>,
    effects: Effects,
    meter: Arc<Meter>,
    began: Instant,
}

impl OutsideCaller {
    pub(crate) fn new(
        grants: Arc<GrantSet>,
        servers: Option<Arc<dyn OutsideTools>>,
        effects: Effects,
        meter: Arc<Meter>,
    ) -> Self {
        Self { grants, servers, effects, meter, began: Instant::now() }
    }

    /// Returns the granted tools.
    pub async fn tools(&self) -> Vec<wit::Tool> {
        let Some(servers) = self.servers.clone() else { return Vec::new() };
        let grants = Arc::clone(&self.grants);
        tokio::task::spawn_blocking(move || servers.tools(&grants)).await.unwrap_or_default()
    }

    /// Calls a tool, when a grant covers it. Either way it is recorded.
    ///
    /// # Errors
    /// What the guest is told.
    ///
    /// # Cancellation
    /// Dropping the future withdraws the call.
    pub async fn call(
        &self,
        server: String,
        tool: String,
        arguments: String,
        timeout: Option<Duration>,
    ) -> Result<wit::Reply, wit::Error> {
        let servers = self.allowed(&server, &tool)?;
        let refused = |OutsideRefusal { told, why }| self.refuse(&server, &tool, &why, told);
        if arguments.len() > ARGUMENT_BYTES {
            let why = format!("the arguments have more than {ARGUMENT_BYTES} bytes");
            let told = wit::Error::TooLarge(ARGUMENT_BYTES as u64);
            return Err(refused(OutsideRefusal { told, why }));
        }
        let (asked, name) = (Arc::clone(&servers), (server.clone(), tool.clone()));
        let reach = tokio::task::spawn_blocking(move || asked.reach(&name.0, &name.1)).await;
        let reach = reach.unwrap_or_else(|_| {
            let why = "the host failed at it".to_owned();
            Err(OutsideRefusal { told: wit::Error::Unavailable(why.clone()), why })
        });
        let operation = reach.map_err(refused)?.operation();
        let done = Effect::done(Kind::Mcp, operation, target(&server, &tool));
        // By the flow rule, or because the log cannot be written.
        let held =
            |_| wit::Error::Denied("it was not let through; the audit log has why".to_owned());
        self.effects.record(done).map_err(held)?;
        let left = self.left();
        let deadline = Instant::now() + timeout.map_or(left, |timeout| timeout.min(left));
        servers.call(OutsideCall { server, tool, arguments, deadline }).await
    }

    /// Returns what calls the tool, when a grant covers it. What is refused is recorded.
    fn allowed(&self, server: &str, tool: &str) -> Result<Arc<dyn OutsideTools>, wit::Error> {
        let refused =
            |reason: &str| self.refuse(server, tool, reason, wit::Error::Denied(reason.to_owned()));
        let wanted = OutsideScope::tool(server, tool).map(Capability::Mcp);
        let wanted = wanted.map_err(|error| refused(&error.to_string()))?;
        if !self.grants.allows(&wanted) {
            return Err(refused(&format!("`{wanted}` was not granted")));
        }
        let servers = self.servers.clone();
        servers.ok_or_else(|| refused("this run has nothing that holds outside servers"))
    }

    /// Records why a call is not made, and returns what the guest is told.
    fn refuse(&self, server: &str, tool: &str, why: &str, told: wit::Error) -> wit::Error {
        let why = text::brief(why, REASON_BYTES);
        // It is refused whether or not that could be recorded.
        let _ = self.effects.record(Effect::refused(Kind::Mcp, "use", target(server, tool), why));
        told
    }

    /// Returns how much of the run's own time is left.
    fn left(&self) -> Duration {
        let own = self.began.elapsed().saturating_sub(self.meter.waited_for_person());
        self.meter.limits().wall_time().saturating_sub(own)
    }
}

fn target(server: &str, tool: &str) -> String {
    text::brief(&format!("{server}/{tool}"), NAME_BYTES)
}

impl wit::Host for OutsideCaller {
    async fn tools(&mut self) -> wasmtime::Result<Vec<wit::Tool>> {
        Ok(OutsideCaller::tools(self).await)
    }

    async fn call(
        &mut self,
        server: String,
        tool: String,
        arguments: String,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<wit::Reply, wit::Error>> {
        let timeout = timeout_ms.map(Duration::from_millis);
        Ok(OutsideCaller::call(self, server, tool, arguments, timeout).await)
    }
}

struct HasOutside;

impl HasData for HasOutside {
    type Data<'a> = &'a mut OutsideCaller;
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, HasOutside>(linker, |state| &mut state.outside)
}

#[cfg(test)]
mod tests;
