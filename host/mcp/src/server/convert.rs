//! From the types of the registry to the objects of the protocol. Everything a tool says is cut to size
//! here, and nothing in it can steer what shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
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
/// What a part takes beside the texts in it.
const PART_BYTES: usize = 64;

/// How much an answer may still hold.
struct Room {
    left: usize,
    most: usize,
    is_said: bool,
}

impl Room {
    fn new(most: usize) -> Self {
        Self { left: most, most, is_said: false }
    }

    /// Takes room for so many bytes, when there is as much.
    fn take(&mut self, size: usize) -> Option<()> {
        self.left = self.left.checked_sub(size)?;
        Some(())
    }

    /// Returns a part as it is sent; once there is no room at all, that is said, and then nothing more.
    fn part(&mut self, one: Part) -> Option<Value> {
        if self.left > 0 {
            let made = part(one, self);
            self.left = self.left.saturating_sub(PART_BYTES);
            return Some(made);
        }
        let text = format!("[what follows was left out: an answer holds {} bytes]", self.most);
        let said = std::mem::replace(&mut self.is_said, true);
        (!said).then(|| json!({ "type": "text", "text": text }))
    }
}

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
    let mut room = Room::new(most);
    let structured = answer.structured.map(|mut value| {
        neutral(&mut value);
        value
    });
    let content: Vec<Value> = answer.parts.into_iter().filter_map(|one| room.part(one)).collect();
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
    let mut room = Room::new(most);
    let messages = filled.messages.into_iter().filter_map(|(speaker, said)| {
        let role = match speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        room.part(said).map(|said| json!({ "role": role, "content": said }))
    });
    let mut sent =
        json!({ "messages": messages.collect::<Vec<_>>(), "_meta": { UNTRUSTED: true } });
    put(&mut sent, "description", filled.description.as_deref().map(described).map(Value::from));
    sent
}

/// Returns the contents of a resource. What is left out has a text with the reason in its place.
pub(super) fn contents(parts: Vec<Part>, most: usize) -> Value {
    let mut room = Room::new(most);
    let contents = parts.into_iter().filter_map(|one| {
        let (Part::TextDocument { uri, .. } | Part::BytesDocument { uri, .. }) = &one else {
            return None;
        };
        let uri = text::brief(uri, MAX_NAME);
        let mut said = room.part(one)?;
        match said.get_mut("resource") {
            Some(resource) => Some(resource.take()),
            None => Some(json!({ "uri": uri, "mimeType": "text/plain", "text": said["text"] })),
        }
    });
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

fn part(part: Part, room: &mut Room) -> Value {
    let cut = |said: &str, room: &mut Room| take(&text::lines(said), &mut room.left);
    match part {
        Part::Text(said) => json!({ "type": "text", "text": cut(&said, room) }),
        Part::Image { data, mime_type } => bytes("image", &data, &mime_type, room),
        Part::Audio { data, mime_type } => bytes("audio", &data, &mime_type, room),
        Part::TextDocument { uri, mime_type, text: said } => {
            if room.take(uri.len()).is_none() {
                return left_out("document", TOO_LARGE);
            }
            let mut resource = json!({ "uri": text::plain(&uri), "text": cut(&said, room) });
            put(&mut resource, "mimeType", named(mime_type.as_deref()));
            json!({ "type": "resource", "resource": resource })
        }
        Part::BytesDocument { uri, mime_type, data } => {
            if let Err(why) = fitting(&data, uri.len(), room) {
                return left_out("document", why);
            }
            let mut resource = json!({ "uri": text::plain(&uri), "blob": data });
            put(&mut resource, "mimeType", named(mime_type.as_deref()));
            json!({ "type": "resource", "resource": resource })
        }
        Part::Link { uri, name, description, mime_type } => {
            let mut link = json!({ "type": "resource_link", "uri": text::plain(&uri) });
            link["name"] = Value::from(text::brief(&name, MAX_NAME));
            put(&mut link, "description", description.as_deref().map(described).map(Value::from));
            put(&mut link, "mimeType", named(mime_type.as_deref()));
            let texts = link.as_object().into_iter().flat_map(serde_json::Map::values);
            let size = texts.filter_map(Value::as_str).map(str::len).sum();
            room.take(size).map_or_else(|| left_out("link", TOO_LARGE), |()| link)
        }
    }
}

fn bytes(kind: &str, data: &str, mime_type: &str, room: &mut Room) -> Value {
    match fitting(data, 0, room) {
        Ok(()) => {
            json!({ "type": kind, "data": data, "mimeType": text::brief(mime_type, MAX_NAME) })
        }
        Err(why) => left_out(kind, why),
    }
}

/// Why something was left out.
const TOO_LARGE: &str = "it is larger than an answer may be";

/// Takes room for bytes and for so much beside them: half a picture is none, and what is no base64 is
/// something else than it says.
fn fitting(data: &str, beside: usize, room: &mut Room) -> Result<(), &'static str> {
    if data.len().saturating_add(beside) > room.left {
        return Err(TOO_LARGE);
    }
    BASE64.decode(data).map_err(|_| "its data is no base64")?;
    room.take(data.len() + beside).ok_or(TOO_LARGE)
}

