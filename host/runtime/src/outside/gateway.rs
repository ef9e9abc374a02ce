//! The accepted tools of several outside servers as one registry: what `mcp serve` re-exports.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_bundle::manifest::Effect;
use ringfence_capability::{GrantSet, Kind};
use ringfence_mcp::client::{Asked, Asking, Nobody};
use ringfence_mcp::contract::Contract;
use ringfence_mcp::{
    Answer, Answers, Asks, Call, CallError, Catalog, Changes, Given, Hints, Listener, McpError,
    Outcome, Part, Question, Registry, tool_names,
};
use serde_json::Value;
use tokio::sync::{Mutex as Turn, oneshot, watch};

use super::OutsideServer;
use super::server::{OneCall, as_tool};

/// How long a call that is under way is waited for at the end.
const CLOSING: Duration = Duration::from_secs(5);
/// How often one call may ask.
const MAX_ROUNDS: u32 = 10;

/// One server of a gateway. Its calls run one after another, so that an effect belongs to one of them.
#[derive(Clone)]
pub struct Member(Arc<Turn<OutsideServer>>);

impl Member {
    /// Returns the member that `server` is.
    pub fn new(server: OutsideServer) -> Self {
        Self(Arc::new(Turn::new(server)))
    }

    /// Calls a tool by the server's own name.
    ///
    /// # Errors
    /// As a call through a [`Gateway`].
    ///
    /// # Cancellation
    /// Dropping the future withdraws the call: the server is told and stopped, and the log has its end.
    pub async fn call(&self, call: Call, asking: Arc<dyn Asking>) -> Result<Outcome, CallError> {
        let left = call.deadline.saturating_duration_since(Instant::now());
        let turn = tokio::time::timeout(left, Arc::clone(&self.0).lock_owned()).await;
        let mut server = turn.map_err(|_| CallError::Busy)?;
        let (waiting, withdrawn) = oneshot::channel();
        let one = OneCall {
            tool: call.tool,
            input: call.input,
            answers: call.answers,
            deadline: call.deadline,
            listener: call.listener,
            asking,
            withdrawn,
        };
        // A task of its own, so that it comes to its end on the record when nobody waits any more: then
        // `waiting` is gone.
        let done = tokio::spawn(async move { server.call(one).await }).await;
        drop(waiting);
        done.unwrap_or(Err(CallError::Busy))
    }

    /// Calls a tool until it is done: what it asks between is put to `asking`. Each call ends at its own
    /// `deadline`, so that a person who thinks about a question takes no time from it.
    ///
    /// # Errors
    /// As [`Member::call`], and [`CallError::TooManyQuestions`].
    ///
    /// # Cancellation
    /// As [`Member::call`].
    pub async fn answered(
        &self,
        tool: &str,
        input: &Value,
        listener: Arc<dyn Listener>,
        asking: Arc<dyn Asking>,
        deadline: impl Fn() -> Instant,
    ) -> Result<Answer, CallError> {
        let mut answers = None;
        for _ in 0..MAX_ROUNDS {
            let call = Call {
                tool: tool.to_owned(),
                input: input.clone(),
                answers,
                listener: Arc::clone(&listener),
                deadline: deadline(),
                person: None,
            };
            match self.call(call, Arc::clone(&asking)).await? {
                Outcome::Done(answer) => return Ok(answer),
                Outcome::Asks(asks) => answers = Some(put(asks, &*asking).await),
            }
        }
        Err(CallError::TooManyQuestions { rounds: MAX_ROUNDS })
    }

    /// Ends the server; what it wrote into its stage is thrown away.
    pub(super) async fn end(&self) {
        let Ok(mut server) = tokio::time::timeout(CLOSING, self.0.lock()).await else { return };
        let name = server.name().to_owned();
        match server.close().await {
            Ok(closed) if closed.executed.as_ref().is_some_and(|e| e.staged.is_some()) => {
                tracing::warn!(server = name, "what it wrote beside the workspace is thrown away");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(server = name, %error, "it did not end well"),
        }
    }

    /// Returns the server, when nobody else has this member.
    pub fn into_server(self) -> Option<OutsideServer> {
        Arc::into_inner(self.0).map(Turn::into_inner)
    }
}

/// The accepted tools of several outside servers.
pub struct Gateway {
    members: Vec<Member>,
    offer: Mutex<Offer>,
    tell: watch::Sender<u64>,
}

/// What is offered at one moment.
#[derive(Clone, Default)]
struct Offer {
    catalog: Arc<Catalog>,
    /// The server and the tool behind each name.
    targets: Arc<HashMap<String, (usize, String)>>,
    /// Each server's name and accepted tools.
    tools: Vec<(String, Vec<Contract>, GrantSet)>,
}

impl Gateway {
    /// Returns the accepted tools of these servers.
    ///
    /// # Errors
    /// When two servers have one name.
    pub fn new(servers: Vec<OutsideServer>) -> Result<Self, McpError> {
        let tools = servers.iter().map(offered).collect();
        let offer = Offer::of(tools)?;
        let members = servers.into_iter().map(Member::new).collect();
        Ok(Self { members, offer: Mutex::new(offer), tell: watch::channel(0).0 })
    }

