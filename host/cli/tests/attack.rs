//! Attacking the own machine's sandbox from the command line.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start the program and look at files"
)]

use std::path::Path;
use std::process::{Command, Output};

fn ringfence(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
fn what_the_battery_starts_attacks_nothing_outside_of_a_sandbox() {
    let program = Path::new(env!("CARGO_BIN_EXE_ringfence"));
    let output = ringfence(program, &["attack-from-inside", "signal_a_process_of_the_host"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("this is started by the battery, inside a sandbox"), "{errors}");
}

#[test]
fn every_profile_of_this_machine_is_attacked_and_holds() {
    let state = tempfile::tempdir_in("/var/tmp").unwrap();
    let place = state.path().to_str().unwrap();
    // A copy: a build beside the test would replace the program, which the sandbox refuses.
    let program = state.path().join("ringfence");
    std::fs::copy(env!("CARGO_BIN_EXE_ringfence"), &program).unwrap();
    let output = ringfence(&program, &["--state-dir", place, "--json", "doctor", "--attack"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["ok"]), (Some(0), &true.into()), "{told}");
    let attacks = told["attacks"].as_array().unwrap();
    let did_not_run = attacks.iter().find(|row| row["verdict"] == "skipped");
    assert!(attacks.len() > 300 && did_not_run.is_none(), "{did_not_run:?}");
    let output = ringfence(&program, &["--state-dir", place, "doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("every attack was held"), "{text}");
    let left = std::fs::read_dir(state.path().join("attack")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn nothing_is_attacked_from_where_the_sandbox_has_a_directory_of_its_own() {
    let state = tempfile::tempdir_in("/tmp").unwrap();
    let place = state.path().to_str().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ringfence"));
    let output = ringfence(program, &["--state-dir", place, "doctor", "--attack"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["error[exec::attack-ground]", "a `/tmp` of their own", "--state-dir DIR"] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
    assert!(!state.path().join("attack-receipt.json").exists(), "nothing was attacked");
}

#[test]
fn a_system_that_lacks_something_is_told_what_and_what_to_do_and_starts_nothing() {
    let (state, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |limit: &str, arguments: &[&str]| {
        // In a user namespace of one's own the number of further ones can be set.
        let line = format!("echo {limit} > /proc/sys/user/max_user_namespaces && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &line, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_ringfence")).args(arguments).current_dir(work.path());
        command.env("RINGFENCE_STATE_DIR", state.path()).env("HOME", "/nonexistent");
        command.env("RINGFENCE_CACHE_DIR", state.path().join("cache"));
        command.output().unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let said = text(&run("0", &["doctor"]).stdout);
    for part in [
        "native sandbox",
        "`ringfence exec` will start nothing here, because this is missing: `namespaces`",
        "fix: `namespaces`: allow unprivileged user namespaces",
        "plugins run; this does not work: native sandbox",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
    let exec = ["exec", "--approver", "none", "--commit", "none", "--", "true"];
    let plan = run("0", &["--json", "exec", "--plan", "--", "true"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let subject = plan["subject"].as_str().unwrap();
    let exec = [&exec[..1], &["--approve", subject], &exec[1..]].concat();
    let refused = run("0", &exec);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    for part in ["error[sandbox::missing-feature]", "`namespaces`", "hint: allow unprivileged"] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
    // The twin: with namespaces the same starts.
    assert_eq!(run("100", &exec).status.code(), Some(0));
    let said = text(&run("100", &["doctor"]).stdout);
    assert!(said.contains("every mechanism works"), "{said}");
}
