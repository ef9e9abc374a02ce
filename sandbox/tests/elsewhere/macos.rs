//! Attacks on Seatbelt profiles, by a shell and the system's own tools.

use std::time::Duration;

use ringfence_capability::Profile;
use ringfence_sandbox::{Exit, MacosExecutor};

use super::{Scene, check, inside, works};

const SHELL: [&str; 2] = ["/bin/sh", "-c"];

#[test]
fn ordinary_work_goes_on_inside() {
    let scripts = [
        "cat WORKSPACE/file > /dev/null",
        "ls WORKSPACE && id && uname -a && date",
        "(exit 0) & wait",
        "test \"$(pwd)\" = WORKSPACE",
    ];
    works(&MacosExecutor, Profile::Offline, &SHELL, &scripts);
    let writes = ["echo x > WORKSPACE/new && mkdir WORKSPACE/.gitx && rm WORKSPACE/file"];
    works(&MacosExecutor, Profile::WorkspaceWrite, &SHELL, &writes);
}

#[test]
fn files_outside_are_neither_read_nor_written_under_any_profile() {
    let attacks = [
        "cat OUTSIDE/file",
        "ls OUTSIDE",
        "echo x > OUTSIDE/new",
        "echo x >> OUTSIDE/file",
        "chmod 600 OUTSIDE/file",
        "touch OUTSIDE/file",
        "xattr -w a b OUTSIDE/file",
        "rm OUTSIDE/file",
        "mv OUTSIDE/file OUTSIDE/moved",
        "ln OUTSIDE/file OUTSIDE/linked",
        "cat WORKSPACE/../outside/file",
        "cat /System/Volumes/Data/OUTSIDE/file",
    ];
    for profile in [Profile::Offline, Profile::ReadOnly, Profile::WorkspaceWrite] {
        check(&MacosExecutor, profile, &SHELL, &attacks);
    }
}

#[test]
fn a_link_planted_in_the_workspace_leads_nowhere() {
    let attacks = [
        "ln -s OUTSIDE WORKSPACE/way && cat WORKSPACE/way/file",
        "ln -s OUTSIDE/file WORKSPACE/way && echo x > WORKSPACE/way",
        "ln OUTSIDE/file WORKSPACE/way && cat WORKSPACE/way",
    ];
    check(&MacosExecutor, Profile::WorkspaceWrite, &SHELL, &attacks);
}

#[test]
fn a_reading_profile_writes_nothing() {
    let attacks = ["echo x > WORKSPACE/new", "rm WORKSPACE/file", "chmod 600 WORKSPACE/file"];
    check(&MacosExecutor, Profile::ReadOnly, &SHELL, &attacks);
}

#[test]
fn a_protected_name_is_not_made_in_any_spelling_or_depth() {
    let attacks = [
        "mkdir WORKSPACE/.git",
        "mkdir WORKSPACE/.GIT",
        "mkdir -p WORKSPACE/a/b/.git/hooks",
        "ln -s file WORKSPACE/.git",
        "mkdir WORKSPACE/x && mv WORKSPACE/x WORKSPACE/.git",
    ];
    check(&MacosExecutor, Profile::WorkspaceWrite, &SHELL, &attacks);
}

#[test]
fn the_network_is_out_of_reach() {
    let attacks = [
        "curl -s --max-time 5 http://127.0.0.1:PORT/",
        "nc -z -G 5 127.0.0.1 PORT",
        "/usr/bin/python3 -c 'import socket; socket.socket().bind((\"127.0.0.1\", 0))'",
    ];
    check(&MacosExecutor, Profile::Offline, &SHELL, &attacks);
}

#[test]
fn no_signal_reaches_a_process_outside() {
    check(&MacosExecutor, Profile::Offline, &SHELL, &["kill -0 $PPID"]);
}

#[test]
fn a_set_id_bit_is_not_left_behind() {
    check(&MacosExecutor, Profile::WorkspaceWrite, &SHELL, &["chmod u+s WORKSPACE/file"]);
}

#[test]
fn a_run_ends_at_its_deadline_with_everything_it_started() {
    let scene = Scene::new();
    let plan = scene.plan(Profile::Offline);
    let script = "sleep 600 & sleep 600";
    let exit = inside(&MacosExecutor, &plan, &SHELL, script, Duration::from_secs(1));
    assert_eq!(exit, Exit::TimedOut);
}
