//! `ringfence audit` as a whole command, on a log written here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests start processes")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_audit::{AuditLog, Decision, Entry, Target, Timestamp};
use ringfence_capability::Origin;
use serde_json::Value;
use tempfile::TempDir;

struct State(TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Returns a state directory with a log of this many records, in several files.
    fn with(records: usize) -> Self {
        let state = Self::new();
        let log = state.log();
        for number in 0..records {
            log.append(&entry(number)).unwrap();
        }
        state
    }

    fn log(&self) -> AuditLog {
        let dir = Dir::open_ambient_dir(self.0.path(), ambient_authority()).unwrap();
        AuditLog::open(&dir, "audit.jsonl", Timestamp::now).unwrap().rotating_at(4000)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.arg("audit").args(args).arg("--state-dir").arg(self.0.path());
        command
    }

    fn run(&self, args: &[&str], exit: i32) -> Output {
        let done = self.command(args).output().unwrap();
        assert_eq!(done.status.code(), Some(exit), "{args:?}: {done:?}");
        done
    }

    fn text(&self, args: &[&str], exit: i32) -> String {
        String::from_utf8(self.run(args, exit).stdout).unwrap()
    }

    fn json(&self, args: &[&str], exit: i32) -> Value {
        let args: Vec<_> = args.iter().copied().chain(["--json"]).collect();
        let text = self.text(&args, exit);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }
}

fn entry(number: usize) -> Entry {
    let decision = if number.is_multiple_of(2) { Decision::Allow } else { Decision::Forbid };
    let origin = Origin::BuiltIn;
    let entry = Entry::new(if number < 10 { "env" } else { "fs.read" });
    entry
        .in_run(&format!("run-{number}"))
        .at(Target::name("HOME"))
        .decided(decision, "profile", &origin, "=r")
}

#[test]
fn json_is_json_also_when_nothing_is_logged_yet() {
    let commands: &[&[&str]] =
        &[&["show"], &["verify"], &["checkpoint"], &["key"], &["prune", "--before", "2026-01-01"]];
    let absent = State(tempfile::tempdir().unwrap());
    std::fs::remove_dir(absent.0.path()).unwrap();
    let (missing, empty, full) = (State::new(), State::with(0), State::with(30));
    for args in commands {
        for state in [&absent, &missing, &empty, &full] {
            assert_eq!(state.json(args, 0)["ok"], true, "{args:?}");
        }
    }
    assert_eq!(absent.json(&["verify"], 0)["records"], 0);
    assert_eq!(absent.json(&["show"], 0)["records"], serde_json::json!([]));
    std::fs::create_dir(absent.0.path()).unwrap();
}

#[test]
fn records_are_shown_by_what_they_say() {
    let state = State::with(20);
    let count = |args: &[&str]| state.json(args, 0)["records"].as_array().unwrap().len();
    assert_eq!(count(&["show", "--run", "run-3"]), 1);
    assert_eq!(count(&["show", "--refused"]), 10);
    assert_eq!(count(&["show", "--operation", "fs.read"]), 10);
    assert_eq!(count(&["show", "--operation", "env", "-n", "4"]), 4);
    let text = state.text(&["show", "-n", "1"], 0);
    assert!(text.contains("forbid") && text.contains("fs.read"), "{text}");
}

