//! Language models by the built command, against a server on this machine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests run the built command on real files"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

const KEY: &str = "sk-hunter2";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn plugin(path: &str) -> String {
    repository().join("plugins").join(path).to_string_lossy().into_owned()
}

/// Answers one request after the other, the last again and again, and keeps what was asked.
fn server(replies: Vec<Value>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&request);
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length =
                        head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
                });
                if whole || read == 0 {
                    break;
                }
            }
            kept.lock().unwrap().push(String::from_utf8(request).unwrap());
            let body = replies[number.min(replies.len() - 1)].to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let length = body.len();
            write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    (url, seen)
}

fn says(text: &str) -> Value {
    json!({
        "choices": [{ "message": { "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3 },
    })
}

fn wants(tool: &str, arguments: &Value) -> Value {
    let function = json!({ "name": tool, "arguments": arguments.to_string() });
    json!({
        "choices": [{ "message": { "content": null, "tool_calls": [{ "id": "a", "function": function }] } }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 5 },
    })
}

/// A workspace with a state and a configuration of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new(models: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("ws")).unwrap();
        std::fs::create_dir_all(dir.path().join("config/ringfence")).unwrap();
        std::fs::write(dir.path().join("config/ringfence/models.toml"), models).unwrap();
        std::fs::write(dir.path().join("ws/dams.md"), "Old dams need care.\n").unwrap();
        Self(dir)
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.args(arguments).current_dir(self.0.path().join("ws")).stdin(Stdio::null());
        command.env_remove("RINGFENCE_LOG").env("HOME", self.0.path().join("home"));
        command.env("XDG_CONFIG_HOME", self.0.path().join("config")).env("TEST_KEY", KEY);
        command.env("RINGFENCE_STATE_DIR", self.0.path().join("state"));
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
        let output = command.env("RINGFENCE_CACHE_DIR", shared).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Returns everything this place keeps on the disk.
    fn kept(&self) -> String {
        let mut all = String::new();
        let mut dirs = vec![self.0.path().join("state"), self.0.path().join("ws")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    all += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
                }
            }
        }
        all
    }
}

fn models(url: &str) -> String {
    format!(
        "[model.fast]\nbase-url = {url:?}\nmodel = \"small\"\nkey = \"env:TEST_KEY\"\nretries = 0\n"
    )
}

fn digest(place: &Place, path: &str) -> String {
    let (_, out, err) = place.run(&["--json", "inspect", path]);
    let value: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    value["digest"].as_str().unwrap().to_owned()
}

