//! What is kept, for what, and for how long.

use crate::common::{
    Home, NOW, at, changed, changed_exec, claim, claim_in, code, digest, keep, me, request, run,
    words,
};
use ringfence_approval::{
    Answer, Argument, Asker, Claim, Effect, Expected, LeaseState, Request, Scope, Store,
};
use ringfence_capability::{ArgvPattern, Diagnostic};
use std::fs;

fn pattern(words: &[&str]) -> Answer {
    Answer::Always { pattern: Some(ArgvPattern::parse(words).unwrap()) }
}

const ALWAYS: Answer = Answer::Always { pattern: None };

#[test]
fn nothing_is_allowed_that_nobody_answered() {
    assert_eq!(claim(&Home::new().store(), &request()), "unknown");
}

#[test]
fn once_is_once() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &Answer::Once);
    assert_eq!([claim(&store, &request()), claim(&store, &request())], ["allowed", "unknown"]);
}

#[test]
fn a_request_is_used_once_even_where_everything_is_allowed() {
    let home = Home::new();
    let store = home.store();
    let first = request();
    keep(&store, &first, &ALWAYS);
    assert_eq!([claim(&store, &first), claim(&store, &first)], ["allowed", "used"]);
    assert_eq!(claim(&store, &request()), "allowed");
}

#[test]
fn an_answer_without_a_count_is_used_without_a_write() {
    let home = Home::new();
    let files = || fs::read(home.file("leases.sqlite")).ok();
    let store = home.store();
    keep(&store, &request(), &ALWAYS);
    keep(&store, &changed_exec(|e| e.argv.clear_and("ls")), &Answer::Once);
    let before = files();
    home.set(NOW + 59);
    assert_eq!(claim(&store, &request()), "allowed");
    assert!(files() == before, "a use without a count was written");
    // What is counted is written, and so is the time when it moved on by a minute.
    assert_eq!(claim(&store, &changed_exec(|e| e.argv.clear_and("ls"))), "allowed");
    let counted = files();
    assert!(counted != before);
    home.set(NOW + 59 + 60);
    assert_eq!(claim(&store, &request()), "allowed");
    assert!(files() != counted);
}

#[test]
fn the_time_is_remembered_where_nothing_else_is_written() {
    let home = Home::new();
    let store = home.store();
    let long = || changed(|d| d.expires = at(NOW + 100_000));
    keep(&store, &long(), &ALWAYS);
    home.set(NOW + 3 * 3600);
    assert_eq!(claim(&store, &long()), "allowed");
    home.set(NOW);
    let refused = home.store().claim(&long(), &run("run-1")).unwrap_err();
    assert_eq!(refused.code(), "approval::clock-behind");
}

#[test]
fn an_answer_for_one_run_is_for_no_other() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &Answer::ForThisRun);
    assert_eq!(claim_in(&store, &request(), "run-2"), "unknown");
    assert_eq!([claim(&store, &request()), claim(&store, &request())], ["allowed"; 2]);
    home.set(NOW + 25 * 3600);
    assert_eq!(claim(&store, &changed(|d| d.expires = at(NOW + 26 * 3600))), "unknown");
    let nobodys = store.keep(&request(), &Answer::ForThisRun, None, me());
    assert_eq!(code(nobodys), "approval::misfit");
}

#[test]
fn an_answer_until_then_ends_then_and_no_clock_brings_it_back() {
    let home = Home::new();
    let store = home.store();
    let long = || changed(|d| d.expires = at(NOW + 100_000));
    keep(&store, &long(), &Answer::Until { time: at(NOW + 60) });
    home.set(NOW + 60);
    assert_eq!(claim(&store, &long()), "allowed");
    home.set(NOW + 61);
    assert_eq!(claim(&store, &long()), "unknown");
    // Back to where it held: the store remembers how late it was already, and so does the next one.
    home.set(NOW + 30);
    assert_eq!(claim(&store, &long()), "unknown");
    assert_eq!(claim(&home.store(), &long()), "unknown");
    // The twin: a store that has not seen the later time allows it.
    let other = Home::new();
    let twin = other.store();
    keep(&twin, &long(), &Answer::Until { time: at(NOW + 60) });
    other.set(NOW + 30);
    assert_eq!(claim(&twin, &long()), "allowed");
    let past = store.keep(&long(), &Answer::Until { time: at(NOW) }, None, me());
    assert_eq!(code(past), "approval::misfit");
}

