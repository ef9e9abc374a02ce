//! `/v1/chat/completions` and `/v1/embeddings`, as `OpenAI` defined them and many servers speak them.

use serde_json::{Value, json};

use super::TokensField;
use super::wire::{Answer, Malformed, arguments, count, picture, plain, schema, text, told};
use crate::agent::wit::model::{Error, Event, Finish, Request, Role, ToolChoice, ToolUse};
use crate::agent::wit::types::Part;

/// Returns the body of a request.
pub(super) fn chat(
    request: &Request,
    model: &str,
    most_tokens: u32,
    field: TokensField,
    stream: bool,
) -> Result<Value, Error> {
    let mut body = json!({ "model": model, "messages": messages(&request.events)? });
    let field = match field {
        TokensField::MaxTokens => "max_tokens",
        TokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    body[field] = most_tokens.into();
    if let Some(heat) = request.temperature {
        // Two digits are enough, and 0.1 stays 0.1.
        body["temperature"] = json!((f64::from(heat) * 100.0).round() / 100.0);
    }
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
    }
    if !request.tools.is_empty() {
        let offer = |offer| {
            let tool: &crate::agent::wit::model::Offer = offer;
            Ok(json!({ "type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": schema(tool)?,
            } }))
        };
        body["tools"] = request.tools.iter().map(offer).collect::<Result<_, Error>>()?;
        body["tool_choice"] = match &request.choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Required => json!("required"),
            ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
        };
    }
    Ok(body)
}

fn messages(events: &[Event]) -> Result<Vec<Value>, Error> {
    let mut messages: Vec<Value> = Vec::new();
    for event in events {
        match event {
            Event::Message((role, parts)) => {
                let role = match role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                messages.push(json!({ "role": role, "content": content(parts)? }));
            }
            Event::AssistantToolUse(uses) => {
                let calls: Vec<_> = uses.iter().map(call).collect();
                // What the model said before it wanted tools belongs to the same turn.
                match messages.last_mut() {
                    Some(last) if last["role"] == "assistant" && last["tool_calls"].is_null() => {
                        last["tool_calls"] = calls.into();
                    }
                    _ => messages
                        .push(json!({ "role": "assistant", "content": null, "tool_calls": calls })),
                }
            }
            Event::ToolResults(outcomes) => messages.extend(outcomes.iter().map(|outcome| {
                let failed = if outcome.is_error { "error: " } else { "" };
                let content = format!("{failed}{}", told(&outcome.content));
                json!({ "role": "tool", "tool_call_id": outcome.id, "content": content })
            })),
        }
    }
    Ok(messages)
}

fn content(parts: &[Part]) -> Result<Value, Error> {
    if let Some(text) = plain(parts) {
        return Ok(text.into());
    }
    let each = parts.iter().map(|part| match picture(part)? {
        Some((kind, data)) => {
            let url = format!("data:{kind};base64,{data}");
            Ok(json!({ "type": "image_url", "image_url": { "url": url } }))
        }
        None => Ok(json!({ "type": "text", "text": told(std::slice::from_ref(part)) })),
    });
    each.collect()
}

fn call(of: &ToolUse) -> Value {
    let function = json!({ "name": of.name, "arguments": of.arguments });
    json!({ "id": of.id, "type": "function", "function": function })
}

fn finish(reason: Option<&Value>) -> Option<Finish> {
    Some(match reason?.as_str()? {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolUse,
        "content_filter" => Finish::Filtered,
        _ => Finish::Other,
    })
}

/// Takes in what one message, or the change of one, says.
fn take(answer: &mut Answer, message: &Value) -> Result<(), Malformed> {
    match message.get("content") {
        Some(Value::Array(parts)) => {
            for part in parts {
                answer.text.push_str(text(part.get("text"), "a part of the answer")?.unwrap_or(""));
            }
        }
        other => answer.text.push_str(text(other, "the text of the answer")?.unwrap_or("")),
    }
    let calls = match message.get("tool_calls") {
        None | Some(Value::Null) => return Ok(()),
        Some(calls) => calls.as_array().ok_or(Malformed("tool calls"))?,
    };
    for (place, call) in calls.iter().enumerate() {
        let function = call.get("function").ok_or(Malformed("a tool call"))?;
        let id = text(call.get("id"), "the id of a tool call")?.filter(|id| !id.is_empty());
        let one = answer.use_of(count(call.get("index")).unwrap_or(place as u64), id)?;
        if let Some(id) = id {
            id.clone_into(&mut one.id);
        }
        let name = text(function.get("name"), "the name of a tool")?.unwrap_or("");
        // Some servers say the whole name again with every piece of the arguments.
        if one.name != name {
            one.name.push_str(name);
        }
        one.arguments.push_str(&arguments(function.get("arguments"))?);
    }
    Ok(())
}

