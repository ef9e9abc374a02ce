//! The whole way, and what an attacker can change on it.

use crate::common::{
    Home, NOW, at, changed, changed_exec, code, digest, exec, keep, me, request, run,
};
use ringfence_approval::{
    Action, Answer, ApprovalError, Approved, Approver, Asker, Broker, Channel, Decision, Denied,
    Exec, Expected, How, NoApprover, Prompt, Request, Store,
};
use ringfence_capability::Diagnostic;
use std::sync::Mutex;

/// A person who has an answer ready, and may do something while asked.
struct Person<F = fn(&Request)> {
    answer: Option<Answer>,
    asked: Mutex<usize>,
    meanwhile: F,
}

impl<F: Fn(&Request) + Send + Sync> Approver for Person<F> {
    fn ask(&self, request: &Request, _: &Prompt) -> Result<Answer, ApprovalError> {
        *self.asked.lock().unwrap() += 1;
        (self.meanwhile)(request);
        self.answer.clone().ok_or(ApprovalError::TimedOut)
    }

    fn channel(&self) -> Channel {
        Channel::Terminal
    }
}

fn person(answer: Answer) -> Person {
    Person { answer: Some(answer), asked: Mutex::new(0), meanwhile: |_| {} }
}

fn decide(store: &Store, approver: &dyn Approver, request: Request) -> Decision {
    Broker::new(store, approver, &run("run-1")).decide(request, Prompt::default)
}

/// What three requests for the same are told when a person answers each with `answer`, and how often
/// the person is asked.
fn check(answer: Answer, expected: [&str; 3], asked: usize) {
    let home = Home::new();
    let store = home.store();
    let person = person(answer);
    let said = [(); 3].map(|()| code(decide(&store, &person, request()).outcome));
    assert_eq!(said, expected);
    assert_eq!(*person.asked.lock().unwrap(), asked);
}

#[test]
fn an_answer_holds_as_long_as_it_says() {
    check(Answer::Once, ["ok"; 3], 3);
    check(Answer::ForThisRun, ["ok"; 3], 1);
    check(Answer::Until { time: at(NOW + 60) }, ["ok"; 3], 1);
    check(Answer::Always { pattern: None }, ["ok"; 3], 1);
    check(Answer::Deny, ["approval::denied"; 3], 3);
    let always = ["approval::denied", "approval::denied-always", "approval::denied-always"];
    check(Answer::DenyAlways, always, 1);
}

#[test]
fn the_event_says_what_happened_without_the_words_of_the_plugin() {
    let home = Home::new();
    let store = home.store();
    let asked = request();
    let Decision { outcome, event, .. } =
        decide(&store, &person(Answer::ForThisRun), asked.clone());
    let approved = outcome.unwrap();
    assert_eq!((approved.how(), approved.digest()), (How::Asked, asked.digest()));
    assert_eq!((event.request, event.subject), (asked.digest(), asked.subject()));
    assert_eq!((event.allowed, event.answer, event.by), (true, Some("for-this-run"), Some(me())));
    assert_eq!(event.lease.as_ref(), Some(approved.lease()));
    let Decision { outcome, event, .. } = decide(&store, &NoApprover, request());
    assert_eq!(outcome.unwrap().how(), How::Kept);
    assert_eq!((event.answer, event.by), (None, Some(me())));
    let denied = decide(&store, &NoApprover, changed_exec(|e| e.argv.push("x".into()))).event;
    assert_eq!((denied.allowed, denied.code), (false, Some("approval::nobody-to-ask")));
    assert_eq!((denied.capability.as_str(), denied.plugin), ("exec:cargo", Some(digest(1))));
}

#[test]
fn where_nobody_can_be_asked_the_hint_is_a_command_that_works() {
    let home = Home::new();
    let store = home.store();
    let asked = request();
    let denied = decide(&store, &NoApprover, asked.clone()).outcome.unwrap_err();
    assert_eq!(denied.code(), "approval::nobody-to-ask");
    let command = format!("ringfence approvals approve {}", asked.short_id());
    assert!(denied.hint().unwrap().contains(&command), "{:?}", denied.hint());
    store.answer(&asked.short_id(), &Answer::Once, Expected::AnyWithId, me()).unwrap();
    assert!(decide(&store, &NoApprover, request()).outcome.is_ok());
    assert!(decide(&store, &NoApprover, request()).outcome.is_err());
}

#[test]
fn a_plugin_does_not_ask_until_the_person_gives_in() {
    let home = Home::new();
    let store = home.store();
    let (person, run) = (person(Answer::Deny), run("run-1"));
    let broker = Broker::new(&store, &person, &run);
    let ask = |request| code(broker.decide(request, Prompt::default).outcome);
    for number in 0..5 {
        let another = changed_exec(|e| e.argv[3] = number.to_string().as_str().into());
        assert_eq!(ask(another), "approval::denied");
    }
    assert_eq!(ask(request()), "approval::refused-too-often");
    assert_eq!(*person.asked.lock().unwrap(), 5);
    // Another plugin is asked about, and so is this one where an answer was kept.
    let other = Asker::Plugin { name: "other".to_owned(), digest: digest(7) };
    assert_eq!(ask(changed(|d| d.asker = other)), "approval::denied");
    keep(&store, &request(), &Answer::ForThisRun);
    assert_eq!(ask(request()), "ok");
}