#[test]
fn a_clock_that_is_far_behind_is_refused_until_a_person_decides() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &ALWAYS);
    store.keep(&changed_exec(|e| e.argv.clear_and("rm")), &Answer::DenyAlways, None, me()).unwrap();
    home.set(NOW - 2 * 3600);
    let refused = store.claim(&request(), &run("run-1")).unwrap_err();
    assert_eq!(refused.code(), "approval::clock-behind");
    assert!(refused.hint().unwrap().contains("ringfence approvals revoke --all"));
    assert_eq!(store.revoke_all().unwrap(), 1);
    assert_eq!(claim(&store, &request()), "unknown");
    assert_eq!(claim(&store, &changed_exec(|e| e.argv.clear_and("rm"))), "denied");
}

trait ClearAnd {
    fn clear_and(&mut self, word: &str);
}

impl ClearAnd for Vec<Argument> {
    fn clear_and(&mut self, word: &str) {
        *self = words(&[word]);
    }
}

#[test]
fn a_request_that_expired_is_refused_whatever_is_kept() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &ALWAYS);
    home.set(NOW + 300);
    assert_eq!(claim(&store, &request()), "allowed");
    home.set(NOW + 301);
    assert_eq!(claim(&store, &request()), "expired");
}

/// Everything that makes it another action.
fn others() -> Vec<(&'static str, Request)> {
    vec![
        (
            "plugin",
            changed(|d| d.asker = Asker::Plugin { name: "builder".into(), digest: digest(9) }),
        ),
        ("operator", changed(|d| d.asker = Asker::Operator)),
        ("signer", changed(|d| d.signer = None)),
        ("capability", changed(|d| d.capability = "exec:*".into())),
        ("plan", changed(|d| d.plan["network"] = "proxy".into())),
        ("content", changed_exec(|e| e.executable.digest = digest(9))),
        ("path", changed_exec(|e| e.executable.path = "/tmp/cargo".into())),
        ("directory", changed_exec(|e| e.working_directory = "/tmp".into())),
        ("environment", changed_exec(|e| e.environment.push("LD_PRELOAD".to_owned()))),
    ]
}

#[test]
fn always_is_for_exactly_this_action() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &ALWAYS);
    for (what, other) in others() {
        assert_eq!(claim(&store, &other), "unknown", "{what}");
    }
    let argv = changed_exec(|e| e.argv[3] = "lexer".into());
    assert_eq!(claim(&store, &argv), "unknown");
    assert_eq!(claim(&store, &changed(|d| d.reason = None)), "allowed");
}

#[test]
fn always_with_a_pattern_is_for_what_matches_it_and_nothing_around_it() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &pattern(&["cargo", "test", "-p", "*"]));
    for (what, other) in others() {
        assert_eq!(claim(&store, &other), "unknown", "{what}");
    }
    let with = |word: &str| changed_exec(|e| e.argv[3] = word.into());
    assert_eq!(claim(&store, &with("lexer")), "allowed");
    assert_eq!(claim(&store, &with("--config=evil.toml")), "unknown");
    let other = store.keep(&request(), &pattern(&["cargo", "build"]), None, me());
    assert_eq!(code(other), "approval::misfit");
}

#[test]
fn a_kept_denial_wins_whatever_was_allowed_and_when() {
    for first in [true, false] {
        let home = Home::new();
        let store = home.store();
        if first {
            keep(&store, &request(), &Answer::DenyAlways);
        }
        for answer in [ALWAYS, Answer::Once, Answer::ForThisRun, pattern(&["cargo", "-**"])] {
            keep(&store, &request(), &answer);
        }
        if !first {
            assert_eq!(claim(&store, &request()), "allowed");
            keep(&store, &request(), &Answer::DenyAlways);
        }
        assert_eq!(claim(&store, &request()), "denied");
    }
}

#[test]
fn a_kept_denial_is_not_got_round_by_changing_what_surrounds_it() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &Answer::DenyAlways);
    for (what, other) in others() {
        let another_deed = ["plugin", "operator", "capability", "path"].contains(&what);
        let expected = if another_deed { "unknown" } else { "denied" };
        assert_eq!(claim(&store, &other), expected, "{what}");
    }
}

