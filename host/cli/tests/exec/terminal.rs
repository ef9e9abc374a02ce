//! A person at a terminal: asked, answered, and asked again about the changes.

use super::common::{Fixture, each};
use super::session::Session;

#[test]
fn a_person_says_yes_sees_the_difference_and_commits() {
    each(|fixture| {
        fixture.write("old", "before\n");
        let script = "echo ran; echo after > old";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.until("run a native program in a sandbox?");
        session.until("a shell runs any text as commands");
        session.answer("\n> ", "y\n");
        session.until("ran\r\n");
        session.answer("[d]iff\r\n> ", "d\n");
        session.until("-before");
        session.answer("[d]iff\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("committed 0 added, 1 changed, 0 deleted"), "{seen}");
        assert_eq!(fixture.read("old").as_deref(), Some("after\n"));
        let shown = fixture.run(&["audit", "show", "--operation", "exec.commit"]);
        assert!(shown.out.contains("a person approved the changes"), "{}", shown.out);
    });
}

#[test]
fn a_person_says_no_and_nothing_runs() {
    each(|fixture| {
        let argv = ["exec", "--write", "direct", "--", "touch", "ran"];
        let mut session = Session::start(fixture, &argv);
        session.answer("\n> ", "n\n");
        let (code, seen) = session.end();
        assert_eq!((code, fixture.names().len()), (Some(3), 0), "{seen}");
        assert!(seen.contains("error[approval::denied]"), "{seen}");
    });
}

#[test]
fn a_flagged_change_is_asked_about_on_its_own() {
    each(|fixture| {
        let script = "echo a > file; echo b > .envrc; echo c > .npmrc";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.answer("\n> ", "y\n");
        session.answer("[d]iff\r\n> ", "y\n");
        session.until(".envrc: file");
        session.answer("commit it? [y]es  [n]o\r\n> ", "n\n");
        session.until(".npmrc: file");
        session.answer("commit it? [y]es  [n]o\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(0), "{seen}");
        assert_eq!(fixture.names(), [".npmrc", "file"], "{seen}");
    });
}

#[test]
fn selected_paths_alone_are_committed() {
    each(|fixture| {
        let mut session = Session::start(fixture, &["exec", "--", "touch", "a", "b"]);
        session.answer("\n> ", "y\n");
        session.answer("[d]iff\r\n> ", "s\n");
        session.answer("[q]uit\r\n> ", "n\n");
        session.answer("[q]uit\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!((code, fixture.names()), (Some(0), vec!["b".to_owned()]), "{seen}");
    });
}

#[test]
fn ctrl_c_ends_the_program_and_the_host_lives_on_to_ask() {
    each(|fixture| {
        // Nothing but a loop: a shell that just starts a program can lose a signal.
        let script = "trap 'exit 130' INT; echo kept > file; echo up; while :; do :; done";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.answer("\n> ", "y\n");
        session.answer("up\r\n", "\x03");
        session.answer("[d]iff\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(130), "{seen}");
        assert_eq!(fixture.read("file").as_deref(), Some("kept\n"));
    });
}

/// Runs a program that makes `.envrc` by direct writes, answers the question about it, and returns
/// the exit code, what was seen and whether it has its name.
fn made_protected(fixture: &Fixture, answer: &str) -> (Option<i32>, String, bool) {
    let argv = ["exec", "--write", "direct", "--", "sh", "-c", "echo b > .envrc"];
    let mut session = Session::start(fixture, &argv);
    session.answer("\n> ", "y\n");
    session.until(".envrc → .envrc.moved-aside-");
    session.answer("Put them back under their names? [y]es  [n]o\r\n> ", answer);
    let (code, seen) = session.end();
    let aside = |name: &String| name.starts_with(".envrc.moved-aside-");
    let back = fixture.read(".envrc").as_deref() == Some("b\n");
    assert_eq!(fixture.names().iter().filter(|name| aside(name)).count(), usize::from(!back));
    (code, seen, back)
}

/// Returns the decisions in the log about protected names, in order.
fn about_made(fixture: &Fixture) -> Vec<String> {
    let log = fixture.log();
    let made = log.iter().filter(|record| record["operation"] == "exec.made-protected");
    made.map(|record| record["decision"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_protected_name_is_put_back_when_a_person_says_yes() {
    each(|fixture| {
        let (code, seen, back) = made_protected(fixture, "y\n");
        assert_eq!((code, back), (Some(0), true), "{seen}");
        assert_eq!(about_made(fixture), ["forbid", "allow"]);
    });
}

#[test]
fn a_protected_name_stays_aside_at_every_other_answer() {
    for answer in ["n\n", "\n", "perhaps\n", "\x04"] {
        each(|fixture| {
            let (code, seen, back) = made_protected(fixture, answer);
            assert_eq!((code, back), (Some(3), false), "{answer:?}: {seen}");
            assert_eq!(about_made(fixture), ["forbid"], "{answer:?}");
        });
    }
}
