//! A person at a terminal: sees what is asked for, and says yes or no.

use super::common::{Fixture, key};
use super::session::Session;

#[test]
fn a_person_is_shown_everything_before_the_question_and_no_is_what_counts_otherwise() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &["docs"]), Some(&acme));
    for (typed, code, says) in [
        ("\n", 3, "you did not agree"),
        ("no\n", 3, "you did not agree"),
        ("yess\n", 3, "you did not agree"),
        ("y\n", 0, "adder 1.0.0: installed"),
    ] {
        let mut session = Session::start(&fixture, &["install", "a.rfz"]);
        session.until("signed    by Acme");
        session.until("fs.read:workspace/docs  reads it");
        session.answer("install adder 1.0.0? [y/N] ", typed);
        let (ended, seen) = session.end();
        assert_eq!(ended, Some(code), "{typed:?}: {seen}");
        assert!(seen.contains(says), "{typed:?}: {seen}");
    }
    let log = fixture.run(&["--json", "audit", "show"]);
    assert!(log.out.contains("\"by\":\"terminal\""), "{}", log.out);
}

#[test]
fn a_wider_update_shows_the_difference_and_asks() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &["docs"]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.1.0", &["."]), Some(&acme));
    for (typed, code) in [("n\n", 3), ("y\n", 0)] {
        let mut session = Session::start(&fixture, &["update"]);
        session.until("+ fs.read:workspace  (was fs.read:workspace/docs)");
        session.answer("update adder 1.0.0 to 1.1.0? [y/N] ", typed);
        assert_eq!(session.end().0, Some(code));
    }
    // Nothing is asked when nothing more is.
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.2.0", &["."]), Some(&acme));
    let (code, seen) = Session::start(&fixture, &["update"]).end();
    assert_eq!(
        (code, seen.trim()),
        (Some(0), "adder 1.1.0 -> 1.2.0: updated; asks for nothing more")
    );
}

#[test]
fn a_person_can_trust_an_unknown_key_and_only_a_person() {
    let fixture = Fixture::new();
    let stranger = key();
    let digest = fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&stranger));
    fixture.check(&["install", "a.rfz", "--yes"], 3, &["error[trust::unknown-key]"]);
    fixture.check(&["install", "a.rfz", "--accept", &digest], 3, &["error[trust::unknown-key]"]);
    let mut session = Session::start(&fixture, &["install", "a.rfz"]);
    let public = stranger.public().to_string();
    session.until(&public);
    session.answer("Type `yes` to do so: ", "no\n");
    assert_eq!(session.end().0, Some(3));
    fixture.check(&["list"], 0, &["nothing is installed"]);
    let mut session = Session::start(&fixture, &["install", "a.rfz"]);
    session.answer("Type `yes` to do so: ", "yes\n");
    session.answer("install adder 1.0.0? [y/N] ", "y\n");
    assert_eq!(session.end().0, Some(0));
    // From now on the name belongs to that key.
    fixture.check(&["list", "--check"], 0, &["adder 1.0.0  signed by publisher of adder"]);
}