#[test]
fn what_is_taken_back_no_longer_holds() {
    let home = Home::new();
    let store = home.store();
    let one = |answer| store.keep(&request(), &answer, None, me()).unwrap().unwrap();
    let (yes, no) = (one(ALWAYS), one(Answer::DenyAlways));
    assert_eq!(claim(&store, &request()), "denied");
    assert_eq!(store.revoke(&no.id).unwrap().state, LeaseState::Revoked);
    assert_eq!(claim(&store, &request()), "allowed");
    store.revoke(&yes.id).unwrap();
    assert_eq!(claim(&store, &request()), "unknown");
    assert_eq!(code(store.revoke(&"0123456789ab".parse().unwrap())), "approval::unknown-id");
    assert_eq!(store.prune().unwrap(), 2);
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn the_list_says_what_who_and_how_often() {
    let home = Home::new();
    let store = home.store();
    let first = request();
    keep(&store, &first, &Answer::Until { time: at(NOW + 60) });
    assert_eq!(claim(&store, &request()), "allowed");
    home.set(NOW + 1);
    keep(&store, &first, &Answer::Once);
    let list = home.store().list().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!((list[0].effect, &list[0].scope), (Effect::Allow, &Scope::Exact));
    assert_eq!((list[0].uses, list[0].uses_left), (None, None));
    assert_eq!((list[1].uses, list[1].uses_left), (Some(0), Some(1)));
    assert_eq!((list[0].by, list[0].created, list[0].expires), (me(), at(NOW), Some(at(NOW + 60))));
    assert_eq!(list[0].request, first);
    home.set(NOW + 61);
    assert_eq!(store.list().unwrap()[0].state, LeaseState::Expired);
}

#[test]
fn no_is_not_kept_and_a_yes_that_came_too_late_does_not_count() {
    let home = Home::new();
    let store = home.store();
    assert_eq!(store.keep(&request(), &Answer::Deny, None, me()).unwrap(), None);
    let asked = request();
    // While the person thinks, somebody else denies it for always.
    keep(&store, &asked, &Answer::DenyAlways);
    let late = store.keep_and_claim(&asked, &ALWAYS, &run("run-1"), me()).unwrap();
    assert!(matches!(late, Claim::Denied(_)), "{late:?}");
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn what_was_used_up_is_not_listed_for_ever() {
    let home = Home::new();
    let store = home.store();
    keep(&store, &request(), &Answer::Once);
    assert_eq!(claim(&store, &request()), "allowed");
    keep(&store, &request(), &Answer::DenyAlways);
    home.set(NOW + 8 * 24 * 3600);
    keep(&store, &request(), &ALWAYS);
    let effects: Vec<Effect> = store.list().unwrap().into_iter().map(|l| l.effect).collect();
    assert_eq!(effects, [Effect::Deny, Effect::Allow]);
}

fn remembered(store: &Store) -> Vec<Request> {
    store.asked().unwrap().into_iter().map(|asked| asked.request).collect()
}

#[test]
fn a_request_that_nobody_could_answer_is_approved_by_its_id() {
    let home = Home::new();
    let store = home.store();
    let asked = request();
    store.remember(&asked).unwrap();
    assert_eq!(remembered(&store), std::slice::from_ref(&asked));
    let id = asked.short_id();
    let other = store.answer(&id, &Answer::Once, Expected::Digest(digest(3)), me());
    assert_eq!(code(other), "approval::misfit");
    let over = store.answer(&id, &Answer::ForThisRun, Expected::AnyWithId, me());
    assert_eq!(code(over), "approval::misfit");
    store.answer(&id, &Answer::Once, Expected::Digest(asked.digest()), me()).unwrap();
    assert_eq!(remembered(&store), []);
    home.set(NOW + 1800);
    let again = || changed(|d| d.expires = at(NOW + 7200));
    assert_eq!([claim(&store, &again()), claim(&store, &again())], ["allowed", "unknown"]);
    let gone = store.answer(&id, &Answer::Once, Expected::AnyWithId, me());
    assert_eq!(code(gone), "approval::unknown-id");
}

#[test]
fn remembered_requests_are_few_and_not_for_long() {
    let home = Home::new();
    let store = home.store();
    for number in 0..300 {
        store.remember(&changed_exec(|e| e.argv[3] = number.to_string().as_str().into())).unwrap();
    }
    store.remember(&request()).unwrap();
    store.remember(&request()).unwrap();
    assert_eq!(remembered(&store).len(), 256);
    home.set(NOW + 24 * 3600 + 1);
    assert_eq!(remembered(&store), []);
}
