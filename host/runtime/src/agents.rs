//! Agents at work: each in a store and a task of its own, with exactly its grants, under one supervisor.
//!
//! A [`Crew`] is the agents and tools of one run. Invariants: what a child or a tool gets is what it was
//! granted *and* whoever called it holds; every wait has an end; the end of an agent ends all below it;
//! what happens is told to a [`Watcher`] in the order in which it happens to each agent.
//!
//! Start with [`Host::crew`], then `owner.rs` for the life of one agent and `world.rs` for what it may ask.

mod convert;
mod event;
mod flow;
mod models;
mod owner;
mod tools;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringfence_capability::{Digest, GrantSet};
use ringfence_supervisor::{
    AggregationConfig, Budget, Cancel, Failure, GroupResult, Item, Mailbox, Member, Merged,
    OnFailure, Outcome, Purse, Restart, Slots, Strategy, SupervisorError, run_group,
};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use event::{AgentEvent, Rail, Watcher};
pub use flow::{Flow, FlowAsker, FlowRule};
pub use ringfence_supervisor as supervisor;

use crate::{Host, Plugin, Prepared, RunError, RunOptions};
use owner::Start;
use tools::Tool;

/// How a crew is set up.
#[expect(
    clippy::exhaustive_structs,
    reason = "callers state what differs from `CrewOptions::new()`"
)]
pub struct CrewOptions {
    /// The agents that may take part. They are known by the names in their manifests, no two by one.
    pub agents: Vec<Plugin>,
    /// The plugins whose functions are tools. They are granted by the names in their manifests, no two
    /// by one.
    pub tools: Vec<Plugin>,
    /// What the operator says about each of them.
    pub options: RunOptions,
    /// How many agents run at once.
    pub at_once: usize,
    /// How many more may wait for their turn.
    pub queue: usize,
    /// How many messages an agent's mailbox holds.
    pub mailbox: NonZeroUsize,
    /// How long an agent that is to end has for it.
    pub grace: Duration,
    /// Whether agents that fail are tried again.
    pub restart: Restart,
    /// Who is told what happens.
    pub watcher: Arc<dyn Watcher>,
    /// What happens when something is to be changed after the network was read.
    pub flow: FlowRule,
    /// Who answers what agents ask a person; nobody when it is nothing.
    pub person: Option<PersonAsker>,
}

/// Asks a person on behalf of an agent. Blocks; called on a thread that may, one question at a time. The
/// answer grants nothing.
pub type PersonAsker = Arc<dyn Fn(&PersonQuestion<'_>) -> bool + Send + Sync>;

/// What an agent asks a person.
#[derive(Debug)]
pub struct PersonQuestion<'q> {
    agent: &'q str,
    action: &'q str,
    details: &'q str,
    withdrawn: &'q AtomicBool,
}

impl PersonQuestion<'_> {
    /// Returns the id of the agent.
    pub fn agent(&self) -> &str {
        self.agent
    }

    /// Returns what it wants to do, in its own words.
    pub fn action(&self) -> &str {
        self.action
    }

    /// Returns the details, which should be JSON and can be anything.
    pub fn details(&self) -> &str {
        self.details
    }

    /// Tells whether nobody waits for the answer any more: whoever asks should give up then, because the
    /// next question waits for this one.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::SeqCst)
    }
}

impl CrewOptions {
    /// Returns the defaults, without any plugin.
    pub fn new(watcher: Arc<dyn Watcher>) -> Self {
        Self {
            agents: Vec::new(),
            tools: Vec::new(),
            options: RunOptions::default(),
            at_once: 8,
            queue: 1_024,
            mailbox: NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN),
            grace: Duration::from_secs(2),
            restart: Restart::default(),
            watcher,
            flow: FlowRule::Ask(None),
            person: None,
        }
    }
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plan states every part")]
pub struct CrewTask {
    /// What results call it; unique in the plan.
    pub label: String,
    /// The agent, by name.
    pub agent: String,
    /// The goal in words.
    pub goal: String,
    /// What belongs to it.
    pub input: Value,
    /// What it may use, at most what the plan has left.
    pub budget: Budget,
}

/// Tasks that are worked on side by side, and how their outcomes become one.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a plan states every part")]
pub struct CrewPlan {
    /// The tasks, in the order in which their outcomes count.
    pub tasks: Vec<CrewTask>,
    /// How outcomes become one.
    pub config: AggregationConfig,
    /// What happens to the others when one fails.
    pub on_failure: OnFailure,
    /// What all of them together may use.
    pub budget: Budget,
    /// Outcomes of an earlier run, by label: those tasks are not done again.
    pub done: BTreeMap<String, Outcome>,
}

/// What came of a plan.
#[derive(Debug)]
#[non_exhaustive]
pub struct CrewDone {
    /// The outcome of all, or why there is none.
    pub merged: Result<Outcome, CrewError>,
    /// How many stand behind it.
    pub agreed: usize,
    /// What came of each task, in the order of the plan.
    pub each: Vec<(String, Result<Outcome, Failure>)>,
    /// What was used, by what is counted.
    pub used: BTreeMap<&'static str, u64>,
}

