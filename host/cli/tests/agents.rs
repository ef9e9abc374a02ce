//! Agents as components, run by the built command.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests run the built command on real files"
)]

#[cfg(target_os = "linux")]
#[path = "agents/injected.rs"]
mod injected;
#[cfg(target_os = "linux")]
#[path = "exec/pty.rs"]
mod pty;
#[path = "agents/resume.rs"]
mod resume;
#[cfg(target_os = "linux")]
#[path = "agents/screen.rs"]
mod screen;
#[cfg(target_os = "linux")]
#[path = "agents/terminal.rs"]
mod terminal;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn agent(name: &str) -> String {
    repository().join("plugins/agents").join(name).to_string_lossy().into_owned()
}

/// A workspace with a state of its own.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("ws/src")).unwrap();
        let place = Self(dir);
        place.write(
            "dams.md",
            "Old dams need care every single year. Rivers carry sand and stones downhill. \
             Dams hold back water for many towns and many farms.\n",
        );
        place.write("src/x.rs", "fn f() {\n    g().unwrap();\n}\n");
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join("ws").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs `ringfence` and returns its exit code and what it printed.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run_by(Command::new(env!("CARGO_BIN_EXE_ringfence")), arguments)
    }

    /// Does the same by a command that starts it.
    fn run_by(&self, mut command: Command, arguments: &[&str]) -> (i32, String, String) {
        command.args(arguments).stdin(Stdio::null());
        let output = self.at_home(command).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Returns the command, to be run here.
    fn at_home(&self, mut command: Command) -> Command {
        command.current_dir(self.0.path().join("ws"));
        command.env_remove("RINGFENCE_LOG").env("HOME", self.0.path().join("home"));
        command.env_remove("XDG_CONFIG_HOME");
        command.env("RINGFENCE_STATE_DIR", self.0.path().join("state"));
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
        command.env("RINGFENCE_CACHE_DIR", shared);
        command
    }

    /// Runs it with `--json` and returns every line.
    fn events(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let (code, out, err) = self.run(&all);
        let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Value> = lines.collect();
        assert!(!lines.is_empty(), "{err}");
        (code, lines)
    }
}

