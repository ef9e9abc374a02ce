//! What one agent may ask, answered within its grants, its purse and its time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_capability::{Capability, GrantSet};
use ringfence_interfaces::agent::wit::{agents, approval, mailbox, tools, types};
use ringfence_interfaces::agent::{AgentChild, AgentWorld, Child};
use ringfence_interfaces::mcp::OutsideCaller;
use ringfence_interfaces::model::ModelBudget;
use ringfence_supervisor::{
    AggregationConfig, Budget, Cancel, Failure, Item, Mailbox, Member, Merged, NotReceived,
    NotSent, Outcome, Purse, Slot, run_group,
};
use serde_json::Value;
use tokio::time::Instant;

use super::owner::Start;
use super::{AgentEvent, PersonQuestion, Shared, convert};

/// The most one message may hold, in bytes.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// The most of a question that a person is shown, in bytes.
const QUESTION_BYTES: usize = 2_048;
/// A wait that would end this shortly before the run does is one for the end of the run.
const TO_THE_END: Duration = Duration::from_millis(2);
/// What a part of a message counts for beside what is in it, in bytes: it takes room however little it
/// says.
const PART_BYTES: usize = 64;
/// The most a topic, a label or the name of a message may hold.
const NAME_BYTES: usize = 200;

/// The world of one agent.
pub(super) struct World {
    /// Not owned: a run that ended is not kept alive by an agent of it.
    shared: Weak<Shared>,
    id: String,
    parent: Option<String>,
    purse: Arc<Purse>,
    node: Cancel,
    grants: Arc<GrantSet>,
    deadline: Instant,
    /// Its turn; nothing while it waits for others.
    slot: Mutex<Option<Slot>>,
    mailbox: Arc<Mailbox<mailbox::Message>>,
    /// What it spends on models, and what the tools it calls do.
    models: Arc<dyn ModelBudget>,
    children: AtomicU64,
    sent: AtomicU64,
}

