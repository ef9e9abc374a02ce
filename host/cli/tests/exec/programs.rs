//! What runs, with what, and how it ends.

use std::ffi::OsString;
use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::Stdio;

use super::common::{Done, each, processes_with};

#[test]
fn the_exit_code_is_the_programs_own() {
    each(|fixture| {
        fixture.check(&[], &["true"], 0);
        fixture.check(&[], &["false"], 1);
        fixture.sh(&[], "exit 7", 7);
        fixture.sh(&[], "kill -TERM $$", 128 + 15);
        fixture.sh(&[], "kill -KILL $$", 128 + 9);
    });
}

#[test]
fn a_plan_runs_nothing_and_leaves_nothing() {
    each(|fixture| {
        let done = fixture.run(&["exec", "--plan", "--", "sh", "-c", "echo ran > /dev/stderr"]);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_eq!(done.err, "");
        for part in ["write (staged)", "network         none", "sha256:", "held by this system"] {
            assert!(done.out.contains(part), "`{part}` is not in\n{}", done.out);
        }
        assert_eq!(std::fs::read_dir(fixture.state()).unwrap().count(), 0);
    });
}

#[test]
fn nothing_runs_without_an_approval_and_the_error_says_how_to_give_it() {
    each(|fixture| {
        let argv = ["exec", "--approver", "none", "--write", "direct", "--", "touch", "ran"];
        let done = fixture.run(&argv);
        assert_eq!((done.code, fixture.names().len()), (Some(3), 0));
        done.says(&["error[approval::nobody-to-ask]", "ringfence exec --approve sha256:"]);
        let hint = done.err.split('`').find(|part| part.starts_with("ringfence exec")).unwrap();
        let words: Vec<&str> = hint.split(' ').skip(1).collect();
        assert_eq!(fixture.run(&words).code, Some(0), "{hint}");
        assert_eq!(fixture.names(), ["ran"]);
        let other: Vec<&str> =
            words.iter().map(|word| if *word == "ran" { "again" } else { *word }).collect();
        let done = fixture.run(&other);
        assert_eq!((done.code, fixture.names().len()), (Some(3), 1));
        done.says(&["error[cli::stale-approval]"]);
    });
}

#[test]
fn policy_decides_before_a_person_is_asked() {
    each(|fixture| {
        let done = fixture.run(&["exec", "-p", "read-only", "--", "sh", "-c", "true"]);
        assert_eq!(done.code, Some(3));
        done.says(&["error[policy::forbidden]", "--profile workspace-write"]);
        assert!(!done.err.contains("--approve"), "{}", done.err);
        fixture.write(
            ".ringfence/policy.toml",
            "[[rule]]\ncapability = \"exec\"\nargv = [\"touch\", \"**\"]\ndecision = \"forbid\"\nreason = \"r\"\n",
        );
        let done = fixture.run(&["exec", "--", "touch", "a"]);
        assert_eq!(done.code, Some(3));
        done.says(&["error[policy::forbidden]", "policy.toml:1"]);
        assert_eq!(fixture.operations(), ["exec.refused", "exec.refused"]);
    });
}

#[test]
fn the_environment_is_empty_but_for_what_was_named() {
    each(|fixture| {
        let argv = ["env"];
        let flags = ["--env", "NAMED=value"];
        let mut command = fixture.approved(&flags, &argv);
        let done = Done::of(&command.env("AWS_SECRET_ACCESS_KEY", "leak").output().unwrap());
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert!(done.out.contains("NAMED=value\n"), "{}", done.out);
        assert!(done.out.contains("HOME=/tmp\n"), "{}", done.out);
        assert!(!done.out.contains("leak") && !done.out.contains("RINGFENCE"), "{}", done.out);
    });
}

#[test]
fn arguments_need_not_be_text() {
    each(|fixture| {
        let word = OsString::from_vec(b"a\xff\xfe b".to_vec());
        let argv = [OsString::from("printf"), OsString::from("%s"), word.clone()];
        let done = fixture.approved(&[], &argv).output().unwrap();
        assert_eq!(done.stdout, word.as_bytes(), "{}", Done::of(&done).err);
    });
}

