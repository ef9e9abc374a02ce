//! `mcp serve`, spoken to as a client does: lines in, lines out.

use super::Fixture;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" },
    } })
}

fn request(id: u64, method: &str, params: Value) -> Value {
    let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
    message["params"] = params;
    message
}

/// Sends these messages, then the end of the input; returns what came back by id.
fn talk(fixture: &Fixture, args: &[&str], messages: &[Value]) -> Vec<Value> {
    let mut command = fixture.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line is a message")).collect();
    answers.sort_by_key(|answer| answer["id"].as_u64());
    answers
}

#[test]
fn a_client_gets_messages_alone_and_every_answer_before_the_end() {
    let fixture = Fixture::new();
    let call = json!({ "name": "add_add", "arguments": { "a": 2, "b": 3 } });
    let wrong = json!({ "name": "add_add", "arguments": { "a": "2", "b": 3 } });
    let trap = json!({ "name": "trap_trap", "arguments": {} });
    let answers = talk(
        &fixture,
        &["mcp", "serve", "add.wasm", "trap.wasm"],
        &[
            initialize(),
            request(1, "tools/list", json!({})),
            request(2, "tools/call", call),
            request(3, "tools/call", wrong),
            request(4, "tools/call", trap),
            request(5, "resources/read", json!({ "uri": "ringfence://plugin/add" })),
        ],
    );
    assert_eq!(answers.len(), 6, "{answers:?}");
    let listed = answers[1]["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = listed.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add_add", "trap_trap"]);
    assert_eq!(listed[0]["annotations"]["readOnlyHint"], true);
    assert_eq!(answers[2]["result"]["structuredContent"], json!({ "result": 5 }));
    let said = |answer: &Value| answer["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(said(&answers[3]).starts_with("error[mcp::input]: "), "{}", answers[3]);
    assert!(said(&answers[4]).starts_with("error[engine::trap]: "), "{}", answers[4]);
    let page = answers[5]["result"]["contents"][0]["text"].as_str().unwrap();
    assert!(page.contains("## Granted"), "{page}");
}

#[test]
fn no_request_grants_approves_or_widens() {
    let fixture = Fixture::new();
    let tried = [
        "approvals/approve",
        "approvals/answer",
        "policy/set",
        "grants/add",
        "profile/set",
        "trust/add",
        "roots/set",
        "sampling/createMessage",
        "elicitation/create",
        "exec/run",
        "initialize/profile",
    ];
    let mut messages = vec![initialize(), request(1, "tools/list", json!({}))];
    for (number, method) in tried.iter().enumerate() {
        messages.push(request(10 + number as u64, method, json!({ "capability": "fs.write:/" })));
    }
    for (number, name) in
        ["approve", "ringfence_approve", "grant", "run", "exec"].iter().enumerate()
    {
        let call = json!({ "name": name, "arguments": {} });
        messages.push(request(50 + number as u64, "tools/call", call));
    }
    // What a call says beside its input changes nothing either.
    messages.push(request(
        90,
        "tools/call",
        json!({
            "name": "add_add", "arguments": { "a": 1, "b": 1, "profile": "trusted" },
        }),
    ));
    messages.push(request(91, "tools/call", json!({
        "name": "add_add", "arguments": { "a": 1, "b": 1 }, "profile": "trusted", "approve": ["fs.write:/"],
        "_meta": { "ringfence/profile": "trusted", "ringfence/approve": "fs.write:/" },
    })));
    messages.push(request(92, "resources/read", json!({ "uri": "ringfence://plugin/add" })));
    let answers = talk(&fixture, &["mcp", "serve", "add.wasm"], &messages);
    let of = |id: u64| answers.iter().find(|answer| answer["id"] == id).unwrap();
    let listed = of(1)["result"]["tools"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    for (number, method) in tried.iter().enumerate() {
        assert_eq!(of(10 + number as u64)["error"]["code"], -32601, "{method}");
    }
    for number in 50..55 {
        assert_eq!(of(number)["error"]["code"], -32602);
    }
    assert_eq!(of(90)["result"]["isError"], true);
    assert_eq!(of(91)["result"]["structuredContent"]["result"], 2);
    let page = of(92)["result"]["contents"][0]["text"].as_str().unwrap();
    assert!(!page.contains("fs.write"), "{page}");
}

#[test]
fn a_plugin_without_functions_is_refused_before_anything_is_said() {
    let fixture = Fixture::new();
    let output = fixture.command(&["mcp", "serve", "missing.wasm"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}
