//! A process that is killed at any moment of its writing leaves the old or the new, never a half.

use super::{BACK, Home, Wanted, bundle, candidate, wanted};
use crate::Store;
use semver::Version;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The step at which this process dies, the store it works on, and what it does there.
const DIE_AT: &str = "RINGFENCE_TEST_STORE_DIE_AT";
const DATA: &str = "RINGFENCE_TEST_STORE_DATA";
const DEED: &str = "RINGFENCE_TEST_STORE_DEED";

/// Counts the moments at which a process can die, and dies at the one that was asked for.
pub(crate) fn step() {
    static STEPS: AtomicUsize = AtomicUsize::new(0);
    let Some(at) = std::env::var(DIE_AT).ok().and_then(|at| at.parse::<usize>().ok()) else {
        return;
    };
    if STEPS.fetch_add(1, Ordering::Relaxed) == at {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Not a test of its own: what the process that dies does.
#[test]
fn child_process_writes() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let store = Store::open(&PathBuf::from(data)).unwrap();
    let install = |text: &str, version: Version| {
        let seen = store.receipt("word-count").unwrap();
        store.install(&candidate(&bundle(text), &version, None), BACK, seen.as_ref()).unwrap();
    };
    match std::env::var(DEED).unwrap().as_str() {
        "update" => install("two", Version::new(2, 0, 0)),
        "replace" => install("one again", Version::new(1, 0, 0)),
        "remove" => drop(store.remove(&wanted("word-count")).unwrap()),
        _ => drop(store.remove_unused().unwrap()),
    }
}

/// Returns whether the process that does `deed` died at its `at`th step.
fn dies(home: &Home, deed: &str, at: usize) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "store::tests::crash::child_process_writes"]);
    child.env(DATA, home.data()).env(DEED, deed).env(DIE_AT, at.to_string());
    let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.success(), status.code().is_some(), "it failed in another way: {status}");
    !status.success()
}

/// What the name stands for; the bundle must be there and whole.
fn state(home: &Home) -> String {
    let store = home.store();
    let Some(receipt) = store.receipt("word-count").unwrap() else { return "nothing".to_owned() };
    for installed in receipt.versions() {
        store.read("word-count", installed).unwrap();
    }
    let current = store.read("word-count", receipt.current().unwrap()).unwrap();
    let text = String::from_utf8(current.file("plugin.toml").unwrap().to_vec()).unwrap();
    format!("{text} of {}", receipt.versions().len())
}

#[test]
fn whatever_step_a_process_dies_at_the_old_or_the_new_is_there() {
    for (deed, before, after) in [
        ("update", "one of 1", "two of 2"),
        ("replace", "one of 1", "one again of 1"),
        ("remove", "one of 1", "nothing"),
        ("collect", "two of 2", "two of 1"),
    ] {
        let mut seen = Vec::new();
        let mut at = 0;
        loop {
            let home = Home::new();
            home.install("one", "1.0.0", None);
            if deed == "collect" {
                home.install("two", "2.0.0", None);
            }
            let died = dies(&home, deed, at);
            let found = state(&home);
            assert!(found == before || (found == after), "{deed} died at {at}: {found}");
            seen.push(found);
            // The next process goes on as if nothing had happened, and cleans up.
            home.install("three", "3.0.0", None);
            let store = home.store();
            store.remove_unused().unwrap();
            assert_eq!((state(&home).as_str(), home.bundles().len()), ("three of 1", 1));
            if !died {
                break;
            }
            at += 1;
        }
        assert!(at >= 2, "{deed} has only {at} steps");
        // Both are met on the way, and once the new one is there it stays.
        let first_new = seen.iter().position(|found| found == after).unwrap();
        assert!(first_new > 0 && seen[first_new..].iter().all(|found| found == after), "{seen:?}");
    }
}

#[test]
fn a_word_that_is_no_name_is_told_from_one() {
    assert_eq!(
        wanted("a@1.0.0"),
        Wanted { name: "a".into(), version: Some(Version::new(1, 0, 0)) }
    );
}