/// Why a plan has no outcome.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CrewError {
    /// The outcomes do not make one.
    #[error(transparent)]
    Merge(#[from] SupervisorError),
    /// The agent that was to make one of them failed.
    #[error("the reducer failed: {0}")]
    Reducer(Failure),
}

/// Agents and tools that work together in one run.
pub struct Crew(pub(crate) Arc<Shared>);

/// What all agents of a run share.
pub(crate) struct Shared {
    host: Host,
    agents: BTreeMap<String, Arc<Plugin>>,
    tools: Vec<Tool>,
    options: RunOptions,
    slots: Slots,
    queue: usize,
    mailbox: NonZeroUsize,
    grace: Duration,
    restart: Restart,
    watcher: Arc<dyn Watcher>,
    flow: Arc<Flow>,
    person: Option<PersonAsker>,
    /// One question to a person at a time: each holds a thread until it is answered, also when nobody
    /// waits for the answer any more.
    desk: Arc<Semaphore>,
    ready: Mutex<Vec<Ready>>,
    live: Mutex<HashMap<String, Live>>,
}

/// A plugin prepared for a caller with these grants. It is known by its digest: an agent and a tool can
/// have one name.
struct Ready {
    identity: Digest,
    within: Option<Arc<GrantSet>>,
    prepared: Arc<Prepared>,
}

/// The most prepared plugins that are kept: each is a linked component and its grants.
const READY: usize = 256;

/// An agent that can be written to.
struct Live {
    parent: Option<String>,
    mailbox: Arc<Mailbox<ringfence_interfaces::agent::wit::mailbox::Message>>,
}

impl Host {
    /// Sets up agents and tools that work together. Nothing of them runs.
    ///
    /// # Errors
    /// When one is no agent or no tool, two have one name, or what is granted to a tool cannot be told.
    pub fn crew(&self, options: CrewOptions) -> Result<Crew, RunError> {
        for plugin in &options.agents {
            owner::is_agent(plugin)?;
        }
        let agents = by_name(options.agents, "an agent of this name was given already")?;
        let tools = by_name(options.tools, "a tool of this name was given already")?;
        let plugins: Vec<_> = tools.into_values().collect();
        self.all_of_use(agents.values().chain(&plugins), &options.options)?;
        let tools = tools::all(self, &plugins, &agents, &options.options)?;
        Ok(Crew(Arc::new(Shared {
            host: self.clone(),
            agents,
            tools,
            options: options.options,
            slots: Slots::new(options.at_once, options.queue),
            queue: options.queue,
            mailbox: options.mailbox,
            grace: options.grace,
            restart: options.restart,
            watcher: options.watcher,
            flow: Arc::new(Flow::new(options.flow)),
            person: options.person,
            desk: Arc::new(Semaphore::new(1)),
            ready: Mutex::default(),
            live: Mutex::default(),
        })))
    }
}

/// Returns plugins by name. A grant names a plugin, so that two of one name could not be told apart.
fn by_name(plugins: Vec<Plugin>, twice: &str) -> Result<BTreeMap<String, Arc<Plugin>>, RunError> {
    let mut all = BTreeMap::new();
    for plugin in plugins {
        let name = plugin.manifest.name.clone();
        if all.insert(name.clone(), Arc::new(plugin)).is_some() {
            return Err(RunError::Unused { what: name, why: twice.to_owned() });
        }
    }
    Ok(all)
}

impl Host {
    /// Checks that what the operator trusts and approves is about one of the plugins.
    fn all_of_use<'a>(
        &self,
        plugins: impl Iterator<Item = &'a Arc<Plugin>>,
        options: &RunOptions,
    ) -> Result<(), RunError> {
        let plugins: Vec<_> = plugins.collect();
        if let Some((digest, _)) = options.trust
            && !plugins.iter().any(|plugin| plugin.identity == digest)
        {
            let first = plugins.first().map_or_else(String::new, |one| one.identity.to_string());
            return Err(RunError::NotTrusted { digest: first });
        }
        let mut plans = Vec::new();
        for plugin in plugins {
            let own = RunOptions { shared: true, ..RunOptions::default() };
            plans.push(self.plan(plugin, &own)?);
        }
        crate::unused::approvals(&plans, &options.approved)
    }
}

