//! Runs that began and never ended.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests look at the files themselves")]

mod common;

use common::Place;
use ringfence_audit::{Decision, Entry, Unended, Verifier};
use ringfence_capability::Origin;

fn entry(operation: &str, run: &str) -> Entry {
    Entry::new(operation).in_run(run).decided(Decision::Allow, "profile", &Origin::BuiltIn, "r")
}

#[test]
fn a_run_without_an_end_is_named_and_one_with_an_end_is_not() {
    let place = Place::new();
    let log = place.small();
    for (operation, run) in [
        ("run.start", "ended"),
        ("exec.start", "killed-program"),
        ("exec.approval", "refused"),
        ("run.start", "killed-both"),
        ("exec.start", "killed-both"),
        ("run.end", "ended"),
        ("exec.start", "failed"),
        ("exec.failed", "failed"),
        ("exec.start", "went-on"),
        ("exec.end", "went-on"),
        ("exec.start", "went-on"),
    ] {
        log.append(&entry(operation, run)).unwrap();
    }
    let mut unended = Unended::default();
    let report =
        Verifier::new(&place.dir, common::NAME).run_seeing(|record| unended.see(record)).unwrap();
    assert!(report.faults.is_empty());
    let runs = |unended: &Unended| -> Vec<String> {
        unended.runs().iter().map(|(run, _)| (*run).to_owned()).collect()
    };
    assert_eq!(runs(&unended), ["killed-program", "killed-both", "went-on"]);
    assert_eq!(unended.unlisted(), 0);
    // The twin: with its last word each of them is gone from the list.
    log.append(&entry("exec.end", "went-on")).unwrap();
    log.append(&entry("run.end", "killed-both")).unwrap();
    log.append(&entry("exec.end", "killed-both")).unwrap();
    log.append(&entry("exec.end", "killed-program")).unwrap();
    let mut unended = Unended::default();
    place.records().iter().for_each(|record| unended.see(record));
    assert!(runs(&unended).is_empty());
}