fn usage(answer: &mut Answer, value: &Value) {
    if let Some(usage) = value.get("usage") {
        let set = |cell: &mut Option<u64>, name| *cell = count(usage.get(name)).or(*cell);
        set(&mut answer.input_tokens, "prompt_tokens");
        set(&mut answer.output_tokens, "completion_tokens");
    }
}

/// Reads a whole answer.
pub(super) fn whole(value: &Value) -> Result<Answer, Malformed> {
    let mut answer = Answer { ended: true, ..Answer::default() };
    let choice = value.get("choices").and_then(|choices| choices.get(0));
    let choice = choice.ok_or(Malformed("the choices"))?;
    let message = choice.get("message").filter(|message| message.is_object());
    take(&mut answer, message.ok_or(Malformed("the message"))?)?;
    answer.finish = finish(choice.get("finish_reason"));
    usage(&mut answer, value);
    Ok(answer)
}

/// Takes in one event of a streamed answer.
pub(super) fn event(answer: &mut Answer, data: &str) -> Result<(), Malformed> {
    if data == "[DONE]" {
        (answer.ended, answer.over) = (true, true);
        return Ok(());
    }
    let value: Value = serde_json::from_str(data).map_err(|_| Malformed("an event"))?;
    if value.get("error").is_some_and(|error| !error.is_null()) {
        answer.failed = true;
        return Ok(());
    }
    usage(answer, &value);
    let Some(choice) = value.get("choices").and_then(|choices| choices.get(0)) else {
        return Ok(());
    };
    if let Some(delta) = choice.get("delta").filter(|delta| !delta.is_null()) {
        take(answer, delta)?;
    }
    if let Some(reason) = finish(choice.get("finish_reason")) {
        answer.finish = Some(reason);
        // The last events, with what was used, may follow or not.
        answer.ended = true;
    }
    Ok(())
}

/// Returns the body of a request for embeddings.
pub(super) fn embed(model: &str, texts: &[String]) -> Value {
    json!({ "model": model, "input": texts, "encoding_format": "float" })
}

/// Reads one vector for each of `texts`, in their order.
pub(super) fn vectors(value: &Value, texts: usize) -> Result<(Vec<Vec<f32>>, u64), Malformed> {
    let data = value.get("data").and_then(Value::as_array).ok_or(Malformed("the vectors"))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (place, one) in data.iter().enumerate() {
        let index = count(one.get("index")).map_or(Ok(place), usize::try_from);
        let cell = index.ok().and_then(|index| vectors.get_mut(index));
        let cell = cell.ok_or(Malformed("the place of a vector"))?;
        let numbers = one.get("embedding").and_then(Value::as_array);
        let numbers = numbers.ok_or(Malformed("a vector"))?.iter().map(|number| {
            #[expect(clippy::cast_possible_truncation, reason = "vectors are single precision")]
            number.as_f64().map(|number| number as f32).filter(|number| number.is_finite())
        });
        *cell = Some(numbers.collect::<Option<_>>().ok_or(Malformed("a number of a vector"))?);
    }
    let vectors = vectors.into_iter().collect::<Option<Vec<_>>>();
    let vectors = vectors.ok_or(Malformed("the number of vectors"))?;
    let width = vectors.first().map_or(0, Vec::len);
    if width == 0 || vectors.iter().any(|vector| vector.len() != width) {
        return Err(Malformed("the length of a vector"));
    }
    let read = value.get("usage").and_then(|usage| count(usage.get("prompt_tokens")));
    Ok((vectors, read.unwrap_or(0)))
}