#[test]
fn verify_says_what_was_changed_where() {
    let state = State::with(30);
    let sound = state.json(&["verify"], 0);
    assert_eq!((&sound["records"], sound["files"].as_u64() > Some(2)), (&30.into(), true));
    let head = sound["head"].as_str().unwrap().to_owned();
    state.log().append(&entry(30)).unwrap();
    state.run(&["verify", "--expect-head", &head], 0);

    for (name, from) in [("audit.000001.jsonl", "HOME"), ("audit.000002.jsonl", "allow")] {
        let text = std::fs::read_to_string(state.path(name)).unwrap();
        std::fs::write(state.path(name), text.replacen(from, "x", 1)).unwrap();
    }
    let broken = state.json(&["verify"], 3);
    assert_eq!(
        (&broken["ok"], &broken["error"]["code"]),
        (&false.into(), &"audit::tampered".into())
    );
    let faults = broken["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert_eq!((&faults[0]["file"], &faults[0]["line"]), (&"audit.000001.jsonl".into(), &1.into()));
    assert_eq!(faults[0]["what"], "the record was changed after it was written");
    assert_eq!(faults[1]["file"], "audit.000002.jsonl");
    let text = String::from_utf8(state.run(&["verify"], 3).stderr).unwrap();
    for expected in
        ["2 places are wrong", "audit.000002.jsonl:", "error[audit::tampered]", "line 1"]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let text =
        String::from_utf8(state.run(&["prune", "--before", "2100-01-01"], 3).stderr).unwrap();
    assert!(text.contains("audit::tampered"), "evidence is not removed: {text}");
}

#[test]
fn a_log_cut_off_behind_a_checkpoint_is_found_on_this_machine_and_with_the_key_elsewhere() {
    let state = State::with(3);
    let made = state.json(&["checkpoint"], 0);
    assert_eq!(made["checkpoint"]["seq"], 3);
    assert_eq!(state.json(&["verify"], 0)["signed_through"], 3);
    let pem = state.text(&["key"], 0);
    assert_eq!(state.json(&["key"], 0)["id"], made["checkpoint"]["key"]);

    let elsewhere = State::new();
    std::fs::copy(state.path("audit.jsonl"), elsewhere.path("audit.jsonl")).unwrap();
    elsewhere.run(&["verify"], 3);
    let key = elsewhere.path("key.pem");
    std::fs::write(&key, pem).unwrap();
    elsewhere.run(&["verify", "--key", key.to_str().unwrap()], 0);
    let done =
        elsewhere.run(&["verify", "--key", elsewhere.path("audit.jsonl").to_str().unwrap()], 2);
    assert!(String::from_utf8(done.stderr).unwrap().contains("no Ed25519 public key"));

    std::fs::remove_file(state.path("audit.jsonl")).unwrap();
    let faults = state.json(&["verify"], 3);
    let what = faults["faults"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("the records up to 3, which were signed for at 2"), "{what}");
}

#[test]
fn everything_is_exported_in_each_form() {
    let state = State::with(30);
    let records = state.json(&["verify"], 0)["last_seq"].as_u64().unwrap();
    for (format, lines) in [("json", records), ("ocsf", records), ("csv", records + 1)] {
        let text = state.text(&["export", "--format", format], 0);
        assert_eq!(text.lines().count() as u64, lines, "{format}");
        let file = state.path(format);
        let args = ["export", "--format", format, "--output", file.to_str().unwrap()];
        state.run(&args, 0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        state.run(&args, 2);
    }
    assert!(state.text(&["export", "--format", "csv"], 0).contains("\"'=r\""));
    let name = state.path("audit.000001.jsonl");
    let text = std::fs::read_to_string(&name).unwrap();
    std::fs::write(&name, text.replacen("HOME", "x", 1)).unwrap();
    let out = state.path("broken");
    state.run(&["export", "--output", out.to_str().unwrap()], 3);
    assert!(!out.exists(), "half an export is not left behind");
}

#[test]
fn old_files_are_removed_on_demand_only() {
    let state = State::with(30);
    let done = state.run(&["prune", "--before", "tomorrow"], 2);
    assert!(String::from_utf8(done.stderr).unwrap().contains("is neither a date"));
    assert_eq!(state.json(&["prune", "--before", "2020-01-01"], 0)["pruned"], Value::Null);
    let pruned = state.json(&["prune", "--before", "2100-01-01"], 0);
    assert!(pruned["pruned"]["files"].as_u64() > Some(1), "{pruned}");
    assert!(!state.path("audit.000001.jsonl").exists());
    let sound = state.json(&["verify"], 0);
    assert_eq!(sound["pruned"], pruned["pruned"]["through"]);
}

#[cfg(unix)]
#[test]
fn following_goes_on_across_files_and_ends_with_its_reader_or_with_ctrl_c() {
    let state = State::with(5);
    let args = ["show", "--follow", "--json", "-n", "2", "--operation", "env"];
    let mut child = state.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut run = || {
        let record: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        record["run"].as_str().unwrap().to_owned()
    };
    assert_eq!([run(), run()], ["run-3", "run-4"]);
    let log = state.log();
    for number in 5..10 {
        // Files that are full in between are followed as well.
        for _ in 0..8 {
            log.append(&entry(11)).unwrap();
        }
        log.append(&entry(number)).unwrap();
        assert_eq!(run(), format!("run-{number}"));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let ended = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(2));

    let mut child = state.command(&["show", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    log.append(&entry(1)).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "nobody reads it");
}