#[test]
fn much_input_and_output_goes_through() {
    each(|fixture| {
        const BYTES: usize = 32 << 20;
        let mut command = fixture.approved(&[], &["cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writing = std::thread::spawn(move || stdin.write_all(&vec![b'x'; BYTES]).unwrap());
        let mut read = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut read).unwrap();
        writing.join().unwrap();
        assert_eq!((read.len(), child.wait().unwrap().code()), (BYTES, Some(0)));
    });
}

#[test]
fn at_its_time_the_program_and_all_it_started_is_killed() {
    each(|fixture| {
        let marker = "98711.25";
        let script = format!("setsid sleep {marker} & sleep {marker}");
        fixture.sh(&["--timeout", "300ms"], &script, 124).says(&["its time was over"]);
        assert!(processes_with(marker).is_empty());
    });
}

#[test]
fn a_killed_host_leaves_nothing_running_and_nothing_behind() {
    each(|fixture| {
        let marker = "98712.25";
        let script = format!("echo up; touch made; setsid sleep {marker} & sleep {marker}");
        let mut command = fixture.approved(&[], &["sh", "-c", &script]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        child.kill().unwrap();
        child.wait().unwrap();
        // The end of the output is the end of whoever holds it: everything in the sandbox.
        assert_eq!(out.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(processes_with(marker).is_empty());
        assert!(fixture.names().is_empty());
        // Its end is nowhere in the log, which says so; what it left is thrown away on the record.
        let verified = fixture.run(&["--json", "audit", "verify"]);
        let verified: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
        assert_eq!(verified["unended"].as_array().map(Vec::len), Some(1), "{verified}");
        fixture.run(&["audit", "verify"]).says(&["still run or were killed"]);
        fixture.check(&[], &["true"], 0);
        fixture.no_stage_is_left();
        assert!(fixture.operations().contains(&"exec.recovered".to_owned()));
    });
}

#[test]
fn a_signal_to_the_host_reaches_the_program() {
    each(|fixture| {
        let script = "trap 'echo caught; exit 5' INT; echo up; while :; do sleep 0.05; done";
        let mut command = fixture.approved(&[], &["sh", "-c", script]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        line.clear();
        out.read_line(&mut line).unwrap();
        assert_eq!((line.as_str(), child.wait().unwrap().code()), ("caught\n", Some(5)));
    });
}

#[test]
fn every_step_is_in_the_log() {
    each(|fixture| {
        fixture.sh(&["--commit", "all"], "echo secret-argument > a", 0);
        assert_eq!(
            fixture.operations(),
            ["exec.approval", "exec.start", "exec.end", "exec.commit", "exec.committed"]
        );
        let log = fixture.log();
        let text = serde_json::to_string(&log).unwrap();
        let root = fixture.work();
        for hidden in ["secret-argument", root.to_str().unwrap()] {
            assert!(!text.contains(hidden), "`{hidden}` is in the log");
        }
        let run = |operation: &str| {
            let found = log.iter().find(|record| record["operation"] == operation).unwrap();
            found["run"].as_str().unwrap().to_owned()
        };
        assert_eq!(run("exec.start"), run("exec.committed"));
    });
}

#[test]
fn a_log_that_cannot_be_written_stops_it_before_it_starts() {
    each(|fixture| {
        let mut command = fixture.approved(&["--write", "direct"], &["touch", "ran"]);
        std::fs::create_dir(fixture.state().join("audit.jsonl")).unwrap();
        let done = Done::of(&command.output().unwrap());
        assert_ne!(done.code, Some(0), "{}", done.err);
        assert!(fixture.names().is_empty());
    });
}

/// The `cargo` of the home directory these tests run in, when there is one.
fn cargo() -> Option<(std::path::PathBuf, std::path::PathBuf)> {
    let home = std::path::PathBuf::from(std::env::var_os("HOME")?);
    let cargo = home.join(".cargo/bin/cargo");
    cargo.exists().then_some((home, cargo))
}

#[test]
fn a_toolchain_in_the_home_directory_works_without_further_flags() {
    let Some((home, cargo)) = cargo() else { return };
    let fixture = super::common::Fixture::new(super::common::Who::Me).unwrap();
    fixture.write(
        "Cargo.toml",
        "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    fixture.write("src/lib.rs", "#[test]\nfn works() { assert_eq!(1 + 1, 2); }\n");
    let argv = [cargo.to_str().unwrap(), "test"];
    let mut plan = fixture.command(&["--json", "exec", "--plan", "--"]);
    let plan = plan.args(argv).env("HOME", &home).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["toolchains"], serde_json::json!(["rust"]));
    let reads = plan["plan"]["files"].to_string();
    assert!(!reads.contains("credentials") && !reads.contains(".cargo\""), "{reads}");
    let subject = plan["subject"].as_str().unwrap();
    let mut run = fixture.command(&["exec", "--approve", subject, "--commit", "all", "--"]);
    let done = Done::of(&run.args(argv).env("HOME", &home).output().unwrap());
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    assert!(done.out.contains("1 passed"), "{}", done.out);
    assert_eq!(fixture.names(), ["Cargo.lock", "Cargo.toml", "src", "target"]);
}
