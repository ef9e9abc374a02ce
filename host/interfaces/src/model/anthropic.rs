//! `/v1/messages`, as Anthropic defined it.

use serde_json::{Value, json};

use super::wire::{
    Answer, Malformed, arguments, count, parsed, picture, plain, schema, text, told, unusable,
};
use crate::agent::wit::model::{Error, Event, Finish, Offer, Request, Role, ToolChoice};
use crate::agent::wit::types::Part;

/// The version of the interface that is asked for.
pub(super) const VERSION: &str = "2023-06-01";

/// Returns the body of a request.
pub(super) fn chat(
    request: &Request,
    model: &str,
    most_tokens: u32,
    stream: bool,
) -> Result<Value, Error> {
    let (system, messages) = turns(&request.events)?;
    let mut body = json!({ "model": model, "max_tokens": most_tokens, "messages": messages });
    if !system.is_empty() {
        body["system"] = system.into();
    }
    if let Some(heat) = request.temperature {
        // From 0 to 1 here.
        body["temperature"] = json!((f64::from(heat.min(1.0)) * 100.0).round() / 100.0);
    }
    if stream {
        body["stream"] = true.into();
    }
    if !request.tools.is_empty() {
        let offer = |tool: &Offer| {
            let (name, description) = (&tool.name, &tool.description);
            Ok(json!({ "name": name, "description": description, "input_schema": schema(tool)? }))
        };
        body["tools"] = request.tools.iter().map(offer).collect::<Result<_, Error>>()?;
        body["tool_choice"] = match &request.choice {
            ToolChoice::Auto => json!({ "type": "auto" }),
            ToolChoice::None => json!({ "type": "none" }),
            ToolChoice::Required => json!({ "type": "any" }),
            ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
        };
    }
    Ok(body)
}

/// Returns what the author of the agent says, and the turns of the others, who alternate.
fn turns(events: &[Event]) -> Result<(String, Vec<Value>), Error> {
    let mut system = Vec::new();
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut say = |role, blocks: Vec<Value>| match turns.last_mut() {
        Some((last, said)) if *last == role => said.extend(blocks),
        _ => turns.push((role, blocks)),
    };
    for event in events {
        match event {
            Event::Message((Role::System, parts)) => {
                let words = plain(parts);
                system.push(words.ok_or_else(|| unusable("what the system says is text"))?);
            }
            Event::Message((Role::User, parts)) => say("user", blocks(parts)?),
            Event::Message((Role::Assistant, parts)) => say("assistant", blocks(parts)?),
            Event::AssistantToolUse(uses) => {
                let block = |one: &crate::agent::wit::model::ToolUse| {
                    let input = parsed(&one.arguments);
                    json!({ "type": "tool_use", "id": one.id, "name": one.name, "input": input })
                };
                say("assistant", uses.iter().map(block).collect());
            }
            Event::ToolResults(outcomes) => {
                let block = |one: &crate::agent::wit::model::ToolOutcome| {
                    let (id, content) = (&one.id, told(&one.content));
                    json!({
                        "type": "tool_result", "tool_use_id": id, "content": content,
                        "is_error": one.is_error,
                    })
                };
                say("user", outcomes.iter().map(block).collect());
            }
        }
    }
    let turns = turns.into_iter();
    let messages = turns.map(|(role, content)| json!({ "role": role, "content": content }));
    Ok((system.join("\n\n"), messages.collect()))
}

fn blocks(parts: &[Part]) -> Result<Vec<Value>, Error> {
    let block = |part| match picture(part)? {
        Some((kind, data)) => {
            let source = json!({ "type": "base64", "media_type": kind, "data": data });
            Ok(json!({ "type": "image", "source": source }))
        }
        None => Ok(json!({ "type": "text", "text": told(std::slice::from_ref(part)) })),
    };
    parts.iter().map(block).collect()
}

fn finish(reason: Option<&Value>) -> Option<Finish> {
    Some(match reason?.as_str()? {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolUse,
        "refusal" => Finish::Filtered,
        _ => Finish::Other,
    })
}

/// Takes in a block of the answer, or the beginning of one.
fn take(answer: &mut Answer, index: u64, block: &Value) -> Result<(), Malformed> {
    match text(block.get("type"), "the kind of a block")? {
        Some("text") => {
            answer.text.push_str(text(block.get("text"), "the text of the answer")?.unwrap_or(""));
        }
        Some("tool_use") => {
            let one = answer.use_at(index)?;
            one.id.push_str(text(block.get("id"), "the id of a tool call")?.unwrap_or(""));
            one.name.push_str(text(block.get("name"), "the name of a tool")?.unwrap_or(""));
            // An empty object at the beginning of a stream: what is in it follows.
            if block.get("input").is_some_and(|input| *input != json!({})) {
                one.arguments.push_str(&arguments(block.get("input"))?);
            }
        }
        // What the model thinks is not what it says.
        Some(_) => {}
        None => return Err(Malformed("the kind of a block")),
    }
    Ok(())
}

fn usage(answer: &mut Answer, usage: Option<&Value>) {
    if let Some(usage) = usage {
        let set = |cell: &mut Option<u64>, name| *cell = count(usage.get(name)).or(*cell);
        set(&mut answer.input_tokens, "input_tokens");
        set(&mut answer.output_tokens, "output_tokens");
    }
}

/// Reads a whole answer.
pub(super) fn whole(value: &Value) -> Result<Answer, Malformed> {
    let mut answer = Answer { ended: true, ..Answer::default() };
    let blocks = value.get("content").and_then(Value::as_array).ok_or(Malformed("the content"))?;
    for (index, block) in blocks.iter().enumerate() {
        take(&mut answer, index as u64, block)?;
    }
    answer.finish = finish(value.get("stop_reason"));
    usage(&mut answer, value.get("usage"));
    Ok(answer)
}

/// Takes in one event of a streamed answer.
pub(super) fn event(answer: &mut Answer, data: &str) -> Result<(), Malformed> {
    let value: Value = serde_json::from_str(data).map_err(|_| Malformed("an event"))?;
    let index = count(value.get("index")).unwrap_or(0);
    match text(value.get("type"), "the kind of an event")? {
        Some("message_start") => {
            usage(answer, value.get("message").and_then(|message| message.get("usage")));
        }
        Some("content_block_start") => {
            take(answer, index, value.get("content_block").ok_or(Malformed("a block"))?)?;
        }
        Some("content_block_delta") => {
            let delta = value.get("delta").ok_or(Malformed("the change of a block"))?;
            match text(delta.get("type"), "the kind of a change")? {
                Some("text_delta") => {
                    let more = text(delta.get("text"), "the text of the answer")?;
                    answer.text.push_str(more.unwrap_or(""));
                }
                Some("input_json_delta") => {
                    let more = text(delta.get("partial_json"), "the arguments of a tool call")?;
                    answer.use_at(index)?.arguments.push_str(more.unwrap_or(""));
                }
                _ => {}
            }
        }
        Some("message_delta") => {
            let reason = value.get("delta").and_then(|delta| delta.get("stop_reason"));
            answer.finish = finish(reason).or(answer.finish);
            usage(answer, value.get("usage"));
        }
        Some("message_stop") => (answer.ended, answer.over) = (true, true),
        Some("error") => answer.failed = true,
        Some(_) => {}
        None => return Err(Malformed("the kind of an event")),
    }
    Ok(())
}
