//! The life of one agent: it waits for its turn, gets ready, works, and is gone. One task owns its store.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use ringfence_bundle::inspect::{PluginKind, inspect};
use ringfence_capability::{Class, Diagnostic, GrantSet};
use ringfence_engine::EngineError;
use ringfence_interfaces::agent::wit::types;
use ringfence_interfaces::agent::{AgentChild, wit};
use ringfence_interfaces::model::ModelBudget;
use ringfence_supervisor::{
    Budget, Cancel, Failure, Item, Mailbox, NoSlot, Outcome, Purse, Slot, Why,
};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::models::AgentModels;
use super::world::World;
use super::{AgentEvent, Live, Shared, convert};
use crate::prepared::Running as Store;
use crate::run::Usage;
use crate::{Plugin, Prepared, RunError, Stdio, exports};

/// Checks that `plugin` is an agent, without running it.
pub(super) fn is_agent(plugin: &Plugin) -> Result<(), RunError> {
    let interface = inspect(&plugin.component, &plugin.display)?;
    if interface.kind == PluginKind::Agent {
        return Ok(());
    }
    Err(RunError::WrongKind {
        plugin: plugin.display.clone(),
        is: interface.kind.name(),
        wanted: PluginKind::Agent.name(),
        instead: format!("ringfence run {}", plugin.display),
    })
}

/// What an agent is started with.
pub(super) struct Start {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) label: String,
    pub(super) agent: String,
    pub(super) goal: String,
    pub(super) input: Value,
    /// What whoever started it holds; nothing for a task of the plan.
    pub(super) within: Option<Arc<GrantSet>>,
}

/// An agent that was started. Dropping it ends the agent; awaiting it gives its end.
pub(super) struct Running {
    id: String,
    node: Cancel,
    ended: watch::Receiver<Option<Result<Outcome, Failure>>>,
    state: watch::Receiver<wit::agents::State>,
    task: JoinHandle<Result<Outcome, Failure>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.node.now(Why::Parent);
        self.task.abort();
    }
}

impl Future for Running {
    type Output = Result<Outcome, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = std::task::ready!(Pin::new(&mut self.task).poll(cx));
        Poll::Ready(done.unwrap_or_else(|error| Err(Failure::Other(error.to_string()))))
    }
}

impl AgentChild for Running {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn state(&self) -> wit::agents::State {
        *self.state.borrow()
    }

    fn cancel(&self, why: &str) {
        self.node.ask(Why::Other(why.to_owned()));
    }

    fn ended(&self) -> futures::future::BoxFuture<'_, Result<types::Outcome, types::Failure>> {
        let mut ended = self.ended.clone();
        Box::pin(async move {
            let done = match ended.wait_for(Option::is_some).await {
                Ok(done) => done.clone(),
                Err(_) => None,
            };
            let gone = || Err(Failure::Other("the agent is gone".to_owned()));
            convert::wit_result(done.unwrap_or_else(gone))
        })
    }
}

impl Shared {
    /// Starts an agent whose purse is a part of `above`.
    pub(super) fn begin(
        self: &Arc<Self>,
        start: Start,
        budget: &Budget,
        above: &Arc<Purse>,
        node: Cancel,
    ) -> Result<Running, Failure> {
        let purse = above.child(budget).map_err(|spent| Failure::Budget(spent.to_string()))?;
        let mailbox = Arc::new(Mailbox::new(self.mailbox));
        let live = Live { parent: start.parent.clone(), mailbox: Arc::clone(&mailbox) };
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(start.id.clone(), live);
        let (state, seen) = watch::channel(wit::agents::State::Queued);
        let (tell, ended) = watch::channel(None);
        let id = start.id.clone();
        self.watcher.event(&AgentEvent::Queued {
            id: id.clone(),
            parent: start.parent.clone(),
            agent: start.agent.clone(),
            label: start.label.clone(),
        });
        let owner = Owner {
            shared: Arc::clone(self),
            start,
            purse,
            node: node.clone(),
            mailbox,
            state,
            began: Instant::now(),
        };
        let task = tokio::spawn(async move {
            let done = owner.live().await;
            let _ = tell.send(Some(done.clone()));
            done
        });
        Ok(Running { id, node, ended, state: seen, task })
    }

    /// Tells whether one more agent can wait for its turn.
    pub(super) fn has_room(&self) -> bool {
        self.slots.free() > 0 || self.slots.waiting() < self.queue
    }
}

/// Owns the store of one agent.
struct Owner {
    shared: Arc<Shared>,
    start: Start,
    purse: Arc<Purse>,
    node: Cancel,
    mailbox: Arc<Mailbox<wit::mailbox::Message>>,
    state: watch::Sender<wit::agents::State>,
    began: Instant,
}

impl Drop for Owner {
    /// Also when the task is aborted: nobody writes to an agent that is gone.
    fn drop(&mut self) {
        self.mailbox.close();
        let mut live = self.shared.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.remove(&self.start.id);
    }
}

impl Owner {
    async fn live(&self) -> Result<Outcome, Failure> {
        let done = self.tries().await;
        let (told, state) = match &done {
            Ok(_) => ("done", wit::agents::State::Done),
            Err(Failure::Cancelled(_)) => ("cancelled", wit::agents::State::Cancelled),
            Err(_) => ("failed", wit::agents::State::Failed),
        };
        self.state.send_replace(state);
        self.shared.watcher.event(&AgentEvent::Ended {
            id: self.start.id.clone(),
            state: told,
            failure: done.as_ref().err().map(ToString::to_string),
            wall_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            tool_calls: self.purse.used(Item::ToolCalls),
            model_calls: self.purse.used(Item::ModelCalls),
        });
        done
    }