impl World {
    #[expect(clippy::too_many_arguments, reason = "one private call site gathers the parts")]
    pub(super) fn new(
        shared: &Arc<Shared>,
        start: &Start,
        purse: &Arc<Purse>,
        node: &Cancel,
        grants: Arc<GrantSet>,
        deadline: Instant,
        slot: Slot,
        mailbox: &Arc<Mailbox<mailbox::Message>>,
        models: Arc<dyn ModelBudget>,
    ) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            id: start.id.clone(),
            parent: start.parent.clone(),
            purse: Arc::clone(purse),
            node: node.clone(),
            grants,
            deadline,
            slot: Mutex::new(Some(slot)),
            mailbox: Arc::clone(mailbox),
            models,
            children: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for `work` without a turn, so that what it waits for can have one.
    async fn without_turn<T>(&self, work: impl Future<Output = T>) -> T {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut slot) = slot else { return work.await };
        let done = slot.while_waiting(&self.node, work).await;
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(slot);
        done
    }

    async fn call_tool(
        &self,
        name: String,
        arguments: String,
        timeout: Option<Duration>,
        outside: &OutsideCaller,
    ) -> Result<tools::Reply, tools::Error> {
        let Some(shared) = self.shared.upgrade().filter(|_| !self.node.is_asked()) else {
            return Err(tools::Error::Cancelled);
        };
        let Some(tool) = shared.tool(&name) else { return Err(tools::Error::NotFound) };
        if !tool.is_granted(&self.grants) {
            let needs = tool.needs().map_or_else(String::new, |needs| format!(" `{needs}`"));
            return Err(tools::Error::Denied(format!("the agent was not granted{needs}")));
        }
        self.purse.charge(Item::ToolCalls, 1).map_err(|_| tools::Error::Budget)?;
        let (id, rail) = (self.id.clone(), tool.rail);
        shared.watcher.event(&AgentEvent::Tool { id: id.clone(), tool: name.clone(), rail });
        let most = timeout.unwrap_or(Duration::MAX).min(self.left());
        let answer = tokio::select! {
            biased;
            _ = self.node.asked() => Err(tools::Error::Cancelled),
            answer = shared.call(tool, &self.grants, arguments, most, &self.models, outside) => answer,
        };
        let error = answer.as_ref().err().map(said);
        shared.watcher.event(&AgentEvent::ToolEnded { id, tool: name, error });
        answer
    }

    /// Checks that an agent of this name may be started.
    fn may_start(&self, agent: &str) -> Result<(), agents::SpawnError> {
        let name = agent.parse().map_err(|_| agents::SpawnError::NotFound)?;
        if !self.grants.allows(&Capability::Agent(name)) {
            let why = format!("this agent was not granted `agent:{agent}`");
            return Err(agents::SpawnError::Denied(why));
        }
        let shared = self.shared.upgrade().ok_or(agents::SpawnError::NotFound)?;
        let there = shared.agents.contains_key(agent);
        if there { Ok(()) } else { Err(agents::SpawnError::NotFound) }
    }

    /// Checks what a child is asked for with, and returns what it is started with.
    fn child(&self, spec: agents::Spec) -> Result<(Start, Budget), agents::SpawnError> {
        self.may_start(&spec.agent)?;
        let invalid = |why: &str| agents::SpawnError::Invalid(why.to_owned());
        if spec.label.len() > NAME_BYTES {
            return Err(invalid("the label is too long"));
        }
        let input = serde_json::from_str::<Value>(&spec.input);
        let number = self.children.fetch_add(1, Ordering::SeqCst) + 1;
        let start = Start {
            id: format!("{}.{number}", self.id),
            parent: Some(self.id.clone()),
            label: ringfence_capability::text::plain(&spec.label),
            agent: spec.agent,
            goal: spec.goal,
            input: input.map_err(|_| invalid("the input is no JSON"))?,
            within: Some(Arc::clone(&self.grants)),
        };
        let left = Budget {
            wall_ms: u64::try_from(self.left().as_millis()).unwrap_or(u64::MAX),
            ..self.purse.left()
        };
        let wanted = spec.budget.map_or(left, convert::budget).least(&left);
        Ok((start, wanted))
    }

    async fn group(&self, group: agents::Group) -> Result<agents::GroupResult, agents::SpawnError> {
        let shared = self.shared.upgrade().ok_or(agents::SpawnError::NotFound)?;
        let mut labels = HashSet::new();
        if let Some(twice) = group.specs.iter().find(|spec| !labels.insert(spec.label.clone())) {
            let why = format!("two members are called `{}`", twice.label);
            return Err(agents::SpawnError::Invalid(why));
        }
        if let agents::Strategy::Reduce(agent) = &group.strategy {
            self.may_start(agent)?;
        }
        let config = AggregationConfig {
            strategy: convert::strategy(group.strategy),
            timeout: Duration::from_millis(group.timeout_ms).min(self.left()),
            min_success_ratio: group.min_success_ratio,
            score_threshold: group.score_threshold,
        };
        let mut members = Vec::new();
        for spec in group.specs {
            let label = spec.label.clone();
            let (start, budget) = self.child(spec)?;
            let (shared, purse) = (Arc::clone(&shared), Arc::clone(&self.purse));
            members.push(Member::new(label, move |node| async move {
                shared.begin(start, &budget, &purse, node)?.await
            }));
        }
        let on_failure = convert::on_failure(group.on_failure);
        let at_once = usize::try_from(group.max_parallel).unwrap_or(usize::MAX).max(1);
        let done = run_group(members, &config, on_failure, at_once, &self.node);
        let done = self.without_turn(done).await;
        let done = done.map_err(|error| agents::SpawnError::Invalid(error.to_string()))?;
        let (merged, agreed) = match done.merged {
            Ok(Merged::Outcome { outcome, agreed }) => (Ok(*outcome), agreed),
            Ok(Merged::Reduce { agent, input }) => (
                self.reduce(agent, &input).await,
                done.each.iter().filter(|one| one.1.is_ok()).count(),
            ),
            Err(error) => (Err(error.to_string()), 0),
        };
        Ok(agents::GroupResult {
            merged: merged.map(convert::wit_outcome),
            each: done
                .each
                .into_iter()
                .map(|(label, one)| (label, convert::wit_result(one)))
                .collect(),
            agreed: u32::try_from(agreed).unwrap_or(u32::MAX),
        })
    }

    async fn reduce(&self, agent: String, input: &Value) -> Result<Outcome, String> {
        let spec = agents::Spec {
            agent,
            label: "reduce".to_owned(),
            goal: "make one result of these".to_owned(),
            input: input.to_string(),
            budget: None,
        };
        let (start, budget) = self.child(spec).map_err(|error| format!("no reducer: {error:?}"))?;
        let shared = self.shared.upgrade().ok_or("the run has ended")?;
        let begun = shared.begin(start, &budget, &self.purse, self.node.child());
        let running = begun.map_err(|failure| failure.to_string())?;
        self.without_turn(running).await.map_err(|failure| format!("the reducer failed: {failure}"))
    }
}

