//! Answers given with `approvals`, ahead and to a host that waits.

use std::process::Stdio;

use super::common::{Done, Fixture, each};

/// Runs `touch NAME` without anybody to ask, and returns the id in the message.
fn refused(fixture: &Fixture, name: &str) -> String {
    let done =
        fixture.run(&["exec", "--approver", "none", "--write", "direct", "--", "touch", name]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    let (_, rest) = done.err.split_once("request `").unwrap();
    rest[..12].to_owned()
}

#[test]
fn a_yes_given_ahead_is_used_once() {
    each(|fixture| {
        let id = refused(fixture, "a");
        let approved = fixture.run(&["approvals", "approve", &id]);
        assert_eq!(approved.code, Some(0), "{}", approved.err);
        approved.says(&["touch a", "can reach"]);
        let again = ["exec", "--approver", "none", "--write", "direct", "--", "touch", "a"];
        assert_eq!(fixture.run(&again).code, Some(0));
        assert_eq!(fixture.names(), ["a"]);
        assert_eq!(fixture.run(&again).code, Some(3));
        assert_eq!(
            fixture.operations(),
            [
                "exec.approval",
                "approval.answer",
                "exec.approval",
                "exec.start",
                "exec.end",
                "exec.approval"
            ]
        );
    });
}

#[test]
fn what_is_kept_is_listed_and_taken_back() {
    each(|fixture| {
        let id = refused(fixture, "a");
        assert!(fixture.run(&["approvals", "list"]).out.contains(&id));
        let always = fixture.run(&["--json", "approvals", "approve", &id, "--always"]);
        let value: serde_json::Value = serde_json::from_str(&always.out).unwrap();
        let lease = value["result"]["lease"]["id"].as_str().unwrap().to_owned();
        let again = ["exec", "--approver", "none", "--write", "direct", "--", "touch", "a"];
        for _ in 0..2 {
            assert_eq!(fixture.run(&again).code, Some(0));
        }
        assert!(fixture.run(&["approvals", "list"]).out.contains(&lease));
        assert_eq!(fixture.run(&["approvals", "revoke", &lease]).code, Some(0));
        assert_eq!(fixture.run(&again).code, Some(3));
        let id = refused(fixture, "b");
        assert_eq!(fixture.run(&["approvals", "deny", &id, "--always"]).code, Some(0));
        let done = fixture.run(&["exec", "--write", "direct", "--", "touch", "b"]);
        assert_eq!(done.code, Some(3));
        done.says(&["error[approval::denied-always]"]);
    });
}

#[test]
fn an_approval_is_for_this_program_and_no_other_content() {
    each(|fixture| {
        fixture.write("tool", "#!/bin/sh\necho one\n");
        let tool = fixture.work().join("tool");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&tool, mode).unwrap();
        let mut command = fixture.approved(&[], &["./tool"]);
        assert_eq!(Done::of(&command.output().unwrap()).out, "one\n");
        std::fs::write(&tool, "#!/bin/sh\necho two\n").unwrap();
        let done = Done::of(&command.output().unwrap());
        assert_eq!((done.code, done.out.as_str()), (Some(3), ""));
        done.says(&["error[cli::stale-approval]"]);
    });
}

#[test]
fn a_host_that_waits_is_answered_over_the_socket() {
    each(|fixture| {
        let mut command = fixture.command(&["exec", "--approver", "socket", "--", "echo", "ran"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = loop {
            let list = fixture.run(&["--json", "approvals", "list"]);
            let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
            if let Some(id) = list["waiting"][0]["id"].as_str() {
                break id.to_owned();
            }
        };
        let answered = fixture.run(&["approvals", "approve", &id]);
        assert_eq!(answered.code, Some(0), "{}", answered.err);
        assert!(answered.out.contains("it runs now"), "{}", answered.out);
        let done = Done::of(&child.wait_with_output().unwrap());
        assert_eq!((done.code, done.out.as_str()), (Some(0), "ran\n"), "{}", done.err);
    });
}

/// Copies what is kept, as a backup would.
fn copy(fixture: &Fixture, from: &str, to: &str) {
    let state = fixture.state();
    std::fs::create_dir_all(state.join(to)).unwrap();
    let (from, to) = (state.join(from).join("leases.sqlite"), state.join(to).join("leases.sqlite"));
    let _ = std::fs::remove_file(&to);
    // By another name and back, so that the owner stays who it was.
    let mut command = fixture.start("cp".as_ref());
    assert!(command.arg("-p").args([from, to]).status().unwrap().success());
}

#[test]
fn an_older_copy_of_the_answers_that_is_put_back_is_found() {
    each(|fixture| {
        let again = ["exec", "--approver", "none", "--write", "direct", "--", "touch", "a"];
        let kept = |words: &[&str]| {
            let id = refused(fixture, "a");
            let words = [&["--json", "approvals", "approve", &id], words].concat();
            let value: serde_json::Value = serde_json::from_str(&fixture.run(&words).out).unwrap();
            copy(fixture, "approvals", "copy");
            value["result"]["lease"]["id"].as_str().unwrap().to_owned()
        };
        std::fs::create_dir(fixture.state().join("copy")).unwrap();
        fixture.own(&fixture.state().join("copy")).unwrap();

        // It held once, and was used since.
        kept(&[]);
        assert_eq!(fixture.run(&again).code, Some(0));
        assert_eq!(fixture.run(&["audit", "verify"]).code, Some(0));
        copy(fixture, "copy", "approvals");
        let verified = fixture.run(&["audit", "verify"]);
        assert_eq!(verified.code, Some(3), "{}", verified.err);
        verified.says(&["error[approval::behind-log]", "used 0 times, and the log says 1"]);
        assert_eq!(fixture.run(&again).code, Some(0), "the twin: the old yes holds");

        // It held for always, was taken back, and holds again. Its uses are not counted.
        let lease = kept(&["--always"]);
        assert_eq!(fixture.run(&again).code, Some(0));
        copy(fixture, "copy", "approvals");
        assert_eq!(fixture.run(&["approvals", "revoke", &lease]).code, Some(0));
        assert_eq!(fixture.run(&["audit", "verify"]).code, Some(0));
        copy(fixture, "copy", "approvals");
        assert_eq!(fixture.run(&again).code, Some(0), "the twin: the old yes holds");
        let verified = fixture.run(&["--json", "audit", "verify"]);
        let value: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
        assert_eq!((verified.code, &value["ok"]), (Some(3), &false.into()));
        assert_eq!(value["behind"], serde_json::json!([lease]));
        assert_eq!(fixture.run(&["approvals", "revoke", "--all"]).code, Some(0));
        assert_eq!(fixture.run(&["audit", "verify"]).code, Some(0));
    });
}
