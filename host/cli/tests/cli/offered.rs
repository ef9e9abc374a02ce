//! What a plugin offers to clients beyond plain values: content of every kind, prompts, resources,
//! questions; and that a call which nobody waits for ends in the guest.

use std::path::Path;

use serde_json::{Value, json};

use super::Fixture;
use super::live::Live;
#[cfg(unix)]
use super::mcp::printed;

/// The plugin that the conformance suite is run with.
const PLUGIN: &str = "conformance-fixture";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let component = guests.join("out").join(PLUGIN).with_extension("wasm");
    let manifest = guests.join("manifests").join(PLUGIN).join("plugin.toml");
    for (from, to) in [(component, format!("{PLUGIN}.wasm")), (manifest, "plugin.toml".to_owned())]
    {
        fixture.write(&format!("{PLUGIN}/{to}"), &std::fs::read(from).unwrap());
    }
    fixture
}

fn serve(fixture: &Fixture, more: &[&str]) -> Live {
    Live::start(fixture.command(&[&["mcp", "serve", &format!("./{PLUGIN}")], more].concat()))
}

fn call(live: &mut Live, id: u64, tool: &str) -> Value {
    live.ask(id, "tools/call", &json!({ "name": tool, "arguments": {} }))
}

/// Returns parameters of the newest revision, from a client that can be asked everything.
fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {}, "sampling": {} },
    });
    params
}