impl Crew {
    /// Returns the names of the agents.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.0.agents.keys().map(String::as_str)
    }

    /// Runs a plan to its end.
    ///
    /// # Errors
    /// When the plan makes no sense, or an agent it names cannot run with what it would be granted.
    /// Nothing was run then.
    ///
    /// # Cancellation
    /// Dropping the future ends every agent.
    pub async fn run(&self, plan: CrewPlan, cancel: &Cancel) -> Result<CrewDone, RunError> {
        let (purse, end) = (Purse::new(plan.budget), Instant::now() + plan.budget.wall());
        let reducer = match &plan.config.strategy {
            Strategy::Reduce(agent) => Some(agent),
            _ => None,
        };
        for agent in plan.tasks.iter().map(|task| &task.agent).chain(reducer) {
            self.0.agent(agent, None).await?;
        }
        let mut done = plan.done;
        let members = plan.tasks.iter().enumerate().map(|(place, task)| {
            let earlier = done.remove(&task.label);
            let (shared, purse) = (Arc::clone(&self.0), Arc::clone(&purse));
            let start = Start {
                id: (place + 1).to_string(),
                parent: None,
                label: task.label.clone(),
                agent: task.agent.clone(),
                goal: task.goal.clone(),
                input: task.input.clone(),
                within: None,
            };
            let budget = task.budget;
            Member::new(task.label.clone(), move |node| async move {
                let label = start.label.clone();
                if let Some(outcome) = earlier {
                    shared.watcher.outcome(&label, &outcome);
                    return Ok(outcome);
                }
                let outcome = shared.begin(start, &budget, &purse, node)?.await?;
                shared.watcher.outcome(&label, &outcome);
                Ok(outcome)
            })
        });
        let members: Vec<_> = members.collect();
        let at_once = members.len();
        let group = run_group(members, &plan.config, plan.on_failure, at_once, cancel).await;
        let group = group.map_err(RunError::Supervisor)?;
        Ok(self.finish(group, &purse, end, &plan.tasks, cancel).await)
    }

    async fn finish(
        &self,
        group: GroupResult,
        purse: &Arc<Purse>,
        end: Instant,
        tasks: &[CrewTask],
        cancel: &Cancel,
    ) -> CrewDone {
        let (merged, agreed) = match group.merged {
            Ok(Merged::Outcome { outcome, agreed }) => (Ok(*outcome), agreed),
            Ok(Merged::Reduce { agent, input }) => {
                let goals: Vec<_> = tasks.iter().map(|task| task.goal.as_str()).collect();
                let start = Start {
                    id: (tasks.len() + 1).to_string(),
                    parent: None,
                    label: "reduce".to_owned(),
                    agent,
                    goal: goals.join("\n"),
                    input,
                    within: None,
                };
                let reduced = self.reduce(start, purse, end, cancel).await;
                let succeeded = group.each.iter().filter(|(_, done)| done.is_ok()).count();
                (reduced.map_err(CrewError::Reducer), succeeded)
            }
            Err(error) => (Err(error.into()), 0),
        };
        let counted = [Item::ModelCalls, Item::ToolCalls, Item::OutputTokens, Item::Children];
        let used = counted.map(|item| (item.name(), purse.used(item))).into_iter().collect();
        CrewDone { merged, agreed, each: group.each, used }
    }
}

impl Crew {
    /// Has the reducer work, in what the plan has left of its time and of everything else.
    async fn reduce(
        &self,
        start: Start,
        purse: &Arc<Purse>,
        end: Instant,
        cancel: &Cancel,
    ) -> Result<Outcome, Failure> {
        let left = end.saturating_duration_since(Instant::now()).as_millis();
        if left == 0 {
            return Err(Failure::Timeout);
        }
        let wall_ms = u64::try_from(left).unwrap_or(u64::MAX);
        let budget = Budget { wall_ms, ..purse.left() };
        self.0.begin(start, &budget, purse, cancel.child())?.await
    }
}

impl Shared {
    /// Returns the agent called `name`, ready for a caller that holds `within`.
    async fn agent(
        self: &Arc<Self>,
        name: &str,
        within: Option<Arc<GrantSet>>,
    ) -> Result<Arc<Prepared>, RunError> {
        let plugin = self.agents.get(name).cloned();
        let plugin = plugin.ok_or_else(|| RunError::NoAgent {
            agent: name.to_owned(),
            known: self.agents.keys().cloned().collect(),
        })?;
        self.prepared(plugin, within).await
    }

    /// Returns `plugin`, ready for a caller that holds `within`.
    async fn prepared(
        self: &Arc<Self>,
        plugin: Arc<Plugin>,
        within: Option<Arc<GrantSet>>,
    ) -> Result<Arc<Prepared>, RunError> {
        let identity = plugin.identity;
        let fits = |ready: &&Ready| ready.identity == identity && ready.within == within;
        {
            let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = ready.iter().find(fits) {
                return Ok(Arc::clone(&found.prepared));
            }
        }
        let (shared, holds) = (Arc::clone(self), within.clone());
        let name = plugin.manifest.name.clone();
        // Compiling takes long: on a thread that may.
        let prepared = tokio::task::spawn_blocking(move || {
            let options = RunOptions { within: holds, shared: true, ..shared.options.clone() };
            shared.host.prepare(&plugin, options)
        });
        let prepared =
            prepared.await.map_err(|_| RunError::NoAgent { agent: name, known: Vec::new() })?;
        let prepared = Arc::new(prepared?.for_serving());
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() == READY {
            ready.remove(0);
        }
        ready.push(Ready { identity, within, prepared: Arc::clone(&prepared) });
        Ok(prepared)
    }
}
