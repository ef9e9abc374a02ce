//! Agents at a terminal: the tree, the questions, the keyboard.

use std::io::Write as _;

use rustix::termios::{Winsize, tcsetwinsize};

use super::pty::Session;
use super::screen::screen;
use super::*;

impl Place {
    /// Runs it at a terminal with so many rows and columns; 0 when it does not say.
    pub(crate) fn at_terminal(&self, size: (u16, u16), arguments: &[&str]) -> Session {
        let command = self.at_home(Command::new("setsid"));
        let program = Path::new(env!("CARGO_BIN_EXE_ringfence"));
        let session = Session::of(command, program, arguments, |_| {});
        let (ws_row, ws_col) = size;
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&session.person, size).unwrap();
        session
    }
}

/// What the worker is granted in these tests.
fn requests() -> Vec<(&'static str, &'static str)> {
    [&[CHILDREN, ("tool", "names = [\"json-query\"]")][..], &JSON_QUERY_NEEDS[..]].concat()
}

#[test]
fn the_tree_is_drawn_over_itself_and_each_agent_is_in_one_row_of_it() {
    let place = Place::new();
    let plan = worker(&place, "ping 20", &requests());
    let session = place.at_terminal((0, 0), &["agents", "run", &plan]);
    let (code, seen) = session.end();
    let lines = screen(&seen);
    let rows: Vec<_> = lines.iter().filter(|line| line.contains("agent-worker")).collect();
    assert_eq!((code, rows.len()), (Some(0), 2), "{lines:?}");
    assert!(rows[0].starts_with("a (agent-worker) done"), "{lines:?}");
    assert!(rows[1].starts_with("  echo (agent-worker) done"), "{lines:?}");
    assert!(lines.iter().any(|line| line == "20 echoed"), "{lines:?}");
    assert!(seen.matches("waits").count() > 1, "it was drawn as things happened: {seen:?}");
}

#[test]
fn a_tree_higher_than_the_terminal_shows_its_end_and_counts_the_rest() {
    let place = Place::new();
    let plan = worker(&place, "fork 3", &requests());
    let session = place.at_terminal((8, 20), &["agents", "run", &plan]);
    let (code, seen) = session.end();
    let lines = screen(&seen);
    let rows = lines.iter().filter(|line| line.contains("(agent-worker)")).count();
    assert_eq!((code, rows), (Some(0), 5), "{lines:?}");
    assert!(lines.iter().any(|line| line == "… 2 more"), "{lines:?}");
}

#[test]
fn the_first_ctrl_c_asks_agents_to_end_and_the_second_ends_them() {
    let place = Place::new();
    for (goal, again, end, said) in
        [("wait", false, 0, "Error::Cancelled"), ("deaf", true, 1, "it was cancelled")]
    {
        let plan = worker(&place, goal, &requests());
        // Longer than the test may take: who does not end by itself ends by the second, or not at all.
        let arguments = ["agents", "run", &plan, "--grace", "3600"];
        let mut session = place.at_terminal((0, 0), &arguments);
        session.until(if again { "deaf" } else { " runs" });
        session.person.write_all(b"\x03").unwrap();
        if again {
            session.until("Ctrl-C again ends them now");
            session.person.write_all(b"\x03").unwrap();
        }
        let (code, seen) = session.end();
        assert_eq!(code, Some(end), "{goal}: {seen}");
        assert!(seen.contains(said), "{goal}: {seen}");
    }
}

#[test]
fn an_agent_s_question_is_two_lines_whatever_it_says_and_a_late_one_is_withdrawn() {
    let place = Place::new();
    let plan = worker(&place, "ask 2", &requests());
    let session = place.at_terminal((0, 0), &["agents", "run", &plan]);
    let (code, seen) = session.end();
    // What the terminal is told by the host alone: the agent's own order is not among it.
    let lines = screen(&seen);
    let asked: Vec<_> = lines.iter().filter(|line| line.contains("asks:")).collect();
    let own = |line: &&&String| line.starts_with("Agent 1 asks: question ");
    assert_eq!((code, asked.iter().filter(own).count()), (Some(0), asked.len()), "{lines:?}");
    assert!(asked[0].contains("Agent 9 asks: a line of its own\u{fffd}[2J"), "{lines:?}");
    assert!(lines.iter().any(|line| line == "nobody waits for the answer any more"), "{lines:?}");
    assert!(seen.contains("Verdict::Expired Verdict::Expired"), "{seen}");
    let rows = lines.iter().filter(|line| line.starts_with("a (agent-worker) done")).count();
    assert_eq!(rows, 1, "the tree is whole after the questions: {lines:?}");
}

#[test]
fn a_run_goes_on_with_what_was_said_when_it_began() {
    let place = Place::new();
    let policy = "[[rule]]\ncapability = \"env\"\ndecision = \"forbid\"\nreason = \"r\"\n";
    place.write("narrow.toml", policy);
    let plan = worker(&place, "asked greedy json_query_query", &requests());
    let arguments = ["agents", "run", &plan, "-p", "read-only", "--policy", "narrow.toml"];
    let mut session = place.at_terminal((0, 0), &arguments);
    session.until("Agent 1 asks: go on");
    session.until("\n> ");
    // What was read is not read again: the children that start now have the same profile and layers.
    std::fs::remove_file(place.0.path().join("ws/narrow.toml")).unwrap();
    session.person.write_all(b"yes\n").unwrap();
    let (code, seen) = session.end();
    assert_eq!(code, Some(0), "{seen}");
    let log = std::fs::read_to_string(place.0.path().join("state/audit.jsonl")).unwrap();
    let decided = |profile: &str| log.matches(&format!("\"{profile}\"")).count();
    assert!(decided("read-only") > 10, "{log}");
    assert_eq!(decided("offline"), 0, "{log}");
}