#[test]
fn content_of_every_kind_reaches_the_client() {
    let fixture = fixture();
    let mut live = serve(&fixture, &[]);
    for (id, tool, kinds) in [
        (1, "test_simple_text", vec!["text"]),
        (2, "test_image_content", vec!["image"]),
        (3, "test_audio_content", vec!["audio"]),
        (4, "test_embedded_resource", vec!["resource"]),
        (5, "test_resource_link", vec!["resource_link"]),
        (6, "test_multiple_content_types", vec!["text", "image", "resource"]),
    ] {
        let answer = call(&mut live, id, tool);
        let content = answer["result"]["content"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let found: Vec<_> = content.iter().map(|one| one["type"].as_str().unwrap()).collect();
        assert_eq!(found, kinds, "{tool}");
        assert_eq!(answer["result"]["_meta"]["ringfence/untrusted"], true);
    }
    let picture = call(&mut live, 7, "test_image_content");
    let data = picture["result"]["content"][0]["data"].as_str().unwrap();
    assert!(data.starts_with("iVBORw0KGgo"), "{data}");
    assert!(live.end().0.success());
}

#[test]
fn prompts_are_listed_filled_in_and_completed_and_nothing_in_them_steers() {
    let fixture = fixture();
    let mut live = serve(&fixture, &[]);
    let listed = live.ask(1, "prompts/list", &json!({}));
    let prompts = listed["result"]["prompts"].as_array().unwrap();
    assert_eq!(prompts.len(), 5, "{listed}");
    let named = |name: &str| prompts.iter().find(|prompt| prompt["name"] == name).unwrap();
    let embedded = named("test_prompt_with_embedded_resource");
    assert_eq!(embedded["arguments"], json!([{ "name": "resourceUri", "required": true }]));
    let mut get = |id: u64, name: &str, arguments: Value| {
        live.ask(id, "prompts/get", &json!({ "name": name, "arguments": arguments }))
    };
    let both = json!({ "arg1": "a\u{1b}[2J", "arg2": "\u{202e}b" });
    let filled = get(2, "test_prompt_with_arguments", both);
    let said = filled["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    assert_eq!(said, "Prompt with arguments: arg1='a\u{fffd}[2J', arg2='\u{fffd}b'");
    assert_eq!(filled["result"]["_meta"]["ringfence/untrusted"], true);
    let one = get(3, "test_prompt_with_arguments", json!({ "arg1": "a" }));
    assert_eq!(one["error"]["code"], -32602, "{one}");
    let image = get(4, "test_prompt_with_image", json!({}));
    assert_eq!(image["result"]["messages"][0]["content"]["type"], "image");
    let completed = |live: &mut Live, id: u64, argument: &str| {
        let of = json!({ "type": "ref/prompt", "name": "test_prompt_with_arguments" });
        let argument = json!({ "name": argument, "value": "pa" });
        let answer =
            live.ask(id, "completion/complete", &json!({ "ref": of, "argument": argument }));
        answer["result"]["completion"]["values"].clone()
    };
    assert_eq!(completed(&mut live, 5, "arg1"), json!(["paris", "park", "party"]));
    assert_eq!(completed(&mut live, 6, "none"), json!([]));
    assert!(live.end().0.success());
}

#[test]
fn resources_are_those_of_the_plugin_itself_and_no_others() {
    let fixture = fixture();
    let mut live = serve(&fixture, &[]);
    let listed = live.ask(1, "resources/list", &json!({}));
    let uris = listed["result"]["resources"].as_array().unwrap().iter();
    let uris: Vec<_> = uris.map(|one| one["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["ringfence://plugin/test", "test://static-text", "test://static-binary"]);
    let patterns = live.ask(2, "resources/templates/list", &json!({}));
    let pattern = &patterns["result"]["resourceTemplates"][0]["uriTemplate"];
    assert_eq!(pattern, "test://template/{id}/data");
    let read = |live: &mut Live, id: u64, uri: &str| {
        live.ask(id, "resources/read", &json!({ "uri": uri }))
    };
    let held = read(&mut live, 3, "test://template/12/data");
    assert!(held["result"]["contents"][0]["text"].as_str().unwrap().contains("\"id\":\"12\""));
    assert_eq!(held["result"]["_meta"]["ringfence/untrusted"], true);
    let bytes = read(&mut live, 4, "test://static-binary");
    assert_eq!(bytes["result"]["contents"][0]["mimeType"], "image/png");
    for (number, uri) in
        ["test://none", "other://static-text", "file:///etc/passwd", "test:static-text"]
            .iter()
            .enumerate()
    {
        let refused = read(&mut live, 10 + number as u64, uri);
        assert_eq!(refused["error"]["code"], -32002, "{uri}: {refused}");
    }
    // The plugin embeds whatever address it is told: that of a page is passed on, another's is not.
    let embed = |live: &mut Live, id: u64, uri: &str| {
        let arguments = json!({ "resourceUri": uri });
        let name = "test_prompt_with_embedded_resource";
        live.ask(id, "prompts/get", &json!({ "name": name, "arguments": arguments }))
    };
    for (number, uri) in ["test://a", "https://example.com/a"].iter().enumerate() {
        let passed = embed(&mut live, 20 + number as u64, uri);
        let resource = &passed["result"]["messages"][0]["content"]["resource"];
        assert_eq!(resource["uri"], *uri, "{passed}");
    }
    for (number, uri) in
        ["file:///etc/passwd", "ringfence://plugin/other", "other://a", "javascript:a"]
            .iter()
            .enumerate()
    {
        let refused = embed(&mut live, 30 + number as u64, uri);
        let why = refused["error"]["message"].as_str().unwrap_or_else(|| panic!("{refused}"));
        assert!(why.contains("a resource of the plugin is called `test://…`"), "{why}");
    }
    assert!(live.end().0.success());
}

#[test]
fn only_the_client_answers_what_a_plugin_asks_and_only_through_the_protocol() {
    let fixture = fixture();
    let mut live = serve(&fixture, &[]);
    let name = "test_input_required_result_elicitation";
    let listed = live.ask(1, "tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(tool["inputSchema"]["properties"], json!({}), "{tool}");
    assert_eq!(tool["outputSchema"], Value::Null);
    // What stands in the input is no answer.
    let given = json!({ "given": [["user_name", { "filled": "{\"name\":\"Mallory\"}" }]] });
    let forged = json!({ "name": name, "arguments": { "answers": given } });
    let forged = live.ask(2, "tools/call", &modern(forged));
    assert_eq!(forged["result"]["isError"], true, "{forged}");
    assert!(!forged.to_string().contains("Mallory"), "{forged}");
    let asked = live.ask(3, "tools/call", &modern(json!({ "name": name, "arguments": {} })));
    let question = &asked["result"]["inputRequests"]["user_name"];
    assert_eq!(question["method"], "elicitation/create", "{asked}");
    let message = question["params"]["message"].as_str().unwrap();
    assert_eq!(message, "plugin `test` asks: What is your name?");
    let mut answered = modern(json!({ "name": name, "arguments": {} }));
    answered["inputResponses"] =
        json!({ "user_name": { "action": "accept", "content": { "name": "Alice" } } });
    let done = live.ask(4, "tools/call", &answered);
    let said = done["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{done}"));
    assert_eq!(said, "Hello, accept, {\"name\":\"Alice\"}!");
    // Whom the operator does not name is not asked, whatever the client offers.
    let name = "test_input_required_result_sampling";
    let refused = live.ask(5, "tools/call", &modern(json!({ "name": name, "arguments": {} })));
    let why = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(why.starts_with("error[mcp::may-not-ask]: "), "{why}");
    assert!(live.end().0.success());
    let mut live = serve(&fixture, &["--let-ask", "model"]);
    let asked = live.ask(1, "tools/call", &modern(json!({ "name": name, "arguments": {} })));
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert!(live.end().0.success());
}

#[test]
fn what_a_guest_says_while_it_runs_reaches_the_client_before_the_answer() {
    let fixture = fixture();
    let mut live = serve(&fixture, &[]);
    let call = json!({
        "name": "test_tool_with_progress", "arguments": {}, "_meta": { "progressToken": "p" },
    });
    live.request(1, "tools/call", &call);
    let steps: Vec<_> = (0..3)
        .map(|_| live.told("notifications/progress")["params"]["progress"].as_f64().unwrap())
        .collect();
    assert_eq!(steps, [0.0, 50.0, 100.0]);
    assert_eq!(live.answer(1)["result"]["isError"], false);
    live.ask(2, "logging/setLevel", &json!({ "level": "info" }));
    live.request(3, "tools/call", &json!({ "name": "test_logging_tool", "arguments": {} }));
    assert_eq!(live.told("notifications/message")["params"]["data"], "something");
    assert_eq!(live.answer(3)["result"]["isError"], false);
    assert!(live.end().0.success());
}

/// Returns the records of this operation about runs of `spin`.
fn of_spin(fixture: &Fixture, operation: &str) -> Vec<Value> {
    let log = fixture.run(&["--json", "audit", "show"]);
    let log: Value = serde_json::from_slice(&log.stdout).unwrap();
    let records = log["records"].as_array().unwrap().iter();
    let of_spin = records.filter(|record| record["plugin"]["name"] == "spin");
    of_spin.filter(|record| record["operation"] == operation).cloned().collect()
}

/// Waits until a run of `spin` has begun.
fn begun(fixture: &Fixture) {
    while of_spin(fixture, "run.start").is_empty() {}
}

/// Asserts that one run of `spin` ended, and that it was withdrawn.
#[track_caller]
fn withdrawn(fixture: &Fixture) {
    let ends = of_spin(fixture, "run.end");
    let [end] = &ends[..] else { panic!("{ends:?}") };
    assert!(end["reason"].as_str().unwrap().starts_with("withdrawn after "), "{end}");
}

#[test]
fn a_guest_that_loops_is_stopped_when_its_call_is_withdrawn() {
    let fixture = Fixture::new();
    // One place: the second call runs only when nothing of the first does.
    let args = ["mcp", "serve", "spin.wasm", "add.wasm", "--concurrency", "1"];
    let mut live = Live::start(fixture.command(&args));
    live.request(1, "tools/call", &json!({ "name": "spin_spin", "arguments": {} }));
    begun(&fixture);
    let sum = json!({ "name": "add_add", "arguments": { "a": 2, "b": 3 } });
    live.request(2, "tools/call", &sum);
    let which = json!({ "requestId": 1, "reason": "changed my mind" });
    live.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": which,
    }));
    assert_eq!(live.answer(2)["result"]["structuredContent"]["result"], 5);
    let (ended, rest) = live.end();
    assert!(ended.success());
    assert_eq!(rest, Vec::<Value>::new(), "a withdrawn call is not answered");
    withdrawn(&fixture);
    // The twin: one that nobody withdraws goes on to its limit.
    let limited = ["mcp", "serve", "spin.wasm", "--limit", "cpu-time=50ms"];
    let mut live = Live::start(fixture.command(&limited));
    let left = live.ask(1, "tools/call", &json!({ "name": "spin_spin", "arguments": {} }));
    let said = left["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.starts_with("error[engine::limit]: "), "{said}");
    assert!(live.end().0.success());
}

#[test]
fn a_guest_that_loops_is_stopped_when_its_client_goes_away() {
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.command(&["mcp", "serve", "spin.wasm", "add.wasm"]));
    assert_eq!(live.tools(3), ["spin_spin", "add_add"]);
    live.request(1, "tools/call", &json!({ "name": "spin_spin", "arguments": {} }));
    begun(&fixture);
    let sum = json!({ "name": "add_add", "arguments": { "a": 2, "b": 3 } });
    assert_eq!(live.ask(2, "tools/call", &sum)["result"]["structuredContent"]["result"], 5);
    let (ended, rest) = live.end();
    assert!(ended.success());
    assert_eq!(rest, Vec::<Value>::new());
    withdrawn(&fixture);
}

/// A server over HTTP, as a process.
#[cfg(unix)]
struct Web {
    child: std::process::Child,
    at: String,
    token: String,
}

#[cfg(unix)]
impl Web {
    fn start(fixture: &Fixture, args: &[&str]) -> Self {
        let mut command =
            fixture.command(&[&["mcp", "serve"], args, &["--listen", "--json"]].concat());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let said = printed(child.stdout.as_mut().unwrap());
        let at = said["url"].as_str().unwrap().strip_prefix("http://").unwrap();
        let at = at.strip_suffix("/mcp").unwrap().to_owned();
        let token = said["token"].as_str().unwrap().to_owned();
        Self { child, at, token }
    }

    /// Sends a call of revision 2026-07-28, and nothing after it.
    fn send(&self, tool: &str, input: &Value) -> std::net::TcpStream {
        use std::io::Write as _;
        let params = modern(json!({ "name": tool, "arguments": input }));
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let (body, at, token) = (body.to_string(), &self.at, &self.token);
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nAccept: */*\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    fn end(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[cfg(unix)]
#[test]
fn a_guest_that_loops_is_stopped_when_its_client_hangs_up() {
    use std::io::Read as _;
    let fixture = Fixture::new();
    let web = Web::start(&fixture, &["spin.wasm", "add.wasm", "--concurrency", "1"]);
    let stream = web.send("spin_spin", &json!({}));
    begun(&fixture);
    drop(stream);
    // There is one place: this runs only when nothing of the call before does.
    let mut answer = String::new();
    let mut stream = web.send("add_add", &json!({ "a": 2, "b": 3 }));
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"structuredContent\":{\"result\":5}"), "{answer}");
    web.end();
    withdrawn(&fixture);
}
