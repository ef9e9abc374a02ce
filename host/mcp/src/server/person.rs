//! Questions of the host to the person at the client while a call runs: may this be done?
//!
//! A client of an older revision is asked while it waits. One of the newest is asked by a result: the
//! call is put away as it stands and goes on when the client sends the answer, so that nothing of it is
//! done twice. Only the one word for yes is a yes; whatever else comes, or does not come, is a no.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as blocking};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::Shared;
use super::talk::{Out, Talk, View};
use crate::message::{RpcError, code};
use crate::{CallError, MAX_CONFIRM, Outcome, Person};

/// How long a person may take for one answer.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);
/// The most calls that wait for an answer away from their client.
const MAX_PARKED: usize = 64;
/// The most questions of one call that wait to be put.
const WAITING: usize = 8;
/// The key of the question, and the field of its form.
const KEY: &str = "approval";
/// The one word that is a yes.
const YES: &str = "approve-once";
const NO: &str = "deny";

/// A question that waits to be put.
pub(super) struct Confirm {
    message: String,
    answer: blocking::Sender<bool>,
}

/// Takes the questions of one call.
pub(super) struct AtClient(mpsc::Sender<Confirm>);

impl AtClient {
    /// Returns who takes the questions of a call, when this client can be asked any, and what to put.
    pub(super) fn of(view: &View) -> (Option<Arc<dyn Person>>, mpsc::Receiver<Confirm>) {
        let (to, from) = mpsc::channel(WAITING);
        let person: Option<Arc<dyn Person>> =
            if has_forms(view) { Some(Arc::new(Self(to))) } else { None };
        (person, from)
    }
}

impl Person for AtClient {
    fn confirm(&self, message: String) -> blocking::Receiver<bool> {
        let (answer, answered) = blocking::channel();
        if message.len() <= MAX_CONFIRM {
            // Where it cannot be taken the answer ends here, which is a no.
            let _ = self.0.try_send(Confirm { message, answer });
        }
        answered
    }
}

/// Tells whether a client shows forms to a person. One that names no mode does.
pub(super) fn has_forms(view: &View) -> bool {
    let modes = view.capabilities.get("elicitation").and_then(Value::as_object);
    modes.is_some_and(|modes| modes.is_empty() || modes.contains_key("form"))
}

impl Confirm {
    /// Returns the question as it is sent: what is asked about in words of the host, and a choice of which
    /// no is the first and what stands there at the beginning.
    fn form(&self) -> Value {
        json!({
            "message": self.message,
            "requestedSchema": {
                "type": "object",
                "properties": { KEY: {
                    "type": "string",
                    "title": "Your answer",
                    "description": "It holds for exactly this, once",
                    "enum": [NO, YES],
                    "default": NO,
                } },
                "required": [KEY],
            },
        })
    }

    /// Asks a client of an older revision.
    pub(super) fn put(self, talk: Arc<Talk>, out: Out) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let answer = talk.ask(&out, "elicitation/create", self.form(), PATIENCE).await;
            self.answered(answer.ok().as_ref());
        })
    }

    fn answered(self, answer: Option<&Value>) {
        let _ = self.answer.send(answer.is_some_and(is_yes));
    }
}

/// Tells whether what a client sent is the one answer that is a yes.
fn is_yes(answer: &Value) -> bool {
    let Some(content) = answer.get("content").and_then(Value::as_object) else { return false };
    answer.get("action").and_then(Value::as_str) == Some("accept")
        && content.len() == 1
        && content.get(KEY).and_then(Value::as_str) == Some(YES)
}

/// A call as it stands.
pub(super) struct Running {
    pub(super) run: BoxFuture<'static, Result<Outcome, CallError>>,
    pub(super) heard: mpsc::Receiver<Value>,
    pub(super) questions: mpsc::Receiver<Confirm>,
}

/// Calls that wait for an answer away from their client, by their tickets.
#[derive(Default)]
pub(super) struct Parked(Mutex<HashMap<String, Waiting>>);

/// One of them.
struct Waiting {
    running: Running,
    confirm: Confirm,
    talk: Arc<Talk>,
    tool: String,
    input: Value,
}

impl Parked {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what this client asks for anew: it has let the question go.
    pub(super) fn let_go(&self, talk: &Arc<Talk>, tool: &str, input: &Value) {
        self.lock().retain(|_, waiting| {
            let same = Arc::ptr_eq(&waiting.talk, talk) || waiting.input == *input;
            !(waiting.tool == tool && same)
        });
    }
}

