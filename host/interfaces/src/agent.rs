//! `ringfence:agent`: what an agent imports. The work is done by an [`AgentWorld`] that the run was set
//! up with; a run without one answers every function with the interface's typed refusal.
//!
//! Nothing is decided here but what a guest may make the host hold: a child is a resource of the store,
//! bounded like every other, and dropping it cancels the child.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ringfence_capability::Kind;
use ringfence_engine::Meter;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use crate::mcp::OutsideCaller;
use crate::{Effect, Effects, HostState};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from WIT")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1/agent",
        world: "ringfence:agent/agent",
        // What is answered at once is no future: that costs a box for each call.
        imports: {
            "ringfence:agent/tools.list": trappable,
            "ringfence:agent/model.names": trappable,
            "ringfence:agent/mailbox.send": trappable,
            "ringfence:agent/agents.[method]child.id": trappable,
            "ringfence:agent/agents.[method]child.status": trappable,
            "ringfence:agent/agents.[method]child.cancel": trappable,
            "ringfence:agent/agents.spawn": trappable,
            "ringfence:agent/control": trappable,
            default: async | trappable,
        },
        exports: { default: async },
        with: { "ringfence:agent/agents.child": super::Child },
        additional_derives: [PartialEq],
    });
}

pub use bindings::ringfence::agent as wit;
use wit::{agents, approval, control, mailbox, model, tools, types};

/// The most an agent can say about its progress at once.
const NOTE_BYTES: usize = 512;

/// Answers what one agent asks.
pub trait AgentWorld: Send + Sync + 'static {
    /// Returns the tools it may call.
    fn tools(&self) -> Vec<tools::Tool>;

    /// Calls a tool with its grants, cut down to those of the agent. One of an outside server is called
    /// by `outside`, which has the grants of the agent itself.
    fn call<'a>(
        &'a self,
        name: String,
        arguments: String,
        timeout: Option<Duration>,
        outside: &'a OutsideCaller,
    ) -> BoxFuture<'a, Result<tools::Reply, tools::Error>>;

    /// Sends a message.
    ///
    /// # Errors
    /// When it was not sent; a full mailbox is said to be full at once.
    fn send(
        &self,
        to: &str,
        topic: String,
        correlation: Option<String>,
        parts: Vec<types::Part>,
    ) -> Result<String, mailbox::Error>;

    /// Waits for a message.
    fn receive(
        &self,
        topic: Option<String>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Option<mailbox::Message>, mailbox::Error>>;

    /// Starts a child.
    ///
    /// # Errors
    /// When it was not started.
    fn spawn(&self, spec: agents::Spec) -> Result<Child, agents::SpawnError>;

    /// Runs a group of children to its end.
    fn run_group(
        &self,
        group: agents::Group,
    ) -> BoxFuture<'_, Result<agents::GroupResult, agents::SpawnError>>;

    /// Waits for a child, at most this long.
    fn join<'a>(
        &'a self,
        child: &'a dyn AgentChild,
        timeout: Duration,
    ) -> BoxFuture<'a, Option<Result<types::Outcome, types::Failure>>>;

    /// Tells whether the run is to end.
    fn cancelled(&self) -> bool;

    /// Returns the time left.
    fn remaining(&self) -> Duration;

    /// Hears how far the work is.
    fn progress(&self, done: f64, total: Option<f64>, note: &str);

    /// Asks a person.
    fn ask(
        &self,
        action: String,
        details: String,
        timeout: Duration,
    ) -> BoxFuture<'_, approval::Verdict>;
}

/// A child that runs. Dropping it cancels the child.
pub trait AgentChild: Send + Sync + 'static {
    /// Returns its name.
    fn id(&self) -> String;

    /// Returns where it stands.
    fn state(&self) -> agents::State;

    /// Asks it to end.
    fn cancel(&self, why: &str);

    /// Waits for its end.
    fn ended(&self) -> BoxFuture<'_, Result<types::Outcome, types::Failure>>;
}

/// A child as the guest holds it.
pub type Child = Arc<dyn AgentChild>;