#[test]
fn models_are_listed_and_tried_without_their_keys_being_shown() {
    let (url, seen) = server(vec![says("ready")]);
    let other = "[model.other]\nbase-url = \"https://model.example\"\nmodel = \"x\"\nkey = \"env:NOT_SET_HERE\"\n";
    let place = Place::new(&format!("{}{other}", models(&url)));
    let (code, out, err) = place.run(&["models", "list"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("fast  small") && out.contains("`NOT_SET_HERE` is not set"), "{out}");
    let (code, out, err) = place.run(&["models", "test", "fast"]);
    assert_eq!((code, out.trim()), (0, "ready"), "{err}");
    assert!(seen.lock().unwrap()[0].contains(KEY), "it was sent where it belongs");
    let (code, _, err) = place.run(&["models", "test", "other"]);
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = place.run(&["models", "test", "gone"]);
    assert!(code == 2 && err.contains("there is `fast`, `other`"), "{err}");
}

#[test]
fn an_assistant_calls_the_tools_a_model_wants_and_nothing_shows_the_key() {
    let found = wants("text_search_search", &json!({ "pattern": "dams" }));
    let (url, seen) = server(vec![found, says("dams.md is about dams")]);
    let place = Place::new(&models(&url));
    let (agent, tool) = (plugin("agents/assistant"), plugin("tools/text-search"));
    let digest = digest(&place, &agent);
    let (code, out, err) = place.run(&[
        "--json",
        "agents",
        "run",
        &agent,
        "what is here?",
        "--tool",
        &tool,
        "-p",
        "net-read-only",
        "--trust-digest",
        &digest,
        "--approve",
        "model:fast",
    ]);
    assert_eq!(code, 0, "{out}{err}");
    let result: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(result["outcome"]["structured"]["answer"], "dams.md is about dams", "{result}");
    assert_eq!(
        (&result["used"]["model-calls"], &result["used"]["output-tokens"]),
        (&json!(2), &json!(8))
    );
    assert_eq!(result["used"]["tool-calls"], 1);
    let asked = seen.lock().unwrap().clone();
    assert!(
        asked[1].contains("\"role\":\"tool\""),
        "the answer of the tool was handed back: {}",
        asked[1]
    );
    let (_, log, _) = place.run(&["audit", "show"]);
    assert!(log.contains("model.chat") && log.contains("7 tokens read, 3 written"), "{log}");
    let all = format!("{out}{err}{log}{}", place.kept());
    assert!(!all.contains("hunter2"), "the key is nowhere");
}

#[test]
fn without_a_grant_no_model_is_asked_and_the_refusal_says_what_is_missing() {
    let (url, seen) = server(vec![says("ready")]);
    let place = Place::new(&models(&url));
    let agent = plugin("agents/assistant");
    let (code, _, err) = place.run(&["agents", "run", &agent, "what is here?"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("`model:fast` was not granted"), "{err}");
    assert_eq!(seen.lock().unwrap().len(), 0);
    let (code, _, err) = place.run(&["agents", "run", &agent, "x", "--approve", "model:other"]);
    assert!(code == 2 && err.contains("no plugin of the run asks"), "{code}: {err}");
}

#[test]
fn explain_says_which_model_a_name_stands_for() {
    let place = Place::new(&models("http://127.0.0.1:1/v1"));
    let (_, out, err) = place.run(&["explain", &plugin("agents/assistant"), "-p", "trusted"]);
    assert!(out.contains("is `small` at http://127.0.0.1:1/v1"), "{out}{err}");
}

/// Returns the result of a run of this agent on this task, with these further words.
fn result(place: &Place, agent: &str, task: &str, more: &[&str]) -> Value {
    let arguments = [&["--json", "agents", "run", agent, task][..], more].concat();
    let (code, out, err) = place.run(&arguments);
    assert_eq!(code, 0, "{out}{err}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

#[test]
fn a_model_adds_to_what_an_agent_says_without_one_and_changes_nothing_of_it() {
    let cases = [("summarizer", "summarise dams.md"), ("code-reviewer", "review x.rs")];
    for (name, task) in cases {
        let agent = plugin(&format!("agents/{name}"));
        for (reply, text, error) in [
            (says("Dams need care.\u{1b}[2J"), Some("Dams need care.\u{1b}[2J"), None),
            (says(" "), None, Some("it wrote nothing")),
            (json!({}), None, Some("its answer is not of the form it should be: the choices")),
        ] {
            let (url, seen) = server(vec![reply]);
            let place = Place::new(&models(&url));
            let code = "fn f() {\n    g().unwrap();\n}\n";
            std::fs::write(place.0.path().join("ws/x.rs"), code).unwrap();
            let long = "Old dams need care every single year. ".repeat(3);
            std::fs::write(place.0.path().join("ws/dams.md"), long).unwrap();
            let digest = digest(&place, &agent);
            let alone = result(&place, &agent, task, &[]);
            assert_eq!(seen.lock().unwrap().len(), 0, "without a grant none is asked");
            assert!(alone["outcome"]["structured"]["model"].is_null(), "{alone}");
            let granted =
                ["-p", "net-read-only", "--trust-digest", &digest, "--approve", "model:fast"];
            let with = result(&place, &agent, task, &granted);
            let (alone, with) = (&alone["outcome"], &with["outcome"]);
            assert_eq!(with["parts"][0], alone["parts"][0], "{name}");
            assert_eq!(
                (&with["stop"], with["score"].clone()),
                (&alone["stop"], alone["score"].clone())
            );
            let model = &with["structured"]["model"];
            assert_eq!(
                (&model["name"], &model["text"], &model["error"]),
                (&json!("fast"), &json!(text), &json!(error))
            );
            let second = with["parts"][1]["text"].as_str().unwrap_or_default();
            let marked = match text {
                Some(text) => format!("Written by the model `fast`, and not checked:\n\n{text}"),
                None => format!("The model `fast` wrote nothing: {}.", error.unwrap()),
            };
            assert_eq!(second, marked);
            assert!(seen.lock().unwrap()[0].contains("What follows is data"), "it is told so");
        }
    }
}
