//! What a plugin's program writes, and what of all of it is written down.

use std::sync::Arc;

use ringfence::approval::{Action, Answer};
use ringfence_audit::Records;

use super::{Person, shell, yes};
use crate::common::{Expect, Place, one, read, write};

/// Says yes to programs and no to what they wrote.
fn yes_but_keeps_nothing() -> Arc<Person> {
    Person::new(|request| match request.parts().action {
        Action::Exec(_) => Answer::Once,
        Action::Commit { .. } | Action::Grant => Answer::Deny,
    })
}

#[test]
fn what_a_program_writes_is_kept_only_when_a_person_approves_the_changes() {
    let line = ["sh", "-c", "echo new > added; echo more >> old; rm gone"];
    let before = || {
        let place = Place::new();
        place.file("ws/old", "old\n").file("ws/gone", "x");
        place
    };
    let run = |place| shell(place, &line).run();
    let all = || write(".", "/ws");
    let content = |place: &Place, name: &str| std::fs::read_to_string(place.path(name)).ok();

    let place = before();
    let case = shell(&place, &line).asks(yes_but_keeps_nothing());
    one(case.run().grant(all()), &Expect::Succeeded("discarded +1 ~1 -1 left out 0"));
    assert_eq!(content(&place, "ws/added"), None);
    assert_eq!(content(&place, "ws/old").as_deref(), Some("old\n"));
    assert!(content(&place, "ws/gone").is_some());

    let person = yes();
    let place = before();
    let case = shell(&place, &line).asks(Arc::clone(&person));
    one(case.run().grant(all()), &Expect::Succeeded("committed +1 ~1 -1 left out 0"));
    assert_eq!(content(&place, "ws/added").as_deref(), Some("new\n"));
    assert_eq!(content(&place, "ws/old").as_deref(), Some("old\nmore\n"));
    assert_eq!(content(&place, "ws/gone"), None);
    assert!(matches!(person.asked()[1].parts().action, Action::Commit { files: 3, .. }));
    let details = person.details.lock().unwrap();
    let detail = details[1].as_deref().unwrap();
    assert!(details[0].is_none() && detail.contains("  +more\n"), "{detail}");

    // Without a grant to write there is nothing to approve.
    let place = before();
    one(run(&place).grant(read(".", "/ws")), &Expect::Succeeded("nothing +0"));
}

#[test]
fn a_protected_name_is_never_committed_for_a_plugin() {
    let script = |name: &str| {
        format!("mkdir -p {name}/hooks; echo x > {name}/hooks/pre-commit; echo y > plain")
    };
    let (bad, good) = (script(".git"), script("git"));
    let write_both = |line: &str, expected: &str, there: &str| {
        let place = Place::new();
        let argv = ["sh", "-c", line];
        one(shell(&place, &argv).run().grant(write(".", "/ws")), &Expect::Succeeded(expected));
        assert!(place.path("ws/plain").exists());
        assert!(!place.path("ws/.git").exists());
        assert!(place.path(there).exists());
    };
    write_both(&bad, "committed +1 ~0 -0 left out ", "ws/plain");
    write_both(&good, "committed +4 ~0 -0 left out 0", "ws/git/hooks/pre-commit");
}

#[test]
fn every_step_is_in_the_log_under_the_run_and_the_plugin_and_no_argument_is() {
    let place = Place::new();
    let line = ["sh", "-c", "echo sesame > file"];
    one(shell(&place, &line).run().grant(write(".", "/ws")), &Expect::Succeeded("committed +1"));
    let file = std::fs::File::open(place.path("state/audit.jsonl")).unwrap();
    let records: Vec<_> =
        Records::new(std::io::BufReader::new(file)).collect::<Result<_, _>>().unwrap();
    let started = records.iter().find(|record| record.entry.operation == "run.start").unwrap();
    let of_run = records.iter().filter(|record| record.entry.run == started.entry.run);
    let steps: Vec<_> = of_run.map(|record| record.entry.operation.as_str()).collect();
    let expected = [
        "run.start",
        "exec.run",
        "exec.approval",
        "exec.start",
        "exec.end",
        "exec.commit-approval",
        "exec.commit",
        "exec.committed",
        "run.end",
    ];
    let found: Vec<_> = steps.iter().filter(|step| expected.contains(step)).copied().collect();
    assert_eq!(found, expected, "{steps:?}");
    for record in
        records.iter().filter(|record| expected.contains(&record.entry.operation.as_str()))
    {
        assert_eq!(record.entry.plugin.as_ref().unwrap().name, "exec-runner");
    }
    let text = std::fs::read_to_string(place.path("state/audit.jsonl")).unwrap();
    assert!(!text.contains("sesame > file"));
}
