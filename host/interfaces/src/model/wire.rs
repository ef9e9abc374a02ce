//! What the wire formats have in common: reading tolerantly what servers send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::agent::wit::model::{self, Error, Finish, Request, Response, ToolUse, Usage};
use crate::agent::wit::types::Part;

/// One piece of a streamed answer, or the whole of one.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) uses: Vec<Partial>,
    pub(super) finish: Option<Finish>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    /// Whether the server said that this is all of what the model wrote; counts may follow.
    pub(super) ended: bool,
    /// Whether the server said that nothing follows.
    pub(super) over: bool,
    /// Whether the server broke off with an error of its own.
    pub(super) failed: bool,
}

/// A tool the model wants called, as far as it has arrived.
#[derive(Debug, Default, Clone)]
pub(super) struct Partial {
    pub(super) index: u64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// What was sent is not of the form it should be. Says where, never what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The most tools one answer may want called.
const MOST_USES: usize = 128;

impl Answer {
    /// Returns the tool use at this place of the answer, which may have begun already.
    pub(super) fn use_at(&mut self, index: u64) -> Result<&mut Partial, Malformed> {
        self.use_of(index, None)
    }

    /// Returns the tool use at this place and of this id. Some servers give every use of an answer the
    /// same place: another id is another use.
    pub(super) fn use_of(
        &mut self,
        index: u64,
        id: Option<&str>,
    ) -> Result<&mut Partial, Malformed> {
        let same = |one: &Partial| {
            one.index == index && id.is_none_or(|id| one.id.is_empty() || one.id == id)
        };
        let place = match self.uses.iter().rposition(same) {
            Some(place) => place,
            None if self.uses.len() == MOST_USES => return Err(Malformed("tool calls")),
            None => {
                self.uses.push(Partial { index, ..Partial::default() });
                self.uses.len() - 1
            }
        };
        self.uses.get_mut(place).ok_or(Malformed("tool calls"))
    }

    /// Returns how many bytes of it there are.
    pub(super) fn size(&self) -> usize {
        let of_use = |one: &Partial| one.id.len() + one.name.len() + one.arguments.len();
        self.text.len() + self.uses.iter().map(of_use).sum::<usize>()
    }

    /// Returns it as the guest gets it. A server that does not count is counted for: a token is taken
    /// for three bytes, so that a budget is spent sooner rather than later.
    pub(super) fn response(self, asked_bytes: usize) -> Result<Response, Malformed> {
        let guess = |bytes: usize| (bytes as u64).div_ceil(3);
        let usage = Usage {
            input_tokens: self.input_tokens.unwrap_or_else(|| guess(asked_bytes)),
            output_tokens: self.output_tokens.unwrap_or_else(|| guess(self.size())),
        };
        let mut uses = Vec::new();
        for (number, one) in self.uses.into_iter().enumerate() {
            if one.name.is_empty() {
                return Err(Malformed("a tool call without a name"));
            }
            let id = if one.id.is_empty() { format!("call-{}", number + 1) } else { one.id };
            let arguments =
                if one.arguments.trim().is_empty() { "{}".into() } else { one.arguments };
            uses.push(ToolUse { id, name: one.name, arguments });
        }
        let finish = match self.finish {
            // Some servers say `stop` although they want tools called.
            Some(Finish::Stop) | None if !uses.is_empty() => Finish::ToolUse,
            Some(finish) => finish,
            None => Finish::Other,
        };
        let parts = if self.text.is_empty() { Vec::new() } else { vec![Part::Text(self.text)] };
        Ok(Response { parts, tool_uses: uses, finish, usage })
    }
}

/// Returns the error for a request that no server could answer.
pub(super) fn unusable(why: impl Into<String>) -> Error {
    Error::Provider(why.into())
}

/// Checks what does not depend on the server.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    if request.events.is_empty() {
        return Err(unusable("the conversation is empty"));
    }
    if request.temperature.is_some_and(|heat| !(0.0..=2.0).contains(&heat)) {
        return Err(unusable("the temperature is a number from 0 to 2"));
    }
    if let model::ToolChoice::Named(name) = &request.choice
        && !request.tools.iter().any(|tool| tool.name == *name)
    {
        return Err(unusable("the tool that must be called is not among those offered"));
    }
    if matches!(request.choice, model::ToolChoice::Required) && request.tools.is_empty() {
        return Err(unusable("a tool must be called, and none is offered"));
    }
    Ok(())
}

/// Returns the schema of a tool offered to a model.
pub(super) fn schema(offer: &model::Offer) -> Result<Value, Error> {
    let schema = serde_json::from_str::<Value>(&offer.input_schema).ok();
    schema
        .filter(Value::is_object)
        .ok_or_else(|| unusable("the schema of an offered tool is not a JSON object"))
}

/// Returns the text of these parts; nothing when something else is among them.
pub(super) fn plain(parts: &[Part]) -> Option<String> {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) | Part::Json(text) => Some(text.as_str()),
        Part::Blob(_) => None,
    });
    texts.collect::<Option<Vec<_>>>().map(|texts| texts.join("\n\n"))
}

/// Returns text in place of parts that cannot be sent, where only text can be.
pub(super) fn told(parts: &[Part]) -> String {
    let told = |part: &Part| match part {
        Part::Text(text) | Part::Json(text) => text.clone(),
        Part::Blob(blob) => format!("({} bytes of {})", blob.data.len(), blob.mime_type),
    };
    parts.iter().map(told).collect::<Vec<_>>().join("\n\n")
}

/// Returns the bytes of a picture as base64; an error for what is none.
pub(super) fn picture(part: &Part) -> Result<Option<(String, String)>, Error> {
    let Part::Blob(blob) = part else { return Ok(None) };
    let kind = blob.mime_type.as_str();
    if !matches!(kind, "image/png" | "image/jpeg" | "image/gif" | "image/webp") {
        return Err(unusable("a model is sent text, JSON and pictures (png, jpeg, gif, webp)"));
    }
    Ok(Some((kind.to_owned(), STANDARD.encode(&blob.data))))
}

/// Returns a number wherever a server put one, as a number or as text.
pub(super) fn count(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns text; nothing for `null` and what is not there.
pub(super) fn text<'v>(
    value: Option<&'v Value>,
    place: &'static str,
) -> Result<Option<&'v str>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed(place)),
    }
}

/// Returns arguments as text: some servers send them as a value.
pub(super) fn arguments(value: Option<&Value>) -> Result<String, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ Value::Object(_)) => Ok(value.to_string()),
        Some(_) => Err(Malformed("the arguments of a tool call")),
    }
}

/// Returns the arguments of an earlier call as a value.
pub(super) fn parsed(arguments: &str) -> Value {
    let value = serde_json::from_str::<Value>(arguments).ok().filter(Value::is_object);
    value.unwrap_or_else(|| json!({ "unreadable": arguments }))
}