#[test]
fn silence_and_every_failure_are_a_denial() {
    let home = Home::new();
    let store = home.store();
    let silent = Person { answer: None, asked: Mutex::new(0), meanwhile: |_: &Request| {} };
    assert_eq!(code(decide(&store, &silent, request()).outcome), "approval::timed-out");
    let home = Home::new();
    let store = home.store();
    home.set(NOW + 301);
    assert_eq!(code(decide(&store, &person(Answer::Once), request()).outcome), "approval::expired");
    home.set(NOW - 24 * 3600);
    assert_eq!(
        code(decide(&store, &person(Answer::Once), request()).outcome),
        "approval::clock-behind"
    );
    let home = Home::new();
    let store = home.store();
    let drop = rusqlite::Connection::open(home.file("leases.sqlite")).unwrap();
    drop.execute_batch("DROP TABLE lease").unwrap();
    assert_eq!(
        code(decide(&store, &person(Answer::Once), request()).outcome),
        "approval::store-failed"
    );
}

#[test]
fn a_yes_that_took_longer_than_the_request_holds_is_a_denial() {
    let home = Home::new();
    let store = home.store();
    let (seconds, answer) = (home.seconds.clone(), Some(Answer::Once));
    let slow = move |_: &Request| seconds.store(NOW + 301, std::sync::atomic::Ordering::SeqCst);
    let person = Person { answer, asked: Mutex::new(0), meanwhile: slow };
    assert_eq!(code(decide(&store, &person, request()).outcome), "approval::expired");
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn a_denial_that_was_kept_while_a_person_was_asked_wins() {
    let home = Home::new();
    let (store, other) = (home.store(), home.store());
    let deny = move |request: &Request| keep(&other, request, &Answer::DenyAlways);
    let answer = Some(Answer::Always { pattern: None });
    let person = Person { answer, asked: Mutex::new(0), meanwhile: deny };
    assert_eq!(code(decide(&store, &person, request()).outcome), "approval::denied-always");
}

fn approved(store: &Store) -> Approved {
    decide(store, &person(Answer::Once), request()).outcome.unwrap()
}

#[test]
fn a_program_that_was_swapped_after_it_was_approved_is_refused() {
    let home = Home::new();
    let store = home.store();
    let proof = approved(&store);
    assert_eq!(code(proof.check_executable(&digest(9))), "approval::changed");
    assert_eq!(code(proof.redeem_exec(&digest(9), at(NOW))), "approval::changed");
    // The twin: the program that was approved.
    let proof = approved(&store);
    proof.check_executable(&digest(2)).unwrap();
    let redeemed = proof.redeem_exec(&digest(2), at(NOW)).unwrap();
    assert_eq!(redeemed.request.exec().unwrap().argv, exec().argv);
}

#[test]
fn a_start_that_was_changed_after_it_was_approved_is_refused() {
    let proof = approved(&Home::new().store());
    let check = |change: fn(&mut Exec), expected: Option<&str>| {
        let mut about = exec();
        change(&mut about);
        let changed = match proof.check_exec(&about) {
            Ok(()) => None,
            Err(Denied::Changed { what }) => Some(what),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(changed, expected);
    };
    check(|_| {}, None);
    check(|e| e.environment.reverse(), None);
    check(|e| e.argv[3] = "evil".into(), Some("list of arguments"));
    check(|e| e.argv.push("".into()), Some("list of arguments"));
    check(|e| e.executable.path = "/tmp/cargo".into(), Some("program"));
    check(|e| e.executable.digest = digest(9), Some("program"));
    check(|e| e.working_directory = "/".into(), Some("working directory"));
    check(|e| e.environment.push("LD_PRELOAD".into()), Some("list of environment variables"));
}

#[test]
fn a_proof_is_for_its_own_kind_of_action_and_its_own_time() {
    let home = Home::new();
    let store = home.store();
    assert_eq!(code(approved(&store).redeem_other(at(NOW))), "approval::changed");
    let late = approved(&store).redeem_exec(&digest(2), at(NOW + 301));
    assert_eq!(code(late), "approval::expired");
    let grant = changed(|d| d.action = Action::Grant);
    let proof = decide(&store, &person(Answer::Once), grant).outcome.unwrap();
    assert_eq!(code(proof.check_executable(&digest(2))), "approval::changed");
    assert_eq!(code(proof.check_exec(&exec())), "approval::changed");
    assert_eq!(code(proof.redeem_other(at(NOW))), "ok");
}

#[test]
fn an_answer_that_does_not_fit_allows_nothing() {
    let home = Home::new();
    let store = home.store();
    let pattern = ringfence_capability::ArgvPattern::parse(&["rm", "-**"]).unwrap();
    let answer = Answer::Always { pattern: Some(pattern) };
    assert_eq!(code(decide(&store, &person(answer), request()).outcome), "approval::misfit");
    assert_eq!(store.list().unwrap(), []);
}