impl Shared {
    /// Puts a call away until the client sends the answer, and returns the result that asks for it.
    ///
    /// # Errors
    /// When too many wait already; then the call ends.
    pub(super) fn park(
        &self,
        talk: &Arc<Talk>,
        tool: &str,
        input: &Value,
        running: Running,
        confirm: Confirm,
    ) -> Result<Value, CallError> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|_| CallError::Busy)?;
        let ticket = format!("{:032x}", u128::from_be_bytes(secret));
        let asked = json!({ KEY: { "method": "elicitation/create", "params": confirm.form() } });
        {
            let mut parked = self.parked.lock();
            if parked.len() >= MAX_PARKED {
                return Err(CallError::Busy);
            }
            let (talk, tool, input) = (Arc::clone(talk), tool.to_owned(), input.clone());
            parked.insert(ticket.clone(), Waiting { running, confirm, talk, tool, input });
        }
        let (all, late) = (Arc::clone(&self.parked), ticket.clone());
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            let late = all.lock().remove(&late);
            drop(late);
        });
        Ok(json!({
            "resultType": "input_required",
            "inputRequests": asked,
            "requestState": self.seal.close(&bound(tool), input, &ticket),
        }))
    }

    /// Returns the call that this request brings the answer for, when there is one; it has been told the
    /// answer.
    ///
    /// # Errors
    /// When the call is over: it was answered before, or nobody answered in time.
    pub(super) fn unpark(
        &self,
        tool: &str,
        input: &Value,
        params: &Map<String, Value>,
    ) -> Result<Option<Running>, RpcError> {
        let state = params.get("requestState").and_then(Value::as_str);
        let Some(ticket) = state.and_then(|state| self.seal.open(&bound(tool), input, state))
        else {
            return Ok(None);
        };
        let Some(Waiting { mut running, confirm, .. }) = self.parked.lock().remove(&ticket) else {
            let text = "the call that asked is over: it was answered, let go, or nobody answered in \
                        time; call the tool again without `requestState` to be asked anew";
            return Err(RpcError::new(code::INVALID_PARAMS, text));
        };
        confirm.answered(params.get("inputResponses").and_then(|given| given.get(KEY)));
        // What was said meanwhile was for a request that has its answer.
        while running.heard.try_recv().is_ok() {}
        Ok(Some(running))
    }
}

/// Returns the name under which these states are sealed: no state of a tool can be one.
fn bound(tool: &str) -> String {
    format!("approval\n{tool}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(capabilities: Value) -> View {
        View { modern: true, capabilities, level: None, token: None }
    }

    #[test]
    fn only_the_one_word_for_yes_is_a_yes() {
        let answer = |action: &str, content: Value| json!({ "action": action, "content": content });
        assert!(is_yes(&answer("accept", json!({ KEY: YES }))));
        for no in [
            answer("accept", json!({ KEY: NO })),
            answer("accept", json!({ KEY: true })),
            answer("accept", json!({ KEY: "Approve-Once" })),
            answer("accept", json!({ KEY: YES, "always": true })),
            answer("accept", json!({ "other": YES })),
            answer("accept", json!([YES])),
            answer("accept", json!({})),
            answer("decline", json!({ KEY: YES })),
            answer("cancel", json!({ KEY: YES })),
            json!({ "content": { KEY: YES } }),
            json!({ "action": "accept" }),
            json!({ KEY: YES }),
            json!(YES),
            json!(true),
            Value::Null,
        ] {
            assert!(!is_yes(&no), "{no}");
        }
    }

    #[test]
    fn a_client_that_shows_no_forms_is_not_asked() {
        for (capabilities, can) in [
            (json!({ "elicitation": {} }), true),
            (json!({ "elicitation": { "form": {} } }), true),
            (json!({ "elicitation": { "form": {}, "url": {} } }), true),
            (json!({ "elicitation": { "url": {} } }), false),
            (json!({ "elicitation": true }), false),
            (json!({ "sampling": {} }), false),
            (json!({}), false),
        ] {
            assert_eq!(
                AtClient::of(&view(capabilities.clone())).0.is_some(),
                can,
                "{capabilities}"
            );
        }
    }

    #[test]
    fn a_question_nobody_puts_and_one_too_long_end_without_an_answer() {
        let (person, questions) = AtClient::of(&view(json!({ "elicitation": {} })));
        let person = person.unwrap();
        let waits = person.confirm("run it?".to_owned());
        assert_eq!(waits.try_recv(), Err(blocking::TryRecvError::Empty));
        let long = person.confirm("x".repeat(MAX_CONFIRM + 1));
        assert_eq!(long.recv(), Err(blocking::RecvError));
        drop(questions);
        assert_eq!(waits.recv(), Err(blocking::RecvError));
    }
}
