//! Many at once: a yes for one is given to one.

use crate::common::{Home, NOW, at, changed, claim, keep, request};
use proptest::prelude::*;
use ringfence_approval::{Answer, Place, Store};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};

/// How many of `threads`, each with its own connection, are allowed what was allowed `times` times.
fn allowed_in_threads(times: usize, threads: usize) -> usize {
    let home = Arc::new(Home::new());
    let store = home.store();
    for _ in 0..times {
        keep(&store, &request(), &Answer::Once);
    }
    let barrier = Arc::new(Barrier::new(threads));
    let start = |_| {
        let (home, barrier) = (Arc::clone(&home), Arc::clone(&barrier));
        std::thread::spawn(move || {
            let store = home.store();
            barrier.wait();
            claim(&store, &request()) == "allowed"
        })
    };
    let threads: Vec<_> = (0..threads).map(start).collect();
    threads.into_iter().map(|t| usize::from(t.join().unwrap())).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn no_more_are_allowed_than_were_approved(times in 0_usize..5, threads in 1_usize..8) {
        prop_assert_eq!(allowed_in_threads(times, threads), times.min(threads));
    }
}

#[test]
fn one_request_in_many_threads_is_used_once() {
    let home = Arc::new(Home::new());
    let store = Arc::new(home.store());
    let one = request();
    keep(&store, &one, &Answer::Always { pattern: None });
    let start = |_| {
        let (store, one) = (Arc::clone(&store), one.clone());
        std::thread::spawn(move || claim(&store, &one))
    };
    let threads: Vec<_> = (0..8).map(start).collect();
    let mut said: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    said.sort_unstable();
    assert_eq!(said, ["allowed", "used", "used", "used", "used", "used", "used", "used"]);
}

/// Not a test of its own: what the processes of the next test do.
#[test]
fn child_process_claims() {
    if let Some(state) = std::env::var_os("RINGFENCE_TEST_APPROVAL_STATE") {
        let place = Place::open(Path::new(&state)).unwrap();
        let store = Store::open(&place, Box::new(|| at(NOW))).unwrap();
        let mut said = String::new();
        for _ in 0..10 {
            // A nonce that no other process has either.
            let request = changed(|d| d.nonce = ringfence_approval::Nonce::random().unwrap());
            said.push_str(claim(&store, &request));
            said.push('\n');
        }
        let name = format!("said-{}", std::process::id());
        std::fs::write(Path::new(&state).join(name), said).unwrap();
    }
}

#[test]
fn a_yes_for_one_is_given_to_one_of_many_processes() {
    let home = Home::new();
    let store = home.store();
    for _ in 0..3 {
        keep(&store, &request(), &Answer::Once);
    }
    let start = |_| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "store_at_once::child_process_claims"]);
        child.env("RINGFENCE_TEST_APPROVAL_STATE", home.state.path());
        child.stdout(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(start).collect();
    let mut said = Vec::new();
    for mut child in children {
        let name = format!("said-{}", child.id());
        assert!(child.wait().unwrap().success());
        let text = std::fs::read_to_string(home.state.path().join(name)).unwrap();
        said.extend(text.lines().map(str::to_owned));
    }
    let count = |what: &str| said.iter().filter(|said| *said == what).count();
    assert_eq!((count("allowed"), count("unknown")), (3, 37));
}

#[test]
fn many_processes_making_the_store_make_one() {
    let home = Arc::new(Home::new());
    let start = |_| {
        let home = Arc::clone(&home);
        std::thread::spawn(move || keep(&home.store(), &request(), &Answer::Once))
    };
    let threads: Vec<_> = (0..8).map(start).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(home.store().list().unwrap().len(), 8);
    let left = std::fs::read_dir(home.file("")).unwrap().map(|e| e.unwrap().file_name());
    let left: Vec<_> = left.filter(|n| n.to_string_lossy().ends_with(".new")).collect();
    assert!(left.is_empty(), "{left:?}");
}