/// What serves the interfaces for one run.
#[derive(Default)]
pub(crate) struct AgentCtx {
    pub(crate) world: Option<Arc<dyn AgentWorld>>,
    pub(crate) effects: Option<Effects>,
}

/// The parts of a store that the interfaces need.
pub(crate) struct AgentView<'a> {
    world: Option<&'a Arc<dyn AgentWorld>>,
    effects: Option<&'a Effects>,
    outside: &'a OutsideCaller,
    table: &'a mut ResourceTable,
    meter: &'a Arc<Meter>,
}

impl HostState {
    /// Returns the same state, for an agent whose questions `world` answers; `effects` hears what it
    /// was denied.
    #[must_use]
    pub fn with_agent(mut self, world: Arc<dyn AgentWorld>, effects: Effects) -> Self {
        self.agent = AgentCtx { world: Some(world), effects: Some(effects) };
        self
    }

    fn agent(&mut self) -> AgentView<'_> {
        let (world, effects) = (self.agent.world.as_ref(), self.agent.effects.as_ref());
        let (outside, meter) = (&self.outside, &self.host.meter);
        AgentView { world, effects, outside, table: &mut self.table, meter }
    }
}

/// What a plugin that is no agent of a run is told.
const NO_RUN: &str = "this is no run of agents: start it with `ringfence agents run`";

impl AgentView<'_> {
    /// Records that something was denied. It is denied whether or not that could be recorded.
    fn denied(&self, kind: Kind, operation: &str, target: &str, why: &str) {
        if let Some(effects) = self.effects {
            // A name of the guest's own making can be anything.
            let target = &target[..target.floor_char_boundary(64)];
            let target = ringfence_capability::text::plain(target);
            let _ = effects.record(Effect::refused(kind, operation, target, why));
        }
    }
}

impl types::Host for AgentView<'_> {}

impl tools::Host for AgentView<'_> {
    fn list(&mut self) -> wasmtime::Result<Vec<tools::Tool>> {
        Ok(self.world.map(|world| world.tools()).unwrap_or_default())
    }

    async fn call(
        &mut self,
        name: String,
        arguments: String,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<tools::Reply, tools::Error>> {
        let Some(world) = self.world else {
            return Ok(Err(tools::Error::Denied(NO_RUN.to_owned())));
        };
        let timeout = timeout_ms.map(Duration::from_millis);
        let answer = world.call(name.clone(), arguments, timeout, self.outside).await;
        if let Err(tools::Error::Denied(why)) = &answer {
            self.denied(Kind::Tool, "call", &name, why);
        }
        Ok(answer)
    }
}

impl mailbox::Host for AgentView<'_> {
    fn send(
        &mut self,
        to: String,
        topic: String,
        correlation: Option<String>,
        parts: Vec<types::Part>,
    ) -> wasmtime::Result<Result<String, mailbox::Error>> {
        let Some(world) = self.world else { return Ok(Err(mailbox::Error::NoSuchAgent)) };
        Ok(world.send(&to, topic, correlation, parts))
    }

    async fn receive(
        &mut self,
        topic: Option<String>,
        timeout_ms: u64,
    ) -> wasmtime::Result<Result<Option<mailbox::Message>, mailbox::Error>> {
        let Some(world) = self.world else { return Ok(Ok(None)) };
        Ok(world.receive(topic, Duration::from_millis(timeout_ms)).await)
    }
}

impl agents::HostChild for AgentView<'_> {
    fn id(&mut self, child: Resource<Child>) -> wasmtime::Result<String> {
        Ok(self.table.get(&child)?.id())
    }

    fn status(&mut self, child: Resource<Child>) -> wasmtime::Result<agents::State> {
        Ok(self.table.get(&child)?.state())
    }

    fn cancel(&mut self, child: Resource<Child>, reason: String) -> wasmtime::Result<()> {
        let reason = &reason[..reason.floor_char_boundary(NOTE_BYTES)];
        self.table.get(&child)?.cancel(&ringfence_capability::text::plain(reason));
        Ok(())
    }

    async fn join(
        &mut self,
        child: Resource<Child>,
        timeout_ms: u64,
    ) -> wasmtime::Result<Option<Result<types::Outcome, types::Failure>>> {
        let child = Arc::clone(self.table.get(&child)?);
        let Some(world) = self.world else { return Ok(None) };
        Ok(world.join(&*child, Duration::from_millis(timeout_ms)).await)
    }

    async fn drop(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.delete(child)?;
        Ok(())
    }
}

