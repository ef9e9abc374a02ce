//! A host waits, a person answers from elsewhere.

use crate::common::{Home, changed, code, digest, request};
use ringfence_approval::socket::{Change, Pending, SocketApprover, Watch, answer, pending};
use ringfence_approval::{Answer, ApprovalError, Approver, Place, Prompt, Request};
use ringfence_capability::ArgvPattern;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) const LONG: Duration = Duration::from_mins(1);

pub(crate) type Waiting = JoinHandle<Result<Answer, ApprovalError>>;

/// Lets a host wait for an answer to `request`, and returns when it does.
pub(crate) fn wait(home: &Home, request: &Request, prompt: Prompt) -> Waiting {
    let place = Arc::new(home.place());
    let (asked, host) = (request.clone(), SocketApprover::new(Arc::clone(&place)));
    let waiting = std::thread::spawn(move || host.ask(&asked, &prompt));
    let mut watch = Watch::open(&place).unwrap();
    loop {
        match watch.next(LONG).unwrap().expect("a request that waits") {
            Change::Waiting(one) if one.request == *request => return waiting,
            _ => {}
        }
    }
}

fn ids(pending: &[Pending]) -> Vec<String> {
    pending.iter().map(|one| one.request.short_id().to_string()).collect()
}

#[test]
fn a_person_sees_what_waits_and_answers_it() {
    let home = Home::new();
    let request = request();
    let pattern = ArgvPattern::parse(&["cargo", "-**"]).unwrap();
    let prompt = Prompt::waiting(LONG).offering(pattern.clone()).warning("careful");
    let prompt = prompt.detailed("  +\"new\"\n".repeat(40_000));
    let waiting = wait(&home, &request, prompt);
    let place = home.place();
    let seen = pending(&place).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].request, request);
    assert_eq!(seen[0].prompt.pattern, Some(pattern.clone()));
    assert_eq!(seen[0].prompt.warnings, ["careful"]);
    let detail = seen[0].prompt.detail.as_deref().unwrap();
    assert!(detail.len() > 200_000 && detail.starts_with("  +\"new\"\n"));
    assert_eq!(u32::try_from(seen[0].process).unwrap(), std::process::id());
    let always = Answer::Always { pattern: Some(pattern) };
    answer(&place, &seen[0].request.digest(), &always).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), always);
    assert!(pending(&place).unwrap().is_empty());
    assert_eq!(code(answer(&place, &request.digest(), &always)), "approval::not-waiting");
}

#[test]
fn each_of_many_gets_its_own_answer() {
    let home = Home::new();
    let requests: Vec<Request> = (0..6).map(|_| request()).collect();
    let waiting: Vec<Waiting> =
        requests.iter().map(|request| wait(&home, request, Prompt::waiting(LONG))).collect();
    let place = home.place();
    let mut expected: Vec<_> = requests.iter().map(|r| r.short_id().to_string()).collect();
    expected.sort();
    assert_eq!(ids(&pending(&place).unwrap()), expected);
    let said = |index| if index % 2 == 0 { Answer::Once } else { Answer::Deny };
    for (index, request) in requests.iter().enumerate().rev() {
        answer(&place, &request.digest(), &said(index)).unwrap();
    }
    for (index, waiting) in waiting.into_iter().enumerate() {
        assert_eq!(waiting.join().unwrap().unwrap(), said(index));
    }
}

#[test]
fn a_host_that_nobody_answers_stops_waiting() {
    let home = Home::new();
    let host = SocketApprover::new(Arc::new(home.place()));
    let silence = host.ask(&request(), &Prompt::waiting(Duration::from_millis(20)));
    assert_eq!(code(silence), "approval::timed-out");
    assert_eq!(std::fs::read_dir(home.file("")).unwrap().count(), 0, "its socket is left behind");
}

#[test]
fn the_socket_of_a_host_that_died_is_swept() {
    let home = Home::new();
    let place = home.place();
    let path = home.file("0123456789ab.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(pending(&place).unwrap().is_empty());
    assert!(!path.exists());
}

#[test]
fn a_long_path_is_no_hindrance() {
    let home = Home::new();
    let deep = home.state.path().join("d".repeat(120)).join("e".repeat(120));
    let place = Arc::new(Place::open(&deep).unwrap());
    let (one, host) = (request(), SocketApprover::new(Arc::clone(&place)));
    let asked = one.clone();
    let waiting = std::thread::spawn(move || host.ask(&asked, &Prompt::waiting(LONG)));
    Watch::open(&place).unwrap().next(LONG).unwrap().expect("it waits");
    answer(&place, &one.digest(), &Answer::Deny).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), Answer::Deny);
}

#[test]
fn a_watch_tells_what_comes_and_goes() {
    let home = Home::new();
    let place = home.place();
    let mut watch = Watch::open(&place).unwrap();
    assert!(watch.next(Duration::ZERO).unwrap().is_none());
    let request = request();
    let waiting = wait(&home, &request, Prompt::waiting(LONG));
    let first = watch.next(LONG).unwrap();
    assert!(matches!(first, Some(Change::Waiting(one)) if one.request == request));
    answer(&place, &request.digest(), &Answer::Deny).unwrap();
    waiting.join().unwrap().unwrap();
    let then = watch.next(LONG).unwrap();
    assert!(matches!(then, Some(Change::Gone(digest)) if digest == request.digest()));
}

#[test]
fn an_answer_to_what_does_not_wait_reaches_nobody() {
    let home = Home::new();
    let waiting = wait(&home, &request(), Prompt::waiting(LONG));
    let place = home.place();
    assert_eq!(code(answer(&place, &digest(9), &Answer::Once)), "approval::not-waiting");
    let other = changed(|d| d.plan["network"] = "proxy".into());
    assert_eq!(code(answer(&place, &other.digest(), &Answer::Once)), "approval::not-waiting");
    let one = pending(&place).unwrap().remove(0).request.digest();
    answer(&place, &one, &Answer::Deny).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), Answer::Deny);
}