    async fn tries(&self) -> Result<Outcome, Failure> {
        let mut failed = 0;
        loop {
            let failure = match self.once().await {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            failed += 1;
            let Some(wait) = self.shared.restart.after(failed, &failure) else {
                return Err(failure);
            };
            self.shared.watcher.event(&AgentEvent::Restarted {
                id: self.start.id.clone(),
                tries: failed,
                failure: failure.to_string(),
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            });
            tokio::select! {
                biased;
                why = self.node.asked() => return Err(Failure::Cancelled(why.to_string())),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn once(&self) -> Result<Outcome, Failure> {
        let slot = self.shared.slots.acquire(&self.node).await.map_err(|no| match no {
            NoSlot::Full => Failure::Budget("the queue of agents is full".to_owned()),
            NoSlot::Cancelled => self.cancelled(),
        })?;
        let ready = self.shared.agent(&self.start.agent, self.start.within.clone());
        let prepared = ready.await.map_err(|error| refused(&error))?;
        self.state.send_replace(wit::agents::State::Running);
        self.work(&prepared, slot).await
    }

    fn cancelled(&self) -> Failure {
        Failure::Cancelled(self.node.phase().why().map_or_else(String::new, ToString::to_string))
    }

    async fn work(&self, prepared: &Prepared, slot: Slot) -> Result<Outcome, Failure> {
        let budget = self.purse.left();
        let wall = budget.wall();
        let id = self.start.id.clone();
        self.shared.watcher.event(&AgentEvent::Running {
            id: id.clone(),
            wall_ms: budget.wall_ms,
            tool_calls: budget.tool_calls,
            model_calls: budget.model_calls,
        });
        let deadline = tokio::time::Instant::now() + wall;
        let models = self.models(deadline);
        let world = World::new(
            &self.shared,
            &self.start,
            &self.purse,
            &self.node,
            prepared.shared_grants(),
            deadline,
            slot,
            &self.mailbox,
            Arc::clone(&models),
        );
        let task = types::Task {
            id,
            goal: self.start.goal.clone(),
            input: self.start.input.to_string(),
            schema: None,
            budget: convert::wit_budget(&budget),
        };
        let stdio = Stdio::captured().of_agent(Arc::new(world), Arc::clone(&self.shared.flow));
        let stdio = stdio.spending(models);
        let mut work = Box::pin(prepared.work(task, stdio));
        let mut late = false;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return self.ended(done, late),
                why = self.node.over(self.shared.grace) => {
                    return Err(if late { Failure::Timeout } else { Failure::Cancelled(why.to_string()) });
                }
                () = tokio::time::sleep_until(deadline), if !late => {
                    late = true;
                    self.node.ask(Why::Timeout);
                }
            }
        }
    }

    fn models(&self, deadline: tokio::time::Instant) -> Arc<dyn ModelBudget> {
        Arc::new(AgentModels {
            id: self.start.id.clone(),
            purse: Arc::clone(&self.purse),
            node: self.node.clone(),
            deadline,
            watcher: Arc::clone(&self.shared.watcher),
        })
    }

    /// Returns what came of the work, in the words of whoever knows it: the host, where it stopped it.
    fn ended(
        &self,
        done: Result<Result<types::Outcome, types::Failure>, RunError>,
        late: bool,
    ) -> Result<Outcome, Failure> {
        match done {
            Ok(Ok(outcome)) => Ok(convert::outcome(outcome)),
            Ok(Err(_)) if late => Err(Failure::Timeout),
            Ok(Err(_)) if self.node.is_asked() => Err(self.cancelled()),
            Ok(Err(failure)) => Err(convert::failure(failure).from_guest()),
            Err(error) => Err(refused(&error)),
        }
    }
}

/// Returns the failure of an agent that could not start, or ended badly.
fn refused(error: &RunError) -> Failure {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    match error {
        RunError::Engine(EngineError::Trap { .. }) => Failure::Trapped(error.to_string()),
        RunError::Engine(EngineError::Limit(limit)) => Failure::Budget(limit.to_string()),
        _ if error.class() == Class::Refused => Failure::Denied(format!("{error}{hint}")),
        _ => Failure::Other(format!("{error}{hint}")),
    }
}

impl Prepared {
    /// Has the agent work on a task.
    pub(super) async fn work(
        &self,
        task: types::Task,
        stdio: Stdio,
    ) -> Result<Result<types::Outcome, types::Failure>, RunError> {
        self.need(PluginKind::Agent)?;
        let export = exports::find(&self.exports, "run.run", &self.display)?;
        let mut running = self.start(&export.name, stdio, &[])?;
        let Store { store, bounds, meter, .. } = &mut running;
        let done = bounds.hold(async {
            let instance = self.pre.instantiate_async(&mut *store).await?;
            let run = instance
                .get_typed_func::<(types::Task,), (Result<types::Outcome, types::Failure>,)>(
                    &mut *store,
                    export.index,
                )?;
            Ok(run.call_async(&mut *store, (task,)).await?.0)
        });
        let done = done.await.map_err(|error| EngineError::from_run(error, meter));
        let usage = Usage::of(meter);
        running.log.ended(done, usage)
    }
}