impl agents::Host for AgentView<'_> {
    fn spawn(
        &mut self,
        spec: agents::Spec,
    ) -> wasmtime::Result<Result<Resource<Child>, agents::SpawnError>> {
        let Some(world) = self.world else {
            return Ok(Err(agents::SpawnError::Denied(NO_RUN.to_owned())));
        };
        let name = spec.agent.clone();
        match world.spawn(spec) {
            Ok(child) => Ok(Ok(self.table.push(child)?)),
            Err(error) => {
                if let agents::SpawnError::Denied(why) = &error {
                    self.denied(Kind::Agent, "spawn", &name, why);
                }
                Ok(Err(error))
            }
        }
    }

    async fn run_group(
        &mut self,
        group: agents::Group,
    ) -> wasmtime::Result<Result<agents::GroupResult, agents::SpawnError>> {
        let Some(world) = self.world else {
            return Ok(Err(agents::SpawnError::Denied(NO_RUN.to_owned())));
        };
        let names: Vec<_> = group.specs.iter().map(|spec| spec.agent.as_str()).collect();
        let names = names.join(", ");
        let done = world.run_group(group).await;
        if let Err(agents::SpawnError::Denied(why)) = &done {
            self.denied(Kind::Agent, "spawn", &names, why);
        }
        Ok(done)
    }
}

impl control::Host for AgentView<'_> {
    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.world.is_some_and(|world| world.cancelled()))
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        let left = self.world.map_or(Duration::MAX, |world| world.remaining());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    fn progress(&mut self, done: f64, total: Option<f64>, note: String) -> wasmtime::Result<()> {
        let note = &note[..note.floor_char_boundary(NOTE_BYTES)];
        self.meter.charge(ringfence_capability::Limit::Log, note.len() as u64 + 32)?;
        if let Some(world) = self.world {
            world.progress(done, total, &ringfence_capability::text::plain(note));
        }
        Ok(())
    }
}

impl approval::Host for AgentView<'_> {
    async fn ask(
        &mut self,
        action: String,
        details: String,
        timeout_ms: u64,
    ) -> wasmtime::Result<approval::Verdict> {
        let Some(world) = self.world else { return Ok(approval::Verdict::NoApprover) };
        Ok(world.ask(action, details, Duration::from_millis(timeout_ms)).await)
    }
}

struct HasModels;

impl HasData for HasModels {
    type Data<'a> = Option<&'a crate::model::ModelCtx>;
}

struct HasAgent;

impl HasData for HasAgent {
    type Data<'a> = AgentView<'a>;
}

/// What links each of the interfaces.
pub(crate) type Link = fn(&mut Linker<HostState>) -> wasmtime::Result<()>;

/// The interfaces by name.
pub(crate) const LINKS: [(&str, u8, Link); 7] = [
    ("ringfence:agent/types", 0, |_| Ok(())),
    ("ringfence:agent/tools", 0, |l| tools::add_to_linker::<_, HasAgent>(l, HostState::agent)),
    ("ringfence:agent/model", 0, |l| model::add_to_linker::<_, HasModels>(l, HostState::models)),
    ("ringfence:agent/mailbox", 0, |l| mailbox::add_to_linker::<_, HasAgent>(l, HostState::agent)),
    ("ringfence:agent/agents", 0, |l| agents::add_to_linker::<_, HasAgent>(l, HostState::agent)),
    ("ringfence:agent/control", 0, |l| control::add_to_linker::<_, HasAgent>(l, HostState::agent)),
    ("ringfence:agent/approval", 0, |l| {
        approval::add_to_linker::<_, HasAgent>(l, HostState::agent)
    }),
];
