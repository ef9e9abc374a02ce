//! From the types of the registry to the objects of the protocol. Everything a tool says is cut to size
//! here, and nothing in it can steer what shows it.

use ringfence_capability::{Diagnostic, text};
use serde_json::{Value, json};

use crate::message::{RpcError, code};
use crate::{Answer, CallError, Document, Part, PromptAnswer, PromptInfo, Speaker, Template, Tool};

/// The key under which an answer says that it comes from a tool and is to be read as data.
const UNTRUSTED: &str = "ringfence/untrusted";
/// The most characters of a description.
const MAX_DESCRIPTION: usize = 4_000;
/// The most characters of a name or a title.
const MAX_NAME: usize = 200;

/// Returns a tool as it is listed.
pub(super) fn tool(tool: &Tool) -> Value {
    let mut listed = json!({
        "name": tool.name,
        "description": described(&tool.description),
        "inputSchema": tool.input,
        "annotations": {
            "readOnlyHint": tool.hints.read_only,
            "destructiveHint": tool.hints.destructive,
            "idempotentHint": tool.hints.idempotent,
            "openWorldHint": tool.hints.open_world,
        },
    });
    put(&mut listed, "title", named(tool.title.as_deref()));
    put(&mut listed, "outputSchema", tool.output.clone());
    listed
}

/// Returns a resource as it is listed.
pub(super) fn document(document: &Document) -> Value {
    let mut listed = json!({ "uri": document.uri, "name": text::brief(&document.name, MAX_NAME) });
    put(&mut listed, "title", named(document.title.as_deref()));
    put(
        &mut listed,
        "description",
        document.description.as_deref().map(described).map(Value::from),
    );
    put(&mut listed, "mimeType", named(document.mime_type.as_deref()));
    listed
}

/// Returns a pattern of resources as it is listed.
pub(super) fn template(template: &Template) -> Value {
    let name = text::brief(&template.name, MAX_NAME);
    let mut listed = json!({ "uriTemplate": template.uri_template, "name": name });
    put(&mut listed, "title", named(template.title.as_deref()));
    put(
        &mut listed,
        "description",
        template.description.as_deref().map(described).map(Value::from),
    );
    put(&mut listed, "mimeType", named(template.mime_type.as_deref()));
    listed
}

/// Returns a prompt as it is listed.
pub(super) fn prompt(prompt: &PromptInfo) -> Value {
    let arguments = prompt.arguments.iter().map(|argument| {
        let mut listed = json!({ "name": argument.name, "required": argument.required });
        put(
            &mut listed,
            "description",
            argument.description.as_deref().map(described).map(Value::from),
        );
        listed
    });
    let mut listed = json!({ "name": prompt.name, "arguments": arguments.collect::<Vec<_>>() });
    put(&mut listed, "title", named(prompt.title.as_deref()));
    put(&mut listed, "description", prompt.description.as_deref().map(described).map(Value::from));
    listed
}

/// Returns an answer as it is sent.
pub(super) fn answer(answer: Answer, most: usize) -> Value {
    let mut left = most;
    let structured = answer.structured.map(|mut value| {
        neutral(&mut value);
        value
    });
    let content: Vec<Value> = answer.parts.into_iter().map(|one| part(one, &mut left)).collect();
    let mut sent =
        json!({ "content": content, "isError": answer.failed, "_meta": { UNTRUSTED: true } });
    put(&mut sent, "structuredContent", structured);
    sent
}

/// Returns an error of a call as the model reads it: what was refused, and the way out.
pub(super) fn failure(error: &CallError, most: usize) -> Value {
    let mut said = format!("error[{}]: {error}", error.code());
    if let Some(hint) = error.hint() {
        said = format!("{said}\nhint: {hint}");
    }
    answer(Answer::failure(said), most)
}

/// Returns a prompt that was filled in.
pub(super) fn prompt_answer(filled: PromptAnswer, most: usize) -> Value {
    let mut left = most;
    let messages = filled.messages.into_iter().map(|(speaker, said)| {
        let role = match speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        json!({ "role": role, "content": part(said, &mut left) })
    });
    let mut sent =
        json!({ "messages": messages.collect::<Vec<_>>(), "_meta": { UNTRUSTED: true } });
    put(&mut sent, "description", filled.description.as_deref().map(described).map(Value::from));
    sent
}

/// Returns the contents of a resource.
pub(super) fn contents(parts: Vec<Part>, most: usize) -> Value {
    let mut left = most;
    let contents = parts
        .into_iter()
        .filter_map(|one| part(one, &mut left).get_mut("resource").map(Value::take));
    json!({ "contents": contents.collect::<Vec<_>>(), "_meta": { UNTRUSTED: true } })
}