#[test]
fn an_agent_works_on_a_task_and_cites_the_text_it_read() {
    let place = Place::new();
    let (code, out, err) = place.run(&["agents", "run", &agent("summarizer"), "summarise dams.md"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Old dams need care every single year. [dams.md:1]"), "{out}");
    assert!(err.contains("1 summarizer: done"), "{err}");
    let (code, events) =
        place.events(&["agents", "run", &agent("summarizer"), "summarise dams.md"]);
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((code, names.first(), names.last()), (0, Some(&"queued"), Some(&"result")));
    let result = events.last().unwrap();
    let sentence = &result["outcome"]["structured"]["sentences"][0];
    let (start, end) = (sentence["start"].as_u64().unwrap(), sentence["end"].as_u64().unwrap());
    let text = std::fs::read_to_string(place.0.path().join("ws/dams.md")).unwrap();
    let range = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
    assert_eq!(&text[range], sentence["text"].as_str().unwrap());
}

#[test]
fn an_agent_splits_a_task_and_its_children_do_the_parts() {
    let place = Place::new();
    let (with, review) = (agent("summarizer"), agent("code-reviewer"));
    let (code, events) = place.events(&[
        "agents",
        "run",
        &agent("triage"),
        "summarise dams.md; review src; summarise gone.md",
        "--with",
        &with,
        "--with",
        &review,
    ]);
    let result = events.last().unwrap();
    assert_eq!(code, 0, "{result}");
    let parts = &result["outcome"]["structured"]["parts"];
    assert_eq!(parts[1]["value"]["findings"][0]["file"], "src/x.rs");
    assert_eq!(parts[1]["value"]["findings"][0]["line"], 2);
    assert!(parts[2]["failure"].as_str().unwrap().contains("names no text"), "{parts}");
    assert_eq!(result["outcome"]["stop"], "partial");
    assert_eq!(result["used"]["children"], 4);
    let child = events.iter().find(|one| one["event"] == "queued" && one["id"] == "1.2").unwrap();
    assert_eq!(
        (&child["parent"], &child["agent"]),
        (&Value::from("1"), &Value::from("code-reviewer"))
    );
}

/// Lays out triage with a manifest of its own, so that it holds less.
fn triage_without(place: &Place, removed: &str) -> String {
    let dir = place.0.path().join("triage");
    std::fs::create_dir_all(&dir).unwrap();
    let from = repository().join("plugins/agents/triage");
    std::fs::copy(from.join("triage.wasm"), dir.join("triage.wasm")).unwrap();
    let manifest = std::fs::read_to_string(from.join("plugin.toml")).unwrap();
    let kept: Vec<_> = manifest.split("\n\n").filter(|part| !part.contains(removed)).collect();
    assert!(kept.len() < manifest.split("\n\n").count(), "`{removed}` was in it");
    std::fs::write(dir.join("plugin.toml"), kept.join("\n\n")).unwrap();
    dir.to_string_lossy().into_owned()
}

#[test]
fn a_child_never_gets_what_its_parent_does_not_hold() {
    let place = Place::new();
    let with = agent("summarizer");
    // The same child reads the file when its parent may, as the test before this one shows.
    let poor = triage_without(&place, "fs.read");
    let (_, events) = place.events(&["agents", "run", &poor, "summarise dams.md", "--with", &with]);
    let ended = events.iter().find(|one| one["event"] == "ended" && one["id"] == "1.1").unwrap();
    let failure = ended["failure"].as_str().unwrap();
    assert!(failure.contains("denied") && failure.contains("fs.read:workspace"), "{failure}");
    let result = events.last().unwrap().to_string();
    assert!(!result.contains("Old dams"), "nothing of the file came through: {result}");
}

#[test]
fn an_agent_that_was_not_granted_children_is_not_linked() {
    let place = Place::new();
    let lonely = triage_without(&place, "\"agent\"");
    let (code, _, err) = place.run(&["agents", "run", &lonely, "summarise dams.md"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("ringfence:agent/agents") && err.contains("`agent`"), "{err}");
}

#[test]
fn a_wrong_plan_is_refused_with_the_reason_before_anything_runs() {
    let place = Place::new();
    let agents = format!("agents = [{:?}]\n", agent("summarizer"));
    let task = "[[task]]\nagent = \"summarizer\"\ngoal = \"x\"\n";
    for (plan, why) in [
        (format!("{agents}{task}budgets = 1\n"), "unknown field"),
        (format!("{agents}[merge]\nstrategy = \"best\"\n{task}"), "no strategy `best`"),
        (format!("{agents}[merge]\nquorum = 1\n{task}"), "`quorum` means nothing"),
        (
            format!("{agents}[merge]\nstrategy = \"quorum\"\nquorum = 2\n{task}"),
            "larger than the group",
        ),
        (format!("{agents}{}", task.replace("summarizer", "nobody")), "no agent `nobody`"),
        (
            format!(
                "{agents}{}{}",
                task.replace("goal", "label = \"a\"\ngoal"),
                task.replace("goal", "label = \"a\"\ngoal")
            ),
            "two tasks",
        ),
    ] {
        place.write("plan.toml", &plan);
        let (code, out, err) = place.run(&["agents", "run", "plan.toml"]);
        assert_eq!((code, out.as_str()), (2, ""), "{plan}: {err}");
        assert!(err.contains(why), "{why}: {err}");
    }
}

/// The guest that does one thing.
const WORKER: &str = "agent-worker";

/// Lays out [`WORKER`], with these requests, and returns a plan of one task for it.
fn worker(place: &Place, goal: &str, requests: &[(&str, &str)]) -> String {
    let dir = place.0.path().join("worker");
    std::fs::create_dir_all(&dir).unwrap();
    let file = format!("{WORKER}.wasm");
    std::fs::copy(repository().join("tests/guests/out").join(&file), dir.join(&file)).unwrap();
    let mut manifest = format!(
        "[plugin]\nname = {WORKER:?}\nversion = \"0.1.0\"\ndescription = \"d\"\n\
         component = {file:?}\nneeds-profile = \"offline\"\n"
    );
    for (capability, rest) in requests {
        write!(
            manifest,
            "\n[[request]]\ncapability = {capability:?}\n{rest}\nreason = \"the thing it does\"\n"
        )
        .unwrap();
    }
    std::fs::write(dir.join("plugin.toml"), manifest).unwrap();
    let tool = repository().join("plugins/tools/json-query");
    let (dir, tool) = (dir.to_string_lossy(), tool.to_string_lossy());
    let plan = format!(
        "agents = [{dir:?}]\ntools = [{tool:?}]\n\n[[task]]\nlabel = \"a\"\nagent = {WORKER:?}\n\
         goal = {goal:?}\ninput = {{ program = \".a\", json = '{{\"a\":17}}' }}\n"
    );
    place.write("plan.toml", &plan);
    "plan.toml".to_owned()
}

/// What everything that calls `json-query` must hold besides.
const JSON_QUERY_NEEDS: [(&str, &str); 3] =
    [("fs.read", "path = \".\""), ("clock", ""), ("random", "source = \"deterministic\"")];
const CHILDREN: (&str, &str) = ("agent", "names = [\"agent-worker\"]");

#[test]
fn messages_go_to_a_child_and_back_in_order() {
    let place = Place::new();
    let plan = worker(&place, "ping 200", &[CHILDREN, ("tool", "names = [\"json-query\"]")]);
    let (code, out, err) = place.run(&["agents", "run", &plan]);
    assert_eq!((code, out.trim()), (0, "200 echoed"), "{err}");
}

#[test]
fn a_mailbox_that_is_full_is_an_answer_and_not_a_wait() {
    let place = Place::new();
    for (count, said) in [(64, "64 taken"), (65, "64 taken, then Error::Full")] {
        let goal = format!("fill {count}");
        let plan = worker(&place, &goal, &[CHILDREN, ("tool", "names = [\"json-query\"]")]);
        let (code, out, err) = place.run(&["agents", "run", &plan]);
        assert_eq!((code, out.trim()), (0, said), "{err}");
    }
}

#[test]
fn an_agent_calls_the_tool_it_was_granted_and_no_other() {
    let place = Place::new();
    for (tool, works) in [("json-query", true), ("text-search", false)] {
        let names = format!("names = [{tool:?}]");
        let requests = [&[CHILDREN, ("tool", names.as_str())][..], &JSON_QUERY_NEEDS[..]].concat();
        let plan = worker(&place, "tool json_query_query", &requests);
        let (code, events) = place.events(&["agents", "run", &plan]);
        let result = events.last().unwrap();
        assert_eq!(code == 0, works, "{result}");
        if works {
            assert!(result["outcome"].to_string().contains("17"), "{result}");
            assert_eq!(result["used"]["tool-calls"], 1);
        } else {
            let failure = result["each"][0]["failure"].as_str().unwrap();
            assert!(failure.contains("not granted `tool:json-query`"), "{failure}");
        }
    }
}
