//! One call of a tool: checked, given a place, run, heard meanwhile, and checked again.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value};

use super::asks::{self, MAX_ROUNDS};
use super::listen::Ear;
use super::person::{AtClient, Confirm, Running};
use super::talk::{Out, Talk, View};
use super::{Shared, convert};
use crate::message::{RpcError, code};
use crate::{Answers, Call, CallError, Catalog, Outcome, PromptCall, PromptOutcome, Tool};

/// Where a call stands when a request for it comes in.
enum Begun {
    /// It begins, with what was answered to the questions before.
    Now(Option<Answers>),
    /// It goes on.
    Before(Running),
}

/// Why a call was heard no further.
enum Heard {
    Ended(Result<Outcome, CallError>),
    Asked(Confirm),
}

impl Shared {
    /// `tools/call`.
    pub(super) async fn call(
        &self,
        talk: &Arc<Talk>,
        out: &Out,
        view: &View,
        mut params: Map<String, Value>,
    ) -> Result<Value, RpcError> {
        let catalog = self.registry.catalog();
        let tool = named_tool(&catalog, &params, view)?;
        let input = match params.remove("arguments") {
            None => Value::Object(Map::new()),
            Some(input @ Value::Object(_)) => input,
            Some(_) => return Err(RpcError::new(code::INVALID_PARAMS, "`arguments` is no object")),
        };
        let most = self.options.answer_bytes;
        // Text for the model, not an error of the protocol: it can call again with better input.
        if let Err(error) = tool.check_input(&input) {
            return Ok(convert::failure(&error, most));
        }
        let begun = match self.unpark(&tool.name, &input, &params)? {
            Some(running) => Begun::Before(running),
            None => Begun::Now(self.answers(&tool.name, &input, &params)?),
        };
        let run = self.rounds(talk, out, view, tool, &input, begun);
        let done = tokio::time::timeout(self.options.call_time, run).await;
        match done.unwrap_or(Err(CallError::TimedOut { after: self.options.call_time })) {
            Ok(sent) => Ok(sent),
            // What the client has to know as an error of the protocol.
            Err(error @ (CallError::MissingCapability { .. } | CallError::Busy)) => {
                Err(convert::refusal(&error, view.modern))
            }
            Err(error) => Ok(convert::failure(&error, most)),
        }
    }

    /// Calls the tool until it is done, with the answers to its questions.
    async fn rounds(
        &self,
        talk: &Arc<Talk>,
        out: &Out,
        view: &View,
        tool: &Tool,
        input: &Value,
        mut begun: Begun,
    ) -> Result<Value, CallError> {
        let deadline = Instant::now() + self.options.call_time;
        for _ in 0..MAX_ROUNDS {
            let place = self.places.acquire().await.map_err(|_| CallError::Busy)?;
            let mut running = match begun {
                Begun::Before(running) => running,
                Begun::Now(answers) => {
                    self.parked.let_go(talk, &tool.name, input);
                    self.begin(view, tool, input, answers, deadline)
                }
            };
            let outcome = match self.heard(talk, out, view, &mut running).await {
                Heard::Ended(outcome) => outcome?,
                // Whoever waits for a person keeps nobody else from being called.
                Heard::Asked(confirm) => {
                    return self.park(talk, &tool.name, input, running, confirm);
                }
            };
            drop(place);
            let asks = match outcome {
                Outcome::Done(answer) => {
                    if !answer.failed {
                        tool.check_output(answer.structured.as_ref())?;
                    }
                    return Ok(convert::answer(answer, self.options.answer_bytes));
                }
                Outcome::Asks(asks) => asks,
            };
            let sent = asks::askable(&asks, view, self.options.may_ask)?;
            if view.modern {
                return Ok(self.handed(&tool.name, input, &asks, sent));
            }
            begun = Begun::Now(Some(self.put_to(talk, out, asks, sent).await));
        }
        Err(CallError::TooManyQuestions { rounds: MAX_ROUNDS })
    }

    /// Begins a call of the tool.
    fn begin(
        &self,
        view: &View,
        tool: &Tool,
        input: &Value,
        answers: Option<Answers>,
        deadline: Instant,
    ) -> Running {
        let (ear, heard) = Ear::new(view);
        let (person, questions) = AtClient::of(view);
        let call = Call {
            tool: tool.name.clone(),
            input: input.clone(),
            answers,
            listener: Arc::new(ear),
            deadline,
            person,
        };
        let registry = Arc::clone(&self.registry);
        let run = Box::pin(async move { registry.call(call).await });
        Running { run, heard, questions }
    }

