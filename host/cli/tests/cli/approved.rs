//! Native programs of plugins that are offered to a client: the person at the client is asked, and only
//! they can say yes.

use std::path::Path;

use serde_json::{Value, json};

use super::live::Live;
use super::{Fixture, text};

impl Live {
    /// Answers the next question of the server with this, and returns the question.
    fn reply(&mut self, result: &Value) -> Value {
        let question = self.told("elicitation/create");
        self.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }));
        question
    }
}

const NOTE: &str = "what stands in the note";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let component = guests.join("out").join("exec-tool").with_extension("wasm");
    let manifest = guests.join("manifests/exec-tool/plugin.toml");
    fixture.write("native/exec-tool.wasm", &std::fs::read(component).unwrap());
    fixture.write("native/plugin.toml", &std::fs::read(manifest).unwrap());
    fixture.write("note.txt", NOTE.as_bytes());
    fixture
}

fn serve(fixture: &Fixture, capabilities: &Value, more: &[&str]) -> Live {
    let args = [&["mcp", "serve", "./native", "-p", "read-only"], more].concat();
    Live::able(fixture.command(&args), capabilities)
}

fn params() -> Value {
    json!({ "name": "native_run", "arguments": { "argv": ["cat", "note.txt"] } })
}

/// Returns parameters of the newest revision, from a client that can be asked.
fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
    });
    params
}

fn yes() -> Value {
    json!({ "action": "accept", "content": { "approval": "approve-once" } })
}

fn said(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn ran(answer: &Value) -> bool {
    let ran = said(answer) == NOTE;
    assert!(ran || !answer.to_string().contains(NOTE), "{answer}");
    ran
}

fn log(fixture: &Fixture) -> String {
    text(&fixture.run(&["audit", "show", "--json", "-n", "200"]).stdout)
}

#[test]
fn the_person_at_the_client_is_asked_about_exactly_what_would_run() {
    let fixture = fixture();
    let mut live = serve(&fixture, &json!({ "elicitation": {} }), &[]);
    for id in [1, 2] {
        live.request(id, "tools/call", &params());
        let question = live.reply(&yes());
        let message = question["params"]["message"].as_str().unwrap();
        for part in
            ["plugin native", "runs        cat note.txt", "/cat\n      sha256:", "network absent"]
        {
            assert!(message.contains(part), "`{part}` is not in {message}");
        }
        let field = &question["params"]["requestedSchema"]["properties"]["approval"];
        assert_eq!(field["enum"], json!(["deny", "approve-once"]));
        assert_eq!(field["default"], "deny");
        assert!(ran(&live.answer(id)), "a yes holds once: the next call asks again");
    }
    assert!(live.end().0.success());
    let log = log(&fixture);
    assert_eq!(log.matches("\"elicitation\"").count(), 2, "{log}");
}

#[test]
fn whatever_is_not_the_one_yes_is_a_no() {
    let fixture = fixture();
    let mut live = serve(&fixture, &json!({ "elicitation": {} }), &[]);
    for (id, answer) in (1..).zip([
        json!({ "action": "accept", "content": { "approval": "deny" } }),
        json!({ "action": "accept", "content": { "approval": true } }),
        json!({ "action": "accept", "content": { "approval": "approve-once", "always": true } }),
        json!({ "action": "accept", "content": {} }),
        json!({ "action": "decline" }),
        json!({ "action": "cancel", "content": { "approval": "approve-once" } }),
        json!({ "approval": "approve-once" }),
        json!("approve-once"),
    ]) {
        live.request(id, "tools/call", &params());
        live.reply(&answer);
        let end = live.answer(id);
        assert!(!ran(&end) && said(&end) == "denied: a person said no", "{answer}: {end}");
    }
    // An error in place of an answer, and one to a question nobody put.
    live.request(90, "tools/call", &params());
    let question = live.told("elicitation/create");
    let id = question["id"].as_i64().unwrap();
    live.send(&json!({ "jsonrpc": "2.0", "id": id + 1, "result": yes() }));
    live.send(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -1, "message": "no" } }));
    assert!(!ran(&live.answer(90)));
    assert!(live.end().0.success());
}

