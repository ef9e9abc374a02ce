//! Questions of tools to whoever is at the client, and the answers.
//!
//! A tool that has questions ends and is called again with the answers. In the newest revision the
//! client does that; for clients of older ones it is done here. What a person reads names the tool that
//! asks, in words of the host.

use std::sync::Arc;

use ringfence_capability::text;
use serde_json::{Map, Value, json};

use super::person::{PATIENCE, has_forms};
use super::talk::{Out, Talk, View};
use super::{MayAsk, Shared, convert};
use crate::message::{RpcError, code};
use crate::{Answers, Asks, CallError, Given, Question, schema};

/// How often one call may ask.
pub(super) const MAX_ROUNDS: u32 = 10;
/// How many questions there may be at once.
const MAX_QUESTIONS: usize = 16;
/// The most characters of a question.
const MAX_MESSAGE: usize = 2_000;

/// Returns the questions this client can be asked, as they are sent.
///
/// # Errors
/// When one that is needed cannot be asked.
pub(super) fn askable(
    asks: &Asks,
    view: &View,
    may: MayAsk,
) -> Result<Vec<(String, &'static str, Value)>, CallError> {
    let bad = |why: &str| Err(CallError::BadQuestion { why: why.to_owned() });
    if asks.questions.is_empty() && asks.state.is_none() {
        return bad("it has neither a question nor a state");
    }
    if asks.questions.len() > MAX_QUESTIONS {
        return bad("it asks too much at once");
    }
    let mut sent = Vec::new();
    for (key, question, optional) in &asks.questions {
        let (may, whom, capability) = match question {
            Question::Person { .. } => (may.person, "person", "elicitation"),
            Question::Model { .. } => (may.model, "model", "sampling"),
            Question::Roots => (may.roots, "roots", "roots"),
        };
        let can = match question {
            Question::Person { .. } => has_forms(view),
            _ => view.capabilities.get(capability).is_some_and(Value::is_object),
        };
        match (may, can, optional) {
            (true, true, _) => {}
            (_, _, true) => continue,
            (false, ..) => return Err(CallError::MayNotAsk { whom }),
            (_, false, _) => return Err(CallError::MissingCapability { capability }),
        }
        let (method, params) = as_sent(&asks.asker, question)?;
        sent.push((key.clone(), method, params));
    }
    if sent.is_empty() && !asks.questions.is_empty() {
        return Err(CallError::MissingCapability { capability: "elicitation" });
    }
    Ok(sent)
}

fn as_sent(asker: &str, question: &Question) -> Result<(&'static str, Value), CallError> {
    match question {
        Question::Person { message, schema } => {
            if let Some(why) = no_form(schema) {
                return Err(CallError::BadQuestion { why: why.to_owned() });
            }
            let message = convert::cut(&text::lines(message), MAX_MESSAGE);
            let message = format!("{} asks: {message}", text::plain(asker));
            Ok(("elicitation/create", json!({ "message": message, "requestedSchema": schema })))
        }
        Question::Model { prompt, max_tokens } => {
            let said =
                json!({ "type": "text", "text": convert::cut(&text::lines(prompt), 100_000) });
            let messages = json!([{ "role": "user", "content": said }]);
            Ok(("sampling/createMessage", json!({ "messages": messages, "maxTokens": max_tokens })))
        }
        Question::Roots => Ok(("roots/list", json!({}))),
    }
}

/// Returns why a schema is no form: an object of plain values.
fn no_form(schema: &Value) -> Option<&'static str> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Some("the schema of a form is that of an object");
    }
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        return Some("the schema of a form has `properties`");
    };
    let plain = |field: &Value| {
        matches!(
            field.get("type").and_then(Value::as_str),
            Some("string" | "number" | "integer" | "boolean" | "array")
        )
    };
    (!fields.values().all(plain)).then_some("a field of a form is a plain value or a choice")
}

/// Returns what `value`, which a client sent, answers; nothing when it is no answer. Where the
/// question is known the answer fits it.
fn read(question: Option<&Question>, value: &Value) -> Option<Given> {
    if let Some(action) = value.get("action").and_then(Value::as_str) {
        let schema = match question {
            None => None,
            Some(Question::Person { schema, .. }) => Some(schema),
            Some(_) => return None,
        };
        return match action {
            "accept" => {
                let content = value.get("content").cloned().unwrap_or_else(|| json!({}));
                let fits = content.is_object()
                    && schema.is_none_or(|schema| schema::problems(schema, &content).is_empty());
                fits.then_some(Given::Filled(content))
            }
            "decline" => Some(Given::Declined),
            "cancel" => Some(Given::Cancelled),
            _ => None,
        };
    }
    if let Some(roots) = value.get("roots").and_then(Value::as_array) {
        let uris = roots.iter().filter_map(|root| root.get("uri").and_then(Value::as_str));
        let asked = question.is_none_or(|question| *question == Question::Roots);
        return asked.then(|| Given::Roots(uris.map(str::to_owned).collect()));
    }
    let content = value.get("content")?;
    let first = content.get(0).unwrap_or(content);
    let said = first.get("text").and_then(Value::as_str)?.to_owned();
    question
        .is_none_or(|question| matches!(question, Question::Model { .. }))
        .then_some(Given::Said(said))
}