    /// Goes on with a call until it ends, or until a client that is asked by a result has to be asked.
    async fn heard(
        &self,
        talk: &Arc<Talk>,
        out: &Out,
        view: &View,
        running: &mut Running,
    ) -> Heard {
        let mut put = FuturesUnordered::new();
        let outcome = loop {
            tokio::select! {
                biased;
                Some(said) = running.heard.recv() => { let _ = out.send(said).await; }
                Some(confirm) = running.questions.recv() => {
                    if view.modern {
                        return Heard::Asked(confirm);
                    }
                    put.push(confirm.put(Arc::clone(talk), out.clone()));
                }
                Some(()) = put.next() => {}
                outcome = &mut running.run => break outcome,
            }
        };
        while let Ok(said) = running.heard.try_recv() {
            let _ = out.send(said).await;
        }
        Heard::Ended(outcome)
    }

    /// `prompts/get`.
    pub(super) async fn prompt(
        &self,
        talk: &Arc<Talk>,
        out: &Out,
        view: &View,
        params: Map<String, Value>,
    ) -> Result<Value, RpcError> {
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let catalog = self.registry.catalog();
        let refuse = |error: &CallError| convert::refusal(error, view.modern);
        let Some(known) = catalog.prompt(name) else {
            let prompt = ringfence_capability::text::brief(name, 80);
            return Err(refuse(&CallError::NoPrompt { prompt }));
        };
        let input = params.get("arguments").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let arguments =
            filled_in(known, &input).map_err(|problems| refuse(&CallError::Input { problems }))?;
        let mut answers = self.answers(name, &input, &params)?;
        let run = async {
            for _ in 0..MAX_ROUNDS {
                let call =
                    PromptCall { prompt: name.to_owned(), arguments: arguments.clone(), answers };
                let place = self.places.acquire().await.map_err(|_| CallError::Busy)?;
                let outcome = self.registry.prompt(call).await?;
                drop(place);
                let asks = match outcome {
                    PromptOutcome::Done(filled) => {
                        return Ok(convert::prompt_answer(filled, self.options.answer_bytes));
                    }
                    PromptOutcome::Asks(asks) => asks,
                };
                let sent = asks::askable(&asks, view, self.options.may_ask)?;
                if view.modern {
                    return Ok(self.handed(name, &input, &asks, sent));
                }
                answers = Some(self.put_to(talk, out, asks, sent).await);
            }
            Err(CallError::TooManyQuestions { rounds: MAX_ROUNDS })
        };
        let done = tokio::time::timeout(self.options.call_time, run).await;
        done.unwrap_or(Err(CallError::TimedOut { after: self.options.call_time }))
            .map_err(|error| refuse(&error))
    }

    /// `resources/read`.
    pub(super) async fn read(
        &self,
        view: &View,
        params: &Map<String, Value>,
    ) -> Result<Value, RpcError> {
        let uri = params.get("uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`uri` is missing"))?;
        let run = async {
            let _place = self.places.acquire().await.map_err(|_| CallError::Busy)?;
            self.registry.read(uri.to_owned()).await
        };
        let done = tokio::time::timeout(self.options.call_time, run).await;
        let parts = done.unwrap_or(Err(CallError::TimedOut { after: self.options.call_time }));
        parts
            .map(|parts| convert::contents(parts, self.options.answer_bytes))
            .map_err(|error| convert::refusal(&error, view.modern))
    }
}

fn named_tool<'c>(
    catalog: &'c Catalog,
    params: &Map<String, Value>,
    view: &View,
) -> Result<&'c Tool, RpcError> {
    let Some(name) = params.get("name").and_then(Value::as_str) else {
        return Err(RpcError::new(code::INVALID_PARAMS, "`name` is not the name of a tool"));
    };
    catalog.tool(name).ok_or_else(|| convert::refusal(&CallError::unknown_tool(name), view.modern))
}

/// Returns the arguments of a prompt, when they are those it has.
fn filled_in(
    known: &crate::PromptInfo,
    input: &Value,
) -> Result<Vec<(String, String)>, Vec<String>> {
    let Some(given) = input.as_object() else {
        return Err(vec!["`arguments` is no object".to_owned()]);
    };
    let missing = known
        .arguments
        .iter()
        .filter(|argument| argument.required && !given.contains_key(&argument.name));
    let mut problems: Vec<String> =
        missing.map(|argument| format!("`{}` is missing", argument.name)).collect();
    let mut filled = Vec::new();
    for (name, value) in given {
        match value.as_str() {
            _ if !known.arguments.iter().any(|argument| argument.name == *name) => {
                problems.push(format!(
                    "there is no argument `{}`",
                    ringfence_capability::text::brief(name, 80)
                ));
            }
            None => problems
                .push(format!("`{}` is no text", ringfence_capability::text::brief(name, 80))),
            Some(value) => filled.push((name.clone(), value.to_owned())),
        }
    }
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}
