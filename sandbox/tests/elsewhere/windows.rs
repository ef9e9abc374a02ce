//! Attacks on containers, by the command interpreter and the system's own tools.

use std::time::Duration;

use ringfence_capability::Profile;
use ringfence_sandbox::{Exit, WindowsExecutor};

use super::{Scene, check, inside, works};

const SHELL: [&str; 3] = [r"C:\Windows\System32\cmd.exe", "/d", "/c"];

#[test]
fn ordinary_work_goes_on_inside() {
    let scripts = [r"type WORKSPACE\file", "ver", r"dir WORKSPACE"];
    works(&WindowsExecutor, Profile::Offline, &SHELL, &scripts);
    works(&WindowsExecutor, Profile::WorkspaceWrite, &SHELL, &[r"echo x>WORKSPACE\new"]);
}

#[test]
fn files_outside_are_neither_read_nor_written_under_any_profile() {
    let attacks = [
        r"type OUTSIDE\file",
        r"dir OUTSIDE",
        r"echo x>OUTSIDE\new",
        r"ren OUTSIDE\file moved",
        r"icacls OUTSIDE\file /grant *S-1-1-0:R",
        r"type WORKSPACE\..\outside\file",
    ];
    for profile in [Profile::Offline, Profile::ReadOnly, Profile::WorkspaceWrite] {
        check(&WindowsExecutor, profile, &SHELL, &attacks);
    }
}

#[test]
fn a_reading_profile_writes_nothing() {
    let attacks = [r"echo x>WORKSPACE\new", r"ren WORKSPACE\file moved", r"mkdir WORKSPACE\.git"];
    check(&WindowsExecutor, Profile::ReadOnly, &SHELL, &attacks);
}

#[test]
fn nobody_inside_changes_an_access_list() {
    let attacks = [r"icacls WORKSPACE\file /grant *S-1-1-0:F"];
    check(&WindowsExecutor, Profile::WorkspaceWrite, &SHELL, &attacks);
}

#[test]
fn the_network_is_out_of_reach() {
    let attacks = ["curl.exe -s --max-time 5 http://127.0.0.1:PORT/"];
    check(&WindowsExecutor, Profile::Offline, &SHELL, &attacks);
}

#[test]
fn the_entries_of_a_run_are_gone_after_it() {
    let scene = Scene::new();
    let listed = || {
        let output = std::process::Command::new("icacls").arg(&scene.workspace).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let before = listed();
    let plan = scene.plan(Profile::Offline);
    inside(&WindowsExecutor, &plan, &SHELL, "ver", Duration::from_mins(1));
    assert_eq!(listed(), before);
}

#[test]
fn a_run_ends_at_its_deadline() {
    let scene = Scene::new();
    let plan = scene.plan(Profile::Offline);
    let script = "for /l %i in (0,0,1) do @rem";
    let exit = inside(&WindowsExecutor, &plan, &SHELL, script, Duration::from_secs(1));
    assert_eq!(exit, Exit::TimedOut);
}