impl Shared {
    /// Returns the answers that came with a request of the newest revision.
    ///
    /// # Errors
    /// When the state in it is not the one that was handed out for this request.
    pub(super) fn answers(
        &self,
        of: &str,
        input: &Value,
        params: &Map<String, Value>,
    ) -> Result<Option<Answers>, RpcError> {
        let refuse = |why: &str| Err(RpcError::new(code::INVALID_PARAMS, why));
        let state = match params.get("requestState") {
            None => None,
            Some(Value::String(sealed)) => match self.seal.open(of, input, sealed) {
                Some(state) => Some(state),
                None => return refuse("`requestState` is not the one this request was given"),
            },
            Some(_) => return refuse("`requestState` is no text"),
        };
        let given = match params.get("inputResponses") {
            None => Vec::new(),
            Some(Value::Object(given)) => {
                let read =
                    |(key, value): (&String, &Value)| Some((key.clone(), read(None, value)?));
                given.iter().filter_map(read).take(MAX_QUESTIONS).collect()
            }
            Some(_) => return refuse("`inputResponses` is no object"),
        };
        // An empty text stands for questions without a state.
        let state = state.filter(|state| !state.is_empty());
        Ok((!given.is_empty() || state.is_some()).then_some(Answers { given, state }))
    }

    /// Returns the result that hands questions to a client of the newest revision.
    pub(super) fn handed(
        &self,
        of: &str,
        input: &Value,
        asks: &Asks,
        sent: Vec<(String, &'static str, Value)>,
    ) -> Value {
        let mut result = json!({ "resultType": "input_required" });
        if !sent.is_empty() {
            let each = |(key, method, params)| (key, json!({ "method": method, "params": params }));
            result["inputRequests"] = Value::Object(sent.into_iter().map(each).collect());
        }
        if let Some(state) = &asks.state {
            result["requestState"] = Value::from(self.seal.close(of, input, state));
        }
        result
    }

    /// Asks a client of an older revision, question by question.
    pub(super) async fn put_to(
        &self,
        talk: &Arc<Talk>,
        out: &Out,
        asks: Asks,
        sent: Vec<(String, &'static str, Value)>,
    ) -> Answers {
        let mut given = Vec::new();
        for (key, method, params) in sent {
            let answer = talk.ask(out, method, params, PATIENCE).await;
            let question =
                asks.questions.iter().find(|(of, ..)| *of == key).map(|(_, question, _)| question);
            // A client that fails to ask has not been answered: the tool is told so.
            let answer = answer.ok().and_then(|answer| read(question, &answer));
            given.push((key, answer.unwrap_or(Given::Cancelled)));
        }
        Answers { given, state: asks.state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_fit_its_question_is_none() {
        let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
        let form = Question::Person { message: String::new(), schema };
        let accept = |content: Value| json!({ "action": "accept", "content": content });
        assert_eq!(
            read(Some(&form), &accept(json!({ "n": 1 }))),
            Some(Given::Filled(json!({ "n": 1 })))
        );
        for wrong in [
            accept(json!({ "n": "1" })),
            accept(json!([])),
            json!({ "action": "perhaps" }),
            json!({ "roots": [] }),
            json!({ "role": "assistant", "content": { "type": "text", "text": "yes" } }),
            json!(5),
            json!({}),
        ] {
            assert_eq!(read(Some(&form), &wrong), None, "{wrong}");
        }
        assert_eq!(read(Some(&Question::Roots), &accept(json!({}))), None);
    }

    #[test]
    fn a_question_is_asked_only_of_whom_the_operator_and_the_client_name() {
        let ask = |question: Question, optional| Asks {
            asker: "plugin `x`\u{1b}".to_owned(),
            questions: vec![("k".to_owned(), question, optional)],
            state: None,
        };
        let form = || Question::Person {
            message: "name?".to_owned(),
            schema: json!({ "type": "object", "properties": { "n": { "type": "string" } } }),
        };
        let all = MayAsk { person: true, model: true, roots: true };
        let view = |capabilities| View { modern: true, capabilities, level: None, token: None };
        let able = view(json!({ "elicitation": {}, "sampling": {}, "roots": {} }));
        let sent = askable(&ask(form(), false), &able, all).unwrap();
        assert_eq!(sent[0].2["message"], "plugin `x`\u{fffd} asks: name?");
        let model = || Question::Model { prompt: "p".to_owned(), max_tokens: 1 };
        let refused = askable(&ask(model(), false), &able, MayAsk::default());
        assert_eq!(refused, Err(CallError::MayNotAsk { whom: "model" }));
        let refused = askable(&ask(form(), false), &view(json!({})), all);
        assert_eq!(refused, Err(CallError::MissingCapability { capability: "elicitation" }));
        let both = Asks {
            questions: vec![("f".to_owned(), form(), true), ("m".to_owned(), model(), true)],
            ..ask(form(), true)
        };
        let sent = askable(&both, &view(json!({ "sampling": {} })), all).unwrap();
        assert_eq!(sent.iter().map(|(key, ..)| key.as_str()).collect::<Vec<_>>(), ["m"]);
    }
}