fn left_out(what: &str, why: &str) -> Value {
    json!({ "type": "text", "text": format!("[the {what} was left out: {why}]") })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn link(length: usize) -> Part {
        let uri = format!("https://example.com/{}", "a".repeat(length));
        Part::Link { uri, name: "n".to_owned(), description: None, mime_type: None }
    }

    fn image(data: &str) -> Part {
        Part::Image { data: data.to_owned(), mime_type: "image/png".to_owned() }
    }

    fn sent(parts: Vec<Part>, most: usize) -> Vec<Value> {
        let sent = answer(Answer { parts, ..Answer::default() }, most);
        sent["content"].as_array().cloned().unwrap_or_default()
    }

    #[test]
    fn links_and_many_small_parts_take_room_as_text_does() {
        let kinds = |parts: Vec<Part>, most: usize| {
            let kind = |one: &Value| one["type"].as_str().unwrap_or_default().to_owned();
            sent(parts, most).iter().map(kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(vec![link(100), link(100)], 1000), ["resource_link"; 2]);
        assert_eq!(kinds(vec![link(100), link(1000)], 1000), ["resource_link", "text"]);
        let flood = sent(vec![Part::Text(String::new()); 100_000], 640);
        assert_eq!(flood.len(), 11);
        let last = "[what follows was left out: an answer holds 640 bytes]";
        assert_eq!(flood[10], json!({ "type": "text", "text": last }));
    }

    #[test]
    fn a_document_that_is_left_out_of_a_resource_says_why() {
        let document = |data: &str| {
            let (uri, mime_type) = ("x://d".to_owned(), None);
            vec![Part::BytesDocument { uri, mime_type, data: data.to_owned() }]
        };
        let read = |data: &str, most: usize| contents(document(data), most)["contents"].take();
        assert_eq!(read("AAEC", 1000), json!([{ "uri": "x://d", "blob": "AAEC" }]), "the twin");
        for (data, most, why) in
            [("<svg>", 1000, "its data is no base64"), (&*"A".repeat(2000), 1000, TOO_LARGE)]
        {
            let text = format!("[the document was left out: {why}]");
            let expected = json!([{ "uri": "x://d", "mimeType": "text/plain", "text": text }]);
            assert_eq!(read(data, most), expected);
        }
    }

    #[test]
    fn what_is_no_base64_is_sent_as_no_picture() {
        let said = |data: &str| sent(vec![image(data)], 1000).remove(0);
        assert_eq!(said("AAEC")["type"], "image");
        for data in ["<svg onload=x>", "AAE", "AAEC\n", "AA==AA==", "data:;base64,AAEC"] {
            let expected = json!({
                "type": "text", "text": "[the image was left out: its data is no base64]",
            });
            assert_eq!(said(data), expected, "{data}");
        }
    }
}
