//! Streams as servers really send them: ended in several ways, and with tool calls in pieces.

use serde_json::Value;

use super::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// Returns a stream of these events whose connection stays open.
fn open(data: &[&str]) -> Reply {
    let lines: Vec<_> = data.iter().map(|data| format!("data: {data}\n\n")).collect();
    Reply::Open(format!("{HEAD}{}", lines.concat()))
}

const START: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"ready"}}"#;
const STOPPED: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
const SAID: &str = r#"{"choices":[{"delta":{"content":"ready"}}]}"#;
const FINISHED: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;

#[tokio::test]
async fn after_the_last_word_nothing_is_waited_for() {
    let stop = r#"{"type":"message_stop"}"#;
    for (api, data) in
        [(Api::OpenAi, [SAID, FINISHED, "[DONE]"]), (Api::Anthropic, [START, STOPPED, stop])]
    {
        // What follows would be taken for another answer, or waited for until it is too late.
        let more = [&data[..], &["{"]].concat();
        for reply in [open(&data), open(&more)] {
            let (got, tries) = check(vec![reply], |config| {
                (config.api, config.retries) = (api, 0);
                config.timeouts.between_bytes = Duration::from_mins(1);
            })
            .await;
            assert_eq!((got, tries), (Ok("ready".to_owned()), 1), "{api:?}");
        }
        // Without the last word the same connection is waited for: the test can fail.
        let (late, _) = check(vec![open(&data[..1])], |config| {
            (config.api, config.retries) = (api, 0);
            config.timeouts.between_bytes = Duration::from_millis(20);
        })
        .await;
        assert_eq!(late, Err(Error::Timeout), "{api:?}");
    }
}

#[tokio::test]
async fn a_reason_to_stop_ends_an_answer_of_one_wire_format_and_not_of_the_other() {
    // Many servers close after the reason, without the last word.
    let finished = check(vec![events(&[SAID, FINISHED])], |config| config.retries = 0).await;
    assert_eq!(finished.0, Ok("ready".to_owned()));
    let stopped = check(vec![events(&[START, STOPPED])], |config| {
        (config.api, config.retries) = (Api::Anthropic, 0);
    });
    assert_eq!(stopped.await.0, provider("it stopped in the middle of its answer"));
}

/// Returns the tools that a stream of these changes wants called: id, name and arguments of each.
async fn wanted(deltas: &[Value]) -> Vec<(String, String, String)> {
    let event = |delta| json!({ "choices": [{ "delta": { "tool_calls": [delta] } }] }).to_string();
    let mut lines: Vec<_> = deltas.iter().map(event).collect();
    lines.extend([FINISHED.to_owned(), "[DONE]".to_owned()]);
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let server = Server::start(vec![events(&lines)]).await;
    let got = set(config(&server), plenty()).ctx.chat(&hello()).await.unwrap();
    got.tool_uses.into_iter().map(|one| (one.id, one.name, one.arguments)).collect()
}

fn uses(of: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    of.iter().map(|one| (one.0.into(), one.1.into(), one.2.into())).collect()
}

#[tokio::test]
async fn a_name_that_is_said_again_is_said_once() {
    let deltas = [
        json!({ "index": 0, "id": "a", "function": { "name": "look", "arguments": "{\"x\"" } }),
        json!({ "index": 0, "id": "a", "function": { "name": "look", "arguments": ":1}" } }),
    ];
    assert_eq!(wanted(&deltas).await, uses(&[("a", "look", "{\"x\":1}")]));
}

#[tokio::test]
async fn another_id_at_the_same_place_is_another_call() {
    let deltas = [
        json!({ "index": 0, "id": "a", "function": { "name": "look", "arguments": "{\"x\":1}" } }),
        json!({ "index": 0, "id": "b", "function": { "name": "find", "arguments": "" } }),
        json!({ "index": 0, "function": { "arguments": "{}" } }),
        json!({ "index": 0, "id": "", "function": { "arguments": " " } }),
        json!({ "id": "c", "function": { "name": "look", "arguments": "{}" } }),
        json!({ "index": 0, "id": "a", "function": { "arguments": " " } }),
    ];
    let expected = [("a", "look", "{\"x\":1} "), ("b", "find", "{} "), ("c", "look", "{}")];
    assert_eq!(wanted(&deltas).await, uses(&expected));
}

#[tokio::test]
async fn a_heat_above_what_a_server_knows_is_the_most_it_knows() {
    for (api, heat) in [(Api::OpenAi, json!(1.7)), (Api::Anthropic, json!(1.0))] {
        let server = Server::start(vec![json_reply(&said("x"))]).await;
        let all = set(ModelConfig { api, ..config(&server) }, plenty());
        let _ = all.ctx.chat(&Request { temperature: Some(1.7), ..hello() }).await;
        assert_eq!(server.body()["temperature"], heat, "{api:?}");
    }
}
