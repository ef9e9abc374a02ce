//! Clients of others, at pinned versions (`cargo xtask peers`): they find and call what is served, and the
//! configuration that is written for them is one they understand.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Deserializer, Value, json};

use super::common::Fixture;
use super::peers::peers;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The plugin that is served.
fn tool() -> PathBuf {
    root().join("plugins/tools/json-query")
}

/// Writes the configuration of a client, with the command that is for that.
fn configure(fixture: &Fixture, client: &str) {
    let tool = tool();
    let words = ["mcp", "config", "--client", client, "--write", "--"].map(OsStr::new);
    let done = fixture.run(&[&words[..], &[tool.as_os_str()]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
}

/// Runs a client to its end and returns what it printed.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{out}{err}");
    out + &err
}

/// Runs a script of the Python client with a server over lines and then with one over HTTP, and returns the
/// lines it printed with each.
fn python(fixture: &Fixture, dir: &Path, script: &str, plugin: &[&OsStr]) -> [Vec<String>; 2] {
    let ringfence = Path::new(env!("CARGO_BIN_EXE_ringfence"));
    let client = |words: &[&OsStr]| {
        let mut python = fixture.start(dir.join("venv/bin/python3").as_os_str());
        // The scripts share one, which is compiled: that stays out of the tree.
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        let output =
            python.arg(root().join("tests/mcp").join(script)).args(words).output().unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{out}{err}");
        out.lines().map(str::to_owned).collect()
    };
    let serve = [&["mcp", "serve"].map(OsStr::new), plugin].concat();
    let over_lines = client(&[&[ringfence.as_os_str()], &serve[..]].concat());

    let mut command = fixture.start(ringfence.as_os_str());
    command.args(serve).args(["--listen", "--json"]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = Deserializer::from_reader(server.stdout.as_mut().unwrap()).into_iter();
    let said: Value = printed.next().unwrap().unwrap();
    let words = ["url", "token"].map(|key| said[key].as_str().unwrap_or_default().to_owned());
    let over_http = client(&[words[0].as_ref(), words[1].as_ref()]);
    server.kill().unwrap();
    server.wait().unwrap();
    [over_lines, over_http]
}

#[test]
fn the_python_client_lists_and_calls_over_lines_and_over_http() {
    let name = "the_python_client_lists_and_calls_over_lines_and_over_http";
    let Some(dir) = peers(name) else { return };
    for lines in python(&Fixture::of(""), &dir, "client.py", &[tool().as_os_str()]) {
        assert_eq!(lines[0], "tools json_query_query");
        assert!(lines[1].starts_with("answer") && lines[1].contains("\"17\""), "{lines:?}");
        assert!(lines[2].starts_with("error error[mcp::input]"), "{lines:?}");
    }
}

#[test]
fn the_python_client_puts_to_its_person_what_a_plugin_wants_to_run() {
    let name = "the_python_client_puts_to_its_person_what_a_plugin_wants_to_run";
    let Some(dir) = peers(name) else { return };
    let fixture = Fixture::of("");
    let (guests, work) = (root().join("tests/guests"), fixture.work());
    std::fs::create_dir(work.join("native")).unwrap();
    for (from, to) in [
        ("out/exec-tool.wasm", "exec-tool.wasm"),
        ("manifests/exec-tool/plugin.toml", "plugin.toml"),
    ] {
        std::fs::copy(guests.join(from), work.join("native").join(to)).unwrap();
    }
    std::fs::write(work.join("note.txt"), "a note").unwrap();
    let served = ["./native", "-p", "read-only"].map(OsStr::new);
    for lines in python(&fixture, &dir, "approve.py", &served) {
        let (no, asked) = ("said denied: a person said no", "asked runs        cat note.txt");
        assert_eq!(lines, [asked, "said a note", asked, no, asked, no]);
    }
}

#[test]
fn the_inspector_lists_and_calls_a_tool() {
    let Some(dir) = peers("the_inspector_lists_and_calls_a_tool") else { return };
    let fixture = Fixture::of("");
    let modules = dir.join("node_modules");
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let own = modules.join(format!("node-linux-{arch}/bin/node"));
    let node = if own.is_file() { own } else { PathBuf::from("node") };
    let ask = |words: &[&str]| {
        let mut inspector = fixture.start(node.as_os_str());
        inspector
            .arg(modules.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
        inspector.args(["--cli", env!("CARGO_BIN_EXE_ringfence"), "mcp", "serve"]).arg(tool());
        said(inspector.args(["--protocol-era", "auto", "--format", "json", "-q"]).args(words))
    };
    assert!(ask(&["--method", "tools/list"]).contains("\"json_query_query\""));
    let call = ["--method", "tools/call", "--tool-name", "json_query_query"];
    let called = ask(&[&call[..], &["--tool-arg", "program=1 + 16"]].concat());
    assert!(called.contains("\\\"17\\\""), "{called}");
}

#[test]
fn codex_finds_the_tools_with_the_configuration_that_is_written() {
    let name = "codex_finds_the_tools_with_the_configuration_that_is_written";
    let Some(dir) = peers(name) else { return };
    let fixture = Fixture::of("");
    configure(&fixture, "codex");
    let mut codex = fixture.start("node".as_ref());
    codex.arg(dir.join("node_modules/@openai/codex/bin/codex.js")).arg("app-server");
    codex.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut codex = codex.spawn().unwrap();
    let mut input = codex.stdin.take().unwrap();
    let client = json!({ "clientInfo": { "name": "test", "title": "test", "version": "0" } });
    for message in [
        json!({ "id": 0, "method": "initialize", "params": client }),
        json!({ "method": "initialized" }),
        json!({ "id": 1, "method": "mcpServerStatus/list", "params": {} }),
    ] {
        writeln!(input, "{message}").unwrap();
    }
    let lines = BufReader::new(codex.stdout.take().unwrap()).lines();
    let mut messages = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let answer = messages.find(|message| message["id"] == 1).unwrap();
    drop(input);
    codex.wait().unwrap();
    let server = &answer["result"]["data"][0];
    assert_eq!(server["name"], "ringfence", "{answer}");
    assert!(server["tools"]["json_query_query"].is_object(), "{answer}");
}

#[test]
fn gemini_connects_with_the_configuration_that_is_written() {
    let name = "gemini_connects_with_the_configuration_that_is_written";
    let Some(dir) = peers(name) else { return };
    let fixture = Fixture::of("");
    configure(&fixture, "gemini");
    let mut gemini = fixture.start(dir.join("node_modules/.bin/gemini").as_os_str());
    gemini.env("GEMINI_CLI_TRUST_WORKSPACE", "true").args(["mcp", "list"]);
    let said = said(&mut gemini);
    assert!(said.contains("ringfence") && said.contains(" Connected"), "{said}");
}