/// Says that nobody waits for an answer any more, when this is dropped.
struct Withdraw(Arc<AtomicBool>);

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Says why a tool gave no answer.
fn said(error: &tools::Error) -> String {
    match error {
        tools::Error::NotFound => "there is no such tool".to_owned(),
        tools::Error::Denied(why) => format!("denied: {why}"),
        tools::Error::InvalidArguments(why) => format!("invalid arguments: {why}"),
        tools::Error::Timeout => "it took too long".to_owned(),
        tools::Error::Cancelled => "cancelled".to_owned(),
        tools::Error::TooLarge(most) => format!("the answer is larger than {most} bytes"),
        tools::Error::Budget => "no calls are left".to_owned(),
        tools::Error::Failed(why) => why.clone(),
    }
}

fn size(parts: &[types::Part]) -> usize {
    let of_part = |part: &types::Part| match part {
        types::Part::Text(text) | types::Part::Json(text) => text.len(),
        types::Part::Blob(blob) => blob.data.len() + blob.mime_type.len(),
    };
    parts.iter().map(|part| of_part(part) + PART_BYTES).sum()
}

impl AgentWorld for World {
    fn tools(&self) -> Vec<tools::Tool> {
        let Some(shared) = self.shared.upgrade() else { return Vec::new() };
        let mine = shared.tools.iter().filter(|tool| tool.is_granted(&self.grants));
        mine.map(super::tools::Tool::seen).collect()
    }

