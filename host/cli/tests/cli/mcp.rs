//! `mcp serve`, spoken to as a client does: lines in, lines out.

use super::Fixture;

use std::io::Write as _;
use std::process::{ChildStdout, Stdio};

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

/// Returns the first value of JSON that a program prints, while it goes on.
pub(super) fn printed(out: &mut ChildStdout) -> Value {
    let mut values = serde_json::Deserializer::from_reader(out).into_iter();
    values.next().expect("a value is printed").expect("it is JSON")
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

#[test]
fn http_listens_at_loopback_and_with_a_token_that_is_the_operators_alone() {
    let fixture = Fixture::new();
    let secret = "a-token-that-nobody-guesses";
    fixture.write("token", secret.as_bytes());
    fixture.write("short", b"short");
    let refused = |args: &[&str], why: &str| {
        let all = [&["mcp", "serve", "add.wasm"], args].concat();
        let output = fixture.run(&all);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
        assert!(!said.contains(secret), "{said}");
    };
    refused(&["--listen=0.0.0.0:0"], "would let other machines in");
    refused(&["--listen=192.0.2.1:0"], "would let other machines in");
    refused(&["--listen=0.0.0.0:0", "--allow-remote"], "--token-file");
    refused(&["--token-file", "token"], "--listen");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        refused(&["--listen", "--token-file", "token"], "others can read the token file");
        for name in ["token", "short"] {
            let alone = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(fixture.workspace().join(name), alone).unwrap();
        }
        refused(&["--listen", "--token-file", "short"], "holds no token");
        let any = ["--listen=0.0.0.0:0", "--allow-remote", "--token-file", "token"];
        refused(&any, "needs `--host-name NAME`");
    }
}

#[cfg(unix)]
#[test]
fn a_call_over_http_needs_the_token_that_was_printed() {
    use std::io::Read as _;
    let fixture = Fixture::new();
    let mut command = fixture.command(&["mcp", "serve", "add.wasm", "--listen", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let said = printed(child.stdout.as_mut().unwrap());
    let at = said["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let at = at.strip_suffix("/mcp").unwrap();
    let mut params = json!({ "name": "add_add", "arguments": { "a": 2, "b": 3 } });
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = request(1, "tools/call", params).to_string();
    let answer = |token: &str| {
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nAccept: */*\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: add_add\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let token = said["token"].as_str().unwrap();
    assert!(answer("wrong").starts_with("HTTP/1.1 401 "));
    let answered = answer(token);
    assert!(answered.contains("\"structuredContent\":{\"result\":5}"), "{answered}");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_clients_file_gets_the_entry_once_and_keeps_the_rest() {
    let fixture = Fixture::new();
    let run = |client: &str, more: &[&str]| {
        let first = ["mcp", "config", "--client", client, "--file", client];
        let output = fixture.run(&[&first, more, &["--", "add.wasm", "-p", "read-only"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let plugin = fixture.workspace().canonicalize().unwrap().join("add.wasm");
    for (client, before) in [
        ("codex", "# mine\nmodel = \"x\"\n"),
        (
            "claude",
            "{\n  \"mcpServers\": { \"other\": { \"env\": { \"TOKEN\": \"s3cret\" } } }\n}\n",
        ),
        ("gemini", "{ \"theme\": \"dark\" }\n"),
        ("vscode", ""),
        ("opencode", "{}\n"),
    ] {
        fixture.write(client, before.as_bytes());
        let read = || std::fs::read_to_string(fixture.workspace().join(client)).unwrap();
        let printed = run(client, &[]);
        assert!(printed.contains(plugin.to_str().unwrap()), "{printed}");
        assert_eq!(read(), before, "printing writes nothing");
        let diff = run(client, &["--write"]);
        assert!(diff.starts_with("--- ") && diff.contains("\n+"), "{diff}");
        let after = read();
        assert_eq!(after.contains("s3cret"), client == "claude", "what others keep stays: {after}");
        assert!(!diff.contains("s3cret"), "and is not shown: {diff}");
        let kept = ["# mine", "model = \"x\"", "\"theme\": \"dark\""];
        for part in kept.iter().filter(|part| before.contains(*part)) {
            assert!(after.contains(part), "{after}");
        }
        assert!(after.contains(plugin.to_str().unwrap()), "{after}");
        assert_eq!((run(client, &["--write"]), read()), (String::new(), after));
    }
    let file = fixture.workspace().join("gemini");
    for (mode, stays) in [(0o600, 0o600), (0o640, 0o600), (0o644, 0o644)] {
        use std::os::unix::fs::PermissionsExt as _;
        fixture.write("gemini", b"{}\n");
        let set = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, set).unwrap();
        run("gemini", &["--write"]);
        let now = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(now, stays, "whoever could not read it still cannot");
    }
    fixture.write("codex", b"not = [toml");
    let args =
        ["mcp", "config", "--client", "codex", "--file", "codex", "--write", "--", "add.wasm"];
    let output = fixture.run(&args);
    assert_eq!(output.status.code(), Some(2));
    let left = std::fs::read_to_string(fixture.workspace().join("codex")).unwrap();
    assert_eq!(left, "not = [toml");
    let bad = fixture.run(&["mcp", "config", "--client", "codex", "--", "add.wasm", "--nonsense"]);
    assert_eq!(bad.status.code(), Some(2));
}

#[test]
fn only_what_is_a_path_is_named_from_the_root_in_a_clients_file() {
    let fixture = Fixture::new();
    // What lies in the workspace is called as values of options are.
    for name in ["read-only", "time", "env:HOME", "rules.toml"] {
        fixture.write(name, b"");
    }
    let words = [
        "add.wasm",
        "-p",
        "read-only",
        "--server",
        "time",
        "--approve",
        "env:HOME",
        "--policy",
        "rules.toml",
        "--workspace",
        ".",
    ];
    let config = ["--json", "mcp", "config", "--client", "claude", "--file", "f", "--"];
    let output = fixture.run(&[&config[..], &words[..]].concat());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text: Value = serde_json::from_str(said["text"].as_str().unwrap()).unwrap();
    let here = fixture.workspace().canonicalize().unwrap();
    let there = |name: &str| here.join(name).to_str().unwrap().to_owned();
    let (plugin, rules, here) = (there("add.wasm"), there("rules.toml"), here.to_str().unwrap());
    let expected = [
        "mcp",
        "serve",
        &plugin,
        "-p",
        "read-only",
        "--server",
        "time",
        "--approve",
        "env:HOME",
        "--policy",
        &rules,
        "--workspace",
        here,
    ];
    assert_eq!(text["mcpServers"]["ringfence"]["args"], json!(expected));
}