#[test]
fn a_client_of_the_newest_revision_answers_with_the_call_it_repeats() {
    let fixture = fixture();
    let mut live = serve(&fixture, &json!({}), &[]);
    let asked = live.ask(1, "tools/call", &modern(params()));
    let question = &asked["result"]["inputRequests"]["approval"];
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().contains("cat note.txt"));
    let state = asked["result"]["requestState"].as_str().unwrap().to_owned();
    let with = |mut params: Value, state: &str, answer: &Value| {
        params["requestState"] = Value::from(state);
        params["inputResponses"] = json!({ "approval": answer });
        modern(params)
    };
    // The state holds for its own call alone.
    let mut other = params();
    other["arguments"]["argv"] = json!(["cat", "other.txt"]);
    let refused = live.ask(2, "tools/call", &with(other, &state, &yes()));
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let forged = live.ask(3, "tools/call", &with(params(), &format!("{state}x"), &yes()));
    assert_eq!(forged["error"]["code"], -32602, "{forged}");
    let done = live.ask(4, "tools/call", &with(params(), &state, &yes()));
    assert!(ran(&done), "the twin: {done}");
    // And once.
    let again = live.ask(5, "tools/call", &with(params(), &state, &yes()));
    assert_eq!(again["error"]["code"], -32602, "{again}");
    for (id, answer) in [
        (20, json!({ "action": "accept", "content": { "approval": "deny" } })),
        (30, json!({ "action": "decline" })),
        (40, Value::Null),
    ] {
        let asked = live.ask(id, "tools/call", &modern(params()));
        let state = asked["result"]["requestState"].as_str().unwrap_or_else(|| panic!("{asked}"));
        let end = live.ask(id + 1, "tools/call", &with(params(), state, &answer));
        assert!(!ran(&end) && said(&end) == "denied: a person said no", "{answer}: {end}");
    }
    assert!(live.end().0.success());
}

#[test]
fn a_model_cannot_answer_for_the_person() {
    let fixture = fixture();
    let mut live = serve(&fixture, &json!({ "elicitation": {} }), &["--approver", "client"]);
    // What a model writes is the input of a tool; the rest is what a client would have to add unasked.
    let mut tried = vec![params(), modern(params())];
    for params in &mut tried {
        params["arguments"]["approval"] = Value::from("approve-once");
    }
    let mut unasked = modern(params());
    unasked["inputResponses"] = json!({ "approval": yes() });
    let mut meta = params();
    meta["_meta"] = json!({ "ringfence/approve": "exec:cat", "approval": "approve-once" });
    for (id, params) in (1..).zip(tried) {
        let refused = live.ask(id, "tools/call", &params);
        assert!(said(&refused).starts_with("error[mcp::input]: "), "{refused}");
    }
    let asked = live.ask(10, "tools/call", &unasked);
    assert_eq!(asked["result"]["resultType"], "input_required", "an answer to nothing is none");
    let state = asked["result"]["requestState"].clone();
    live.request(11, "tools/call", &meta);
    live.reply(&json!({ "action": "decline" }));
    assert!(!ran(&live.answer(11)));
    // Whoever calls anew has let the first question go.
    unasked["requestState"] = state;
    let late = live.ask(12, "tools/call", &unasked);
    assert_eq!(late["error"]["code"], -32602, "{late}");
    assert!(live.end().0.success());
}

#[test]
fn whoever_cannot_be_asked_is_told_the_command_that_approves() {
    let fixture = fixture();
    let form = json!({ "elicitation": {} });
    for (capabilities, approver) in [
        (json!({}), "client"),
        (json!({ "elicitation": { "url": {} } }), "client"),
        (form.clone(), "none"),
    ] {
        let mut live = serve(&fixture, &capabilities, &["--approver", approver]);
        let end = live.ask(1, "tools/call", &params());
        let why = said(&end);
        assert!(!ran(&end) && why.contains("with `ringfence approvals approve "), "{why}");
        let (_, rest) = live.end();
        assert!(rest.iter().all(|message| message["method"] != "elicitation/create"), "{rest:?}");
    }
    // The twin: the same client is asked when it may be.
    let mut live = serve(&fixture, &form, &["--approver", "client"]);
    live.request(1, "tools/call", &params());
    live.reply(&yes());
    assert!(ran(&live.answer(1)));
    // A client that goes away has not said yes.
    live.request(2, "tools/call", &params());
    live.told("elicitation/create");
    let (ended, rest) = live.end();
    assert!(ended.success() && !Value::from(rest).to_string().contains(NOTE));
    let log = log(&fixture);
    assert_eq!(log.matches("\"once\"").count(), 1, "{log}");
}