    fn call<'a>(
        &'a self,
        name: String,
        arguments: String,
        timeout: Option<Duration>,
        outside: &'a OutsideCaller,
    ) -> BoxFuture<'a, Result<tools::Reply, tools::Error>> {
        self.call_tool(name, arguments, timeout, outside).boxed()
    }

    fn send(
        &self,
        to: &str,
        topic: String,
        correlation: Option<String>,
        parts: Vec<types::Part>,
    ) -> Result<String, mailbox::Error> {
        if self.node.is_asked() {
            return Err(mailbox::Error::Cancelled);
        }
        let named = topic.len() + correlation.as_ref().map_or(0, String::len);
        if size(&parts) > MESSAGE_BYTES || named > 2 * NAME_BYTES {
            return Err(mailbox::Error::TooLarge(MESSAGE_BYTES as u64));
        }
        let shared = self.shared.upgrade().ok_or(mailbox::Error::NoSuchAgent)?;
        let wanted = if to == "parent" { self.parent.as_deref() } else { Some(to) };
        let wanted = wanted.ok_or(mailbox::Error::NoSuchAgent)?;
        let to = {
            let live = shared.live.lock().unwrap_or_else(PoisonError::into_inner);
            let found = live.get(wanted).ok_or(mailbox::Error::NoSuchAgent)?;
            // Only along the tree: an agent writes to whom it started and to who started it.
            let related = self.parent.as_deref() == Some(wanted)
                || found.parent.as_deref() == Some(self.id.as_str());
            if !related {
                return Err(mailbox::Error::NoSuchAgent);
            }
            Arc::clone(&found.mailbox)
        };
        let number = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        let id = format!("{}-{number}", self.id);
        let sender = self.id.clone();
        let message = mailbox::Message { id: id.clone(), sender, topic, correlation, parts };
        match to.send(message) {
            Ok(()) => Ok(id),
            Err(NotSent::Full(_)) => Err(mailbox::Error::Full),
            Err(NotSent::Closed(_)) => Err(mailbox::Error::NoSuchAgent),
        }
    }

    fn receive(
        &self,
        topic: Option<String>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Option<mailbox::Message>, mailbox::Error>> {
        // At the end of the run it is woken anyway.
        let end = (timeout + TO_THE_END < self.left()).then(|| Instant::now() + timeout);
        async move {
            let wanted =
                |m: &mailbox::Message| topic.as_ref().is_none_or(|topic| m.topic == *topic);
            let waiting = self.mailbox.receive(&self.node, end, wanted);
            match self.without_turn(waiting).await {
                Ok(message) => Ok(Some(message)),
                Err(NotReceived::Timeout) => Ok(None),
                Err(NotReceived::Cancelled) => Err(mailbox::Error::Cancelled),
            }
        }
        .boxed()
    }

    fn spawn(&self, spec: agents::Spec) -> Result<Child, agents::SpawnError> {
        let (start, budget) = self.child(spec)?;
        let shared = self.shared.upgrade().ok_or(agents::SpawnError::NotFound)?;
        if !shared.has_room() {
            return Err(agents::SpawnError::Full);
        }
        let begun = shared.begin(start, &budget, &self.purse, self.node.child());
        match begun {
            Ok(running) => Ok(Arc::new(running)),
            Err(Failure::Budget(what)) => Err(agents::SpawnError::Limit(what)),
            Err(failure) => Err(agents::SpawnError::Denied(failure.to_string())),
        }
    }

    fn run_group(
        &self,
        group: agents::Group,
    ) -> BoxFuture<'_, Result<agents::GroupResult, agents::SpawnError>> {
        self.group(group).boxed()
    }

    fn join<'a>(
        &'a self,
        child: &'a dyn AgentChild,
        timeout: Duration,
    ) -> BoxFuture<'a, Option<Result<types::Outcome, types::Failure>>> {
        let end = Instant::now() + timeout.min(self.left());
        async move {
            let ended = async { tokio::time::timeout_at(end, child.ended()).await.ok() };
            self.without_turn(ended).await
        }
        .boxed()
    }

    fn cancelled(&self) -> bool {
        self.node.is_asked()
    }

    fn remaining(&self) -> Duration {
        self.left()
    }

    fn progress(&self, done: f64, total: Option<f64>, note: &str) {
        if let Some(shared) = self.shared.upgrade() {
            let (id, note) = (self.id.clone(), note.to_owned());
            shared.watcher.event(&AgentEvent::Progress { id, done, total, note });
        }
    }

    fn ask(
        &self,
        action: String,
        details: String,
        timeout: Duration,
    ) -> BoxFuture<'_, approval::Verdict> {
        let shared = self.shared.upgrade();
        let asked =
            shared.and_then(|all| all.person.clone().map(|one| (one, Arc::clone(&all.desk))));
        let time = timeout.min(self.left());
        async move {
            let Some((person, desk)) = asked else { return approval::Verdict::NoApprover };
            let id = self.id.clone();
            let fits = |text: &str| text[..text.floor_char_boundary(QUESTION_BYTES)].to_owned();
            let (action, details) = (fits(&action), fits(&details));
            let withdrawn = Arc::new(AtomicBool::new(false));
            let _withdraw = Withdraw(Arc::clone(&withdrawn));
            let asked = async {
                let desk = desk.acquire_owned().await.ok()?;
                let ask = move || {
                    let _desk = desk;
                    let (agent, action, details) = (&id, &action, &details);
                    person(&PersonQuestion { agent, action, details, withdrawn: &withdrawn })
                };
                tokio::task::spawn_blocking(ask).await.ok()
            };
            let answered = async {
                tokio::select! {
                    biased;
                    _ = self.node.asked() => approval::Verdict::Expired,
                    answer = asked => match answer {
                        Some(true) => approval::Verdict::Granted,
                        Some(false) => approval::Verdict::Declined,
                        None => approval::Verdict::NoApprover,
                    },
                    () = tokio::time::sleep(time) => approval::Verdict::Expired,
                }
            };
            self.without_turn(answered).await
        }
        .boxed()
    }
}
