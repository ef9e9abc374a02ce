//! Tests of the agent as plain Rust: no component is built, and no model is there.

use super::*;

#[test]
fn marked_lines_are_listed_with_their_places() {
    let outcome =
        ToDo::run(Task::new("go through tests/notes.txt please")).map(|done| done.plain());
    let expected = "tests/notes.txt:2: TODO: water the plants\ntests/notes.txt:4: - TODO later";
    assert_eq!(outcome, Ok(expected.to_owned()));
}

#[test]
fn a_task_without_such_a_file_cannot_be_done() {
    let failed = ToDo::run(Task::new("go through no-such-file.txt"));
    assert!(matches!(failed, Err(Failure::InvalidTask(_))));
}