    fn offer(&self) -> Offer {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in what a server offers now.
    fn update(&self, index: usize, server: &OutsideServer) {
        let mut offer = self.offer.lock().unwrap_or_else(PoisonError::into_inner);
        let now = offered(server);
        if offer.tools.get(index).is_none_or(|before| before.1 == now.1) {
            return;
        }
        let mut tools = offer.tools.clone();
        tools[index] = now;
        // What cannot be offered together is not offered at all.
        *offer = Offer::of(tools).unwrap_or_default();
        self.tell.send_modify(|number| *number += 1);
    }

    async fn run(&self, mut call: Call) -> Result<Outcome, CallError> {
        let target = self.offer().targets.get(&call.tool).cloned();
        let unknown = || CallError::UnknownTool { tool: call.tool.clone() };
        let (index, tool) = target.ok_or_else(unknown)?;
        let member = self.members.get(index).cloned().ok_or_else(unknown)?;
        call.tool = tool;
        // A question in the middle of a call has nobody to go to here; between calls it goes to the
        // person at the client.
        let outcome = member.call(call, Arc::new(Nobody)).await;
        if let Ok(server) = member.0.try_lock() {
            self.update(index, &server);
        }
        outcome.map(without_links)
    }

    /// Ends every server; what one wrote into its stage is thrown away.
    pub async fn close(&self) {
        for member in &self.members {
            member.end().await;
        }
    }
}

/// Writes links as text: a client that followed one would ask here, where nothing lies. A model may read where
/// it would be.
fn without_links(outcome: Outcome) -> Outcome {
    let Outcome::Done(mut answer) = outcome else { return outcome };
    for part in &mut answer.parts {
        if let Part::Link { uri, name, .. } = part {
            *part = Part::Text(format!("[resource {name}: {uri}]"));
        }
    }
    Outcome::Done(answer)
}

/// Puts the questions of a call. Only a person answers.
async fn put(asks: Asks, asking: &dyn Asking) -> Answers {
    let mut given = Vec::new();
    for (key, question, _) in asks.questions {
        let answer = match question {
            Question::Person { message, schema } => {
                asking.answer(Asked::new(message, schema)).await
            }
            Question::Model { .. } | Question::Roots => Given::Declined,
        };
        given.push((key, answer));
    }
    Answers { given, state: asks.state }
}

fn offered(server: &OutsideServer) -> (String, Vec<Contract>, GrantSet) {
    let accepted = |tool: &&Contract| server.accepted(tool.name()).is_ok();
    let tools = server.tools().iter().filter(accepted).cloned().collect();
    (server.name().to_owned(), tools, server.granted().clone())
}

impl Offer {
    fn of(tools: Vec<(String, Vec<Contract>, GrantSet)>) -> Result<Self, McpError> {
        let all: Vec<_> = tools
            .iter()
            .enumerate()
            .flat_map(|(index, (server, tools, granted))| {
                tools.iter().map(move |tool| (index, server.as_str(), tool, granted))
            })
            .collect();
        let pairs: Vec<_> = all.iter().map(|(_, server, tool, _)| (*server, tool.name())).collect();
        let names = tool_names(&pairs);
        let (mut listed, mut targets) = (Vec::new(), HashMap::new());
        for ((index, _, tool, granted), name) in all.into_iter().zip(names) {
            targets.insert(name.clone(), (index, tool.name().to_owned()));
            listed.push(as_tool(tool, name, granted));
        }
        let catalog = Arc::new(Catalog::new(listed)?);
        Ok(Self { catalog, targets: Arc::new(targets), tools })
    }
}

impl Registry for Gateway {
    fn catalog(&self) -> Arc<Catalog> {
        self.offer().catalog
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.tell.subscribe())
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Outcome, CallError>> {
        self.run(call).boxed()
    }
}

/// Returns what a tool can do to the world: what its server was granted says the least, and what the
/// server says, or does not say, can only raise it.
pub(super) fn hints(tool: &Contract, granted: &GrantSet) -> Hints {
    let kinds: Vec<Kind> = granted.iter().map(|grant| grant.capability.kind()).collect();
    let said = match (tool.says("readOnlyHint"), tool.says("openWorldHint")) {
        (_, Some(true)) => Effect::External,
        (Some(true), _) => Effect::Read,
        _ => Effect::Write,
    };
    crate::tools::hints_of(&kinds, Some(said))
}
