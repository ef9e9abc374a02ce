//! `approvals watch`: a person at one terminal answers for programs that wait elsewhere.

use std::io::Write as _;
use std::process::{Child, Stdio};

use super::common::{Done, Fixture, each};
use super::session::Session;

/// Lets `echo WORD` wait for somebody elsewhere.
fn waiting(fixture: &Fixture, word: &str) -> Child {
    let mut command = fixture.command(&["exec", "--approver", "socket", "--", "echo", word]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Done {
    Done::of(&child.wait_with_output().unwrap())
}

fn watch(fixture: &Fixture) -> Session {
    let mut session = Session::start(fixture, &["approvals", "watch"]);
    session.until("waiting for requests");
    session
}

/// Ends the watch as a person does.
fn leave(mut session: Session) {
    session.person.write_all(b"\x03").unwrap();
    session.end();
}

#[test]
fn who_watches_says_yes_and_no_for_programs_that_wait_elsewhere() {
    each(|fixture| {
        let mut session = watch(fixture);
        let yes = waiting(fixture, "first");
        session.until("echo first");
        session.answer("\n> ", "y\n");
        session.until("answered");
        let done = ended(yes);
        assert_eq!((done.code, done.out.as_str()), (Some(0), "first\n"), "{}", done.err);
        let no = waiting(fixture, "second");
        session.until("echo second");
        session.answer("\n> ", "n\n");
        let done = ended(no);
        assert_eq!((done.code, done.out.as_str()), (Some(3), ""), "{}", done.err);
        done.says(&["error[approval::denied]"]);
        leave(session);
        let answers = fixture.log();
        let by = answers.iter().filter_map(|record| record["approval"]["by"].as_str());
        assert_eq!(by.collect::<Vec<_>>(), ["socket", "socket"]);
    });
}

#[test]
fn a_word_that_is_not_understood_is_no_answer_and_it_is_asked_again() {
    each(|fixture| {
        let mut session = watch(fixture);
        let child = waiting(fixture, "patient");
        session.answer("\n> ", "perhaps\n");
        session.until("it still waits");
        session.until("echo patient");
        session.answer("\n> ", "y\n");
        let done = ended(child);
        assert_eq!((done.code, done.out.as_str()), (Some(0), "patient\n"), "{}", done.err);
        leave(session);
    });
}

#[test]
fn a_question_ends_when_it_was_answered_elsewhere_and_the_next_one_comes() {
    each(|fixture| {
        let mut session = watch(fixture);
        let child = waiting(fixture, "elsewhere");
        session.until("\n> ");
        session.seen.clear();
        let list = fixture.run(&["--json", "approvals", "list"]);
        let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
        let id = list["waiting"][0]["id"].as_str().unwrap();
        assert_eq!(fixture.run(&["approvals", "approve", id]).code, Some(0));
        assert_eq!(ended(child).out, "elsewhere\n");
        session.until("not answered");
        let next = waiting(fixture, "next");
        session.until("echo next");
        session.answer("\n> ", "y\n");
        assert_eq!(ended(next).out, "next\n");
        leave(session);
    });
}

#[test]
fn without_a_terminal_there_is_nobody_to_watch() {
    each(|fixture| {
        let mut command = fixture.start("setsid".as_ref());
        command.arg("-w").arg(fixture.program()).args(["approvals", "watch"]);
        let done = Done::of(&command.output().unwrap());
        assert_eq!(done.code, Some(2));
        done.says(&["`approvals list`"]);
    });
}
