//! Calls: both schemas, progress, time, withdrawal, and what an answer may hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Client, Functions, call, modern};
use ringfence_mcp::ServerOptions;

fn said(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_call_answers_with_structure_and_text_marked_as_untrusted() {
    let mut client = Client::begun(&Functions::new()).await;
    let answer = client.ask(&call(1, "calc_add", json!({ "a": 2, "b": 3 }))).await;
    assert_eq!(answer["result"]["structuredContent"], json!({ "result": 5 }));
    assert_eq!(said(&answer), "{\"result\":5}");
    assert_eq!(answer["result"]["_meta"]["ringfence/untrusted"], true);
    let mut client = Client::new(&Functions::new(), ServerOptions::default());
    let params = json!({ "name": "calc_add", "arguments": { "a": 2, "b": 3 } });
    let answer = client.ask(&modern(1, "tools/call", params)).await;
    assert_eq!(answer["result"]["structuredContent"], json!({ "result": 5 }), "{answer}");
    assert_eq!(answer["result"]["resultType"], "complete");
}

#[tokio::test]
async fn input_that_does_not_fit_never_reaches_the_tool_and_the_answer_says_where() {
    let mut client = Client::begun(&Functions::new()).await;
    for (input, place) in [
        (json!({ "a": "2", "b": 3 }), "/a: "),
        (json!({ "a": 2 }), "`b` is missing"),
        (json!({ "a": 2, "b": 3, "c": 4 }), "/c: there is no such key"),
        (json!({ "a": 2.5, "b": 3 }), "/a: "),
    ] {
        let answer = client.ask(&call(1, "calc_add", input)).await;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(said(&answer).starts_with("error[mcp::input]: "), "{answer}");
        assert!(said(&answer).contains(place), "{answer}");
    }
}

#[tokio::test]
async fn output_that_does_not_fit_its_schema_is_not_passed_on() {
    let mut client = Client::begun(&Functions::new()).await;
    let answer = client.ask(&call(1, "say_lie", json!({}))).await;
    assert!(said(&answer).starts_with("error[mcp::output]: "), "{answer}");
    assert_eq!(answer["result"]["structuredContent"], Value::Null);
    assert!(!answer.to_string().contains("not a number\"}"), "{answer}");
}

#[tokio::test]
async fn nothing_in_an_answer_steers_what_shows_it() {
    let mut client = Client::begun(&Functions::new()).await;
    let answer = client.ask(&call(1, "say_hostile", json!({}))).await;
    assert_eq!(answer["result"]["structuredContent"]["result"], "a\u{fffd}[2J\u{fffd}b");
    let hides = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!said(&answer).chars().any(hides), "{answer}");
}

#[tokio::test]
async fn a_flood_of_text_is_cut_and_said_to_be() {
    let options = ServerOptions { answer_bytes: 1024 * 1024, ..ServerOptions::default() };
    let mut client = Client::new(&Functions::new(), options);
    client.begin().await;
    let answer = client.ask(&call(1, "say_much", json!({}))).await;
    let said = said(&answer);
    assert!(said.len() < 1024 * 1024 + 100, "{}", said.len());
    assert!(said.ends_with("[2097152 more bytes were left out]"));
}

#[tokio::test]
async fn a_tool_that_fails_says_so_without_structure() {
    let mut client = Client::begun(&Functions::new()).await;
    let answer = client.ask(&call(1, "say_no", json!({}))).await;
    assert_eq!((&answer["result"]["isError"], said(&answer)), (&json!(true), "no"));
}

#[tokio::test]
async fn a_tool_nobody_has_is_an_error_of_the_request() {
    let mut client = Client::begun(&Functions::new()).await;
    let answer = client.ask(&call(1, "rm_\u{1b}all", json!({}))).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(answer["error"]["message"], "there is no tool `rm_\u{fffd}all`");
}

#[tokio::test]
async fn progress_only_grows_and_arrives_before_the_answer() {
    let mut client = Client::begun(&Functions::new()).await;
    let mut with_token = call(1, "say_steps", json!({}));
    with_token["params"]["_meta"] = json!({ "progressToken": "p" });
    client.send(&with_token).await;
    let mut steps = Vec::new();
    let answer = loop {
        let message = client.next().await.unwrap();
        if message["method"] != "notifications/progress" {
            break message;
        }
        assert_eq!(message["params"]["message"], "going on\u{fffd}");
        steps.push(message["params"]["progress"].as_f64().unwrap());
    };
    assert_eq!(steps, [0.0, 50.0, 100.0]);
    assert_eq!(said(&answer), "done");
}

#[tokio::test]
async fn messages_are_sent_only_to_a_client_that_asked_for_them() {
    let mut client = Client::begun(&Functions::new()).await;
    assert_eq!(said(&client.ask(&call(1, "say_steps", json!({}))).await), "done");
    let set = |level| json!({ "jsonrpc": "2.0", "id": 2, "method": "logging/setLevel", "params": { "level": level } });
    client.ask(&set("error")).await;
    assert_eq!(said(&client.ask(&call(3, "say_steps", json!({}))).await), "done");
    client.ask(&set("warning")).await;
    let message = client.ask(&call(4, "say_steps", json!({}))).await;
    assert_eq!(message["params"], json!({ "level": "warning", "data": "odd\u{fffd}" }));
}

#[tokio::test]
async fn a_call_that_is_withdrawn_ends_in_the_tool_and_others_go_on() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    client.send(&call(1, "wait", json!({}))).await;
    functions.began.notified().await;
    let withdraw = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    client.send(&withdraw).await;
    functions.dropped.notified().await;
    assert_eq!(functions.withdrawn.load(Ordering::SeqCst), 1);
    // The number is free again, and no late answer stands in its place.
    let answer = client.ask(&call(1, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    assert_eq!(answer["result"]["structuredContent"]["result"], 2);
}

#[tokio::test]
async fn two_calls_run_at_the_same_time() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    client.send(&call(1, "wait", json!({}))).await;
    functions.began.notified().await;
    let answer = client.ask(&call(2, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    assert_eq!(answer["id"], 2);
    functions.go.notify_one();
    assert_eq!(client.next().await.unwrap()["id"], 1);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_ended_and_says_so() {
    let functions = Functions::new();
    let options =
        ServerOptions { call_time: Duration::from_millis(50), ..ServerOptions::default() };
    let mut client = Client::new(&functions, options);
    client.begin().await;
    let answer = client.ask(&call(1, "wait", json!({}))).await;
    assert!(
        said(&answer).starts_with("error[mcp::timed-out]: the call was not finished after 0.05 s"),
        "{answer}"
    );
    assert_eq!(functions.withdrawn.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_calls() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    client.send(&call(1, "wait", json!({}))).await;
    functions.began.notified().await;
    client.stop();
    client.server.await.unwrap();
    functions.dropped.notified().await;
    assert_eq!(functions.withdrawn.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_there_are_places() {
    let functions = Functions::new();
    let options = ServerOptions { concurrency: 1, ..ServerOptions::default() };
    let mut client = Client::new(&functions, options);
    client.begin().await;
    client.send(&call(1, "wait", json!({}))).await;
    functions.began.notified().await;
    client.send(&call(2, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    // Lists are no calls and need no place; what was sent before this has been looked at.
    let listed = client.ask(&json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" })).await;
    assert_eq!(listed["id"], 3);
    functions.go.notify_one();
    assert_eq!(client.next().await.unwrap()["id"], 1);
    assert_eq!(client.next().await.unwrap()["id"], 2);
    drop(Arc::clone(&functions));
}
