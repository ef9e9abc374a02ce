//! What an outside server asks a person.
//!
//! An answer is data for the server and nothing else: it grants, approves and widens nothing.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_capability::text;
use serde_json::{Map, Value, json};

use crate::{Given, Question, schema};

/// The most characters of a question.
const MAX_MESSAGE: usize = 2_000;

/// One question of a server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Asked {
    /// What it asks, safe to show.
    pub message: String,
    /// What the answer must look like: an object of plain values.
    pub schema: Value,
}

impl Asked {
    /// Returns this question.
    pub fn new(message: String, schema: Value) -> Self {
        Self { message, schema }
    }
}

/// Puts questions to a person.
pub trait Asking: Send + Sync {
    /// Returns what the person says. It is awaited within the time of the call.
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Given>;

    /// Tells whether there is somebody who can be asked; servers are told so.
    fn is_there(&self) -> bool {
        true
    }
}

/// Nobody: every question is declined.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct Nobody;

impl Asking for Nobody {
    fn ask(&self, _: Asked) -> BoxFuture<'_, Given> {
        async { Given::Declined }.boxed()
    }

    fn is_there(&self) -> bool {
        false
    }
}

impl dyn Asking + '_ {
    /// Puts the question in `params` and returns the answer as it is sent. What is no form, such as an
    /// address to be visited, is declined.
    pub(super) async fn put(&self, params: Map<String, Value>) -> Value {
        match read(&params) {
            Some(asked) => answered(&self.answer(asked).await),
            None => declined(),
        }
    }

    /// Puts a question to the person: a field that was left as it is has what the form showed in it, and
    /// an answer that does not fit the form is none.
    ///
    /// # Cancellation
    /// Dropping the future gives no answer.
    pub async fn answer(&self, asked: Asked) -> Given {
        let schema = asked.schema.clone();
        match self.ask(asked).await.with_defaults(&schema) {
            Given::Filled(content) if !schema::problems(&schema, &content).is_empty() => {
                Given::Declined
            }
            given => given,
        }
    }
}

impl Given {
    /// Returns the answer with what a form shows in the fields that were left as they are.
    fn with_defaults(self, schema: &Value) -> Self {
        let Self::Filled(Value::Object(mut content)) = self else { return self };
        for (name, field) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            if let Some(value) = field.get("default") {
                content.entry(name).or_insert_with(|| value.clone());
            }
        }
        Self::Filled(Value::Object(content))
    }
}

fn declined() -> Value {
    json!({ "action": "decline" })
}

/// Reads a question; nothing when it is no form.
fn read(params: &Map<String, Value>) -> Option<Asked> {
    if params.get("mode").is_some_and(|mode| mode != "form") {
        return None;
    }
    let message = params.get("message")?.as_str()?;
    let schema = params.get("requestedSchema")?;
    let fields = schema.get("properties")?.as_object()?;
    let plain =
        |field: &Value| !matches!(field.get("type").and_then(Value::as_str), Some("object"));
    let form = schema.get("type").and_then(Value::as_str) == Some("object");
    (form && fields.values().all(plain)).then(|| Asked {
        message: text::lines(message).chars().take(MAX_MESSAGE).collect(),
        schema: schema.clone(),
    })
}

/// Returns the question of the newest revision that `request` is; nothing when it is none.
pub(super) fn question(request: &Value) -> Option<Question> {
    if request.get("method").and_then(Value::as_str) != Some("elicitation/create") {
        return None;
    }
    let Asked { message, schema } = read(request.get("params")?.as_object()?)?;
    Some(Question::Person { message, schema })
}

/// Returns an answer as it is sent back in the newest revision.
pub(super) fn answered(given: &Given) -> Value {
    match given {
        Given::Filled(content) => json!({ "action": "accept", "content": content }),
        Given::Cancelled => json!({ "action": "cancel" }),
        Given::Declined | Given::Said(_) | Given::Roots(_) => declined(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Says(Value);

    impl Asking for Says {
        fn ask(&self, _: Asked) -> BoxFuture<'_, Given> {
            async { Given::Filled(self.0.clone()) }.boxed()
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_fit_the_form_is_none() {
        let schema = json!({ "type": "object", "required": ["n"], "properties": {
            "n": { "type": "integer" }, "a": { "type": "string", "default": "x" },
        } });
        let answer = async |said: Value| {
            let person: &dyn Asking = &Says(said);
            person.answer(Asked::new("how many?".to_owned(), schema.clone())).await
        };
        let fits = Given::Filled(json!({ "n": 1, "a": "x" }));
        assert_eq!(answer(json!({ "n": 1 })).await, fits);
        for wrong in [json!({ "n": "1" }), json!({}), json!([])] {
            assert_eq!(answer(wrong.clone()).await, Given::Declined, "{wrong}");
        }
    }

    #[test]
    fn a_field_that_was_left_alone_has_what_the_form_showed() {
        let schema = json!({ "properties": {
            "a": { "type": "string", "default": "x" }, "b": { "type": "integer", "default": 3 },
            "c": { "type": "string" },
        } });
        let filled = Given::Filled(json!({ "b": 5 })).with_defaults(&schema);
        assert_eq!(filled, Given::Filled(json!({ "a": "x", "b": 5 })));
        assert_eq!(Given::Declined.with_defaults(&schema), Given::Declined);
    }
}