/// Returns an error about the request itself.
pub(super) fn refusal(error: &CallError, modern: bool) -> RpcError {
    let code = match error {
        CallError::NoResource { .. } if !modern => code::NO_RESOURCE,
        CallError::MissingCapability { .. } => code::MISSING_CAPABILITY,
        CallError::Busy => code::BUSY,
        CallError::UnknownTool { .. }
        | CallError::NoResource { .. }
        | CallError::NoPrompt { .. }
        | CallError::MayNotAsk { .. }
        | CallError::Input { .. } => code::INVALID_PARAMS,
        _ => code::INTERNAL,
    };
    let mut data = json!({});
    put(&mut data, "hint", error.hint().map(Value::from));
    match error {
        CallError::NoResource { uri } => data["uri"] = Value::from(text::brief(uri, 1_000)),
        CallError::MissingCapability { capability } => {
            data["requiredCapabilities"] = json!({ *capability: {} });
        }
        _ => {}
    }
    RpcError::new(code, text::brief(&error.to_string(), MAX_DESCRIPTION)).with(data)
}

fn part(part: Part, left: &mut usize) -> Value {
    let text = |said: &str, left: &mut usize| take(&text::lines(said), left);
    match part {
        Part::Text(said) => json!({ "type": "text", "text": text(&said, left) }),
        Part::Image { data, mime_type } => bytes("image", data, &mime_type, left),
        Part::Audio { data, mime_type } => bytes("audio", data, &mime_type, left),
        Part::TextDocument { uri, mime_type, text: said } => {
            let mut resource = json!({ "uri": ringfence_capability::text::plain(&uri), "text": text(&said, left) });
            put(&mut resource, "mimeType", named(mime_type.as_deref()));
            json!({ "type": "resource", "resource": resource })
        }
        Part::BytesDocument { uri, mime_type, data } => {
            let Some(data) = fitting(data, left) else { return left_out("document") };
            let mut resource =
                json!({ "uri": ringfence_capability::text::plain(&uri), "blob": data });
            put(&mut resource, "mimeType", named(mime_type.as_deref()));
            json!({ "type": "resource", "resource": resource })
        }
        Part::Link { uri, name, description, mime_type } => {
            let mut link = json!({ "type": "resource_link", "uri": text::plain(&uri) });
            link["name"] = Value::from(text::brief(&name, MAX_NAME));
            put(&mut link, "description", description.as_deref().map(described).map(Value::from));
            put(&mut link, "mimeType", named(mime_type.as_deref()));
            link
        }
    }
}

fn bytes(kind: &str, data: String, mime_type: &str, left: &mut usize) -> Value {
    match fitting(data, left) {
        Some(data) => {
            json!({ "type": kind, "data": data, "mimeType": text::brief(mime_type, MAX_NAME) })
        }
        None => left_out(kind),
    }
}

/// Returns bytes when there is room for all of them: half a picture is none.
fn fitting(data: String, left: &mut usize) -> Option<String> {
    *left = left.checked_sub(data.len())?;
    Some(data)
}

fn left_out(what: &str) -> Value {
    json!({ "type": "text", "text": format!("[a {what} was left out: it is larger than an answer may be]") })
}

/// Sets `key` where there is a value.
pub(super) fn put(to: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        to[key] = value;
    }
}

fn named(name: Option<&str>) -> Option<Value> {
    name.map(|name| Value::from(text::brief(name, MAX_NAME)))
}

fn described(said: &str) -> String {
    cut(&text::lines(said), MAX_DESCRIPTION)
}

/// Makes every text in `value` fit to be shown.
fn neutral(value: &mut Value) {
    match value {
        Value::String(said) if said.chars().any(text::hides) => *said = text::lines(said),
        Value::Array(items) => items.iter_mut().for_each(neutral),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.chars().any(text::hides)) {
                let old = std::mem::take(fields);
                *fields = old.into_iter().map(|(key, value)| (text::plain(&key), value)).collect();
            }
            fields.values_mut().for_each(neutral);
        }
        _ => {}
    }
}

/// Returns as much of `said` as there is room for, and says what was left out.
fn take(said: &str, left: &mut usize) -> String {
    let mut end = said.len().min(*left);
    while !said.is_char_boundary(end) {
        end -= 1;
    }
    *left -= end;
    match said.len() - end {
        0 => said.to_owned(),
        more => format!("{}\n[{more} more bytes were left out]", &said[..end]),
    }
}

/// Returns the first `most` characters of `said`.
pub(super) fn cut(said: &str, most: usize) -> String {
    match said.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said.to_owned(),
    }
}
