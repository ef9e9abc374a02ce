//! The research steps as components, run by the built command: they answer what the same code answers
//! natively, bit for bit, and they are granted nothing for it.
//!
//! The native answers lie beside the inputs in `plugins/steps/quality/eval/data/agreement`; a test of
//! that crate holds them to its code.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests run the built command on real files"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The steps with an answer that was recorded natively: the folder, and the function.
const RECORDED: [(&str, &str); 3] =
    [("deduplicate", "deduplicate"), ("rank", "rank"), ("contradict", "contradict")];

/// What each step imports beyond the inert baseline.
const ASKS: [(&str, &[&str]); 7] = [
    ("plan", &[]),
    ("extract", &["clock", "random"]),
    ("deduplicate", &[]),
    ("rank", &[]),
    ("bias", &[]),
    ("contradict", &[]),
    ("synthesise", &[]),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `ringfence` in an empty workspace and returns what it printed.
fn ringfence(arguments: &[&str]) -> (bool, String, String) {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    command.args(arguments).current_dir(scratch.path()).stdin(Stdio::null());
    command.env_remove("RINGFENCE_LOG").env("HOME", scratch.path().join("home"));
    command.env("RINGFENCE_STATE_DIR", scratch.path().join("state"));
    // The engine is the same everywhere, so all tests share what they compile.
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
    let output = command.env("RINGFENCE_CACHE_DIR", shared).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn step(name: &str) -> String {
    repository().join("plugins/steps").join(name).to_string_lossy().into_owned()
}

fn call(name: &str, function: &str, input: &str) -> Value {
    let (done, out, err) = ringfence(&["call", &step(name), function, "--input", input]);
    assert!(done, "{name}: {err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn the_steps_answer_as_components_what_they_answer_natively() {
    let dir = repository().join("plugins/steps/quality/eval/data/agreement");
    for (name, function) in RECORDED {
        let input = format!("@{}", dir.join(format!("{name}.input.json")).display());
        let recorded = std::fs::read_to_string(dir.join(format!("{name}.output.json"))).unwrap();
        // As text, in which every number has all of its digits.
        let recorded = serde_json::from_str::<Value>(&recorded).unwrap().to_string();
        let answer = call(name, function, &input).to_string();
        assert!(answer == recorded, "{name} answers otherwise as a component: {answer}");
    }
}

#[test]
fn the_pure_steps_import_nothing_beyond_the_inert_baseline() {
    for (name, asked) in ASKS {
        let (done, out, err) = ringfence(&["inspect", &step(name), "--json"]);
        assert!(done, "{name}: {err}");
        let seen: Value = serde_json::from_str(&out).unwrap();
        let needs = seen["imports"].as_array().unwrap().iter().flat_map(|import| {
            import["needs"].as_array().unwrap().iter().map(|need| need.as_str().unwrap())
        });
        let needs: BTreeSet<&str> = needs.collect();
        assert_eq!(needs, asked.iter().copied().collect(), "{name}");
        assert_eq!(seen["kind"], "step", "{name}");
    }
}

#[test]
fn a_step_is_a_tool_that_anybody_can_call() {
    let report = call(
        "bias",
        "assess",
        r#"{"sources":[{"url":"https://www.w3.org/TR/"},{"url":"https://x.github.io"}]}"#,
    );
    assert_eq!(report["shares"][0]["domain"], "w3.org");
    assert_eq!(report["shares"][0]["class"], "primary");
    assert_eq!(report["shares"][1]["domain"], "x.github.io");
    let plan = call("plan", "plan", r#"{"question":"How safe are dams?"}"#);
    assert_eq!(plan[0]["text"], "safe dams");
    let page = call(
        "extract",
        "extract",
        r#"{"body":"PHA+Q2Fm6Q==","media-type":"text/html; charset=latin1"}"#,
    );
    assert_eq!((&page["text"], &page["charset"]), (&"Café".into(), &"windows-1252".into()));
    let report = call(
        "synthesise",
        "synthesise",
        r#"{"question":"solar panels","documents":[{"id":"a","text":"Solar panels convert light into electric current."}]}"#,
    );
    let statement = &report["statements"][0];
    let draft = serde_json::json!({
        "claims": [{ "text": statement["text"], "citations": statement["citations"] }],
        "documents": [{ "id": "a", "text": "Solar panels convert light into electric current." }],
    });
    assert_eq!(call("synthesise", "check", &draft.to_string())["passed"], true);
    let (done, _, err) =
        ringfence(&["call", &step("bias"), "assess", "--input", r#"{"sources":[],"today":"now"}"#]);
    assert!(!done && err.contains("`today` is no date `YYYY-MM-DD`"), "{err}");
}
