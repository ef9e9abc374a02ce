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
