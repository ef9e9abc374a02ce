//! A log that goes on in one file after another: the chain, what is missing, following, pruning.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start processes"
)]
#![cfg(unix)]

mod common;

use common::{NAME, Place, START, entry};
use ringfence_audit::{Follower, LogFiles, Record, Timestamp};
use std::process::{Command, Stdio};

#[test]
fn the_chain_goes_on_from_file_to_file() {
    let (place, _log) = Place::filled(12);
    let names = place.names();
    assert!(names.len() >= 3, "{names:?}");
    assert_eq!(names[0], "audit.000001.jsonl");
    assert_eq!(names.last().unwrap(), NAME);
    let records = place.records();
    assert!(records.iter().zip(1..).all(|(record, seq)| record.seq == seq));
    let first: Record = serde_json::from_str(&place.lines(&names[1])[0]).unwrap();
    let before = place.lines(&names[0]).len();
    assert_eq!(first.entry.continues().unwrap().file, names[0]);
    assert_eq!(first.entry.continues().unwrap().hash, records[before - 1].hash);
    let report = place.verify();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!((report.summary.records, report.summary.files), (12, names.len() as u64));
}

#[test]
fn a_file_is_bounded_and_the_default_bound_is_documented() {
    let (place, _log) = Place::filled(20);
    for name in place.names() {
        let length = std::fs::metadata(place.path(&name)).unwrap().len();
        assert!(length < 2000 + 1000, "{name}: {length}");
    }
    assert_eq!(ringfence_audit::ROTATE_BYTES, 64 << 20);
}

type Tamper = fn(&Place);

/// What is done to a log of four files, and what is told about it.
const CASES: &[(&str, Tamper, &[&str])] = &[
    (
        "a file in the middle is gone",
        |p| std::fs::remove_file(p.path("audit.000002.jsonl")).unwrap(),
        &["audit.000002.jsonl:0:-: the file `audit.000002.jsonl` is missing"],
    ),
    (
        "the first file is gone",
        |p| std::fs::remove_file(p.path("audit.000001.jsonl")).unwrap(),
        &[
            "audit.000002.jsonl:1:6: the 5 records before it are missing, and no signed record says that they were pruned",
        ],
    ),
    (
        "the last full file is gone",
        |p| std::fs::remove_file(p.path("audit.000003.jsonl")).unwrap(),
        &["audit.jsonl:1:11: the file `audit.000003.jsonl` is missing"],
    ),
    (
        "two changes in two files",
        |p| {
            for (name, at) in [("audit.000001.jsonl", 1), ("audit.000003.jsonl", 2)] {
                let mut lines = p.lines(name);
                lines[at] = lines[at].replace("\"HOME\"", "\"PATH\"");
                p.put(name, &lines);
            }
        },
        &[
            "audit.000001.jsonl:2:2: the record was changed after it was written",
            "audit.000003.jsonl:3:13: the record was changed after it was written",
        ],
    ),
    (
        "a deletion",
        |p| {
            let mut lines = p.lines("audit.000002.jsonl");
            lines.remove(2);
            p.put("audit.000002.jsonl", &lines);
        },
        &["audit.000002.jsonl:3:8: 1 records before it are missing"],
    ),
    (
        "an insertion and a replaced line",
        |p| {
            let mut lines = p.lines("audit.000002.jsonl");
            lines.insert(1, "{}".to_owned());
            lines[4] = "x".repeat(70_000);
            p.put("audit.000002.jsonl", &lines);
        },
        &[
            "audit.000002.jsonl:2:7: it is not a record",
            "audit.000002.jsonl:5:9: the line is longer than any record",
        ],
    ),
    (
        "two records swapped",
        |p| {
            let mut lines = p.lines("audit.000002.jsonl");
            lines.swap(2, 3);
            p.put("audit.000002.jsonl", &lines);
        },
        &[
            "audit.000002.jsonl:3:8: 1 records before it are missing",
            "audit.000002.jsonl:4:10: record 8 stands here a second time or out of order",
        ],
    ),
    (
        "files swapped",
        |p| {
            let (one, two) = (p.path("audit.000001.jsonl"), p.path("audit.000002.jsonl"));
            std::fs::rename(&one, p.path("x")).unwrap();
            std::fs::rename(&two, &one).unwrap();
            std::fs::rename(p.path("x"), &two).unwrap();
        },
        &["audit.000002.jsonl:1:11: record 1 stands here a second time or out of order"],
    ),
];

#[test]
fn what_is_wrong_is_told_with_its_file_line_and_record() {
    for (what, tamper, expected) in CASES {
        let (place, _log) = Place::filled(14);
        assert_eq!(place.names().len(), 4, "four files before `{what}`");
        assert!(place.faults().is_empty());
        tamper(&place);
        let faults = place.faults();
        let found = expected.iter().all(|fault| faults.iter().any(|f| f == fault));
        assert!(found, "{what}: {faults:#?}");
    }
}

#[test]
fn every_file_can_be_missing_and_is_named() {
    for gone in 1..=3 {
        let (place, _log) = Place::filled(14);
        let name = format!("audit.{gone:06}.jsonl");
        std::fs::remove_file(place.path(&name)).unwrap();
        let faults = place.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(gone == 1 || faults[0].contains(&name), "{faults:?}");
        assert!(LogFiles::find(&place.dir, NAME).unwrap().into_records().count() > 0);
    }
}

#[test]
fn a_crash_between_setting_aside_and_going_on_loses_nothing() {
    let (place, log) = Place::filled(4);
    drop(log);
    // What is left when a process dies right after it gave the full file its new name.
    std::fs::rename(place.path(NAME), place.path("audit.000001.jsonl")).unwrap();
    assert_eq!(place.verify().summary.records, 4, "also before anything is written");
    place.small().append(&entry(4)).unwrap();
    let report = place.verify();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!(report.summary.records, 5);

    // And when it died over the first line of the new file.
    std::fs::remove_file(place.path(NAME)).unwrap();
    std::fs::write(place.path(NAME), "{\"seq\":5,").unwrap();
    place.small().append(&entry(5)).unwrap();
    let report = place.verify();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!(report.summary.recovered, 1);
}

#[test]
fn nothing_goes_on_from_a_full_file_that_is_not_sound() {
    let (place, log) = Place::filled(4);
    drop(log);
    let mut bytes = std::fs::read(place.path(NAME)).unwrap();
    bytes.truncate(bytes.len() - 10);
    std::fs::remove_file(place.path(NAME)).unwrap();
    std::fs::write(place.path("audit.000001.jsonl"), bytes).unwrap();
    let error = place.small().append(&entry(5)).unwrap_err();
    assert!(error.to_string().contains("`audit.000001.jsonl` is not sound"), "{error}");
}

/// The part of the next test that runs in other processes; on its own it has nothing to do.
#[test]
fn child_process_appends() {
    if let Some(directory) = std::env::var_os("RINGFENCE_TEST_AUDIT_DIR") {
        let authority = cap_std::ambient_authority();
        let dir = cap_std::fs::Dir::open_ambient_dir(directory, authority).unwrap();
        let log = ringfence_audit::AuditLog::open(&dir, NAME, || Timestamp::UNIX_EPOCH).unwrap();
        let log = log.rotating_at(20_000);
        for number in 0..100 {
            log.append(&entry(number)).unwrap();
        }
    }
}

#[test]
fn several_processes_append_and_rotate_at_once_while_one_follows() {
    let place = Place::new();
    let start = |_| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "child_process_appends", "--nocapture"]);
        child.env("RINGFENCE_TEST_AUDIT_DIR", place.directory.path());
        child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut follower = Follower::new(&place.dir, NAME, None).unwrap();
    let mut seen: Vec<Record> = follower.poll().unwrap().unwrap();
    let mut children: Vec<_> = (0..4).map(start).collect();
    loop {
        let ended = children.iter_mut().all(|child| child.try_wait().unwrap().is_some());
        let files = place.names().len();
        let mut idle = 0;
        // A poll may only move on to the next file.
        while idle <= files {
            let new = follower.poll().unwrap().unwrap();
            idle = if new.is_empty() { idle + 1 } else { 0 };
            seen.extend(new);
        }
        assert!(place.faults().is_empty(), "sound at every moment: {:?}", place.faults());
        if ended {
            break;
        }
    }
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let report = place.verify();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!(report.summary.records, 400);
    assert!(report.summary.files > 5, "{}", report.summary.files);
    assert_eq!(report.summary.kept, report.summary.checkpoints);
    assert!(report.summary.checkpoints >= 6, "{}", report.summary.checkpoints);
    assert!(seen == place.records(), "all was followed, in order, nothing twice");
}

#[test]
fn following_begins_behind_a_record_in_whichever_file_it_is() {
    let (place, log) = Place::filled(14);
    let records = place.records();
    for known in [0, 3, 5, 6, records.len() - 1] {
        let mut follower = Follower::new(&place.dir, NAME, Some(&records[known])).unwrap();
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.extend(follower.poll().unwrap().unwrap());
        }
        assert_eq!(seen, records[known + 1..], "behind {known}");
    }
    let mut follower = Follower::new(&place.dir, NAME, records.last()).unwrap();
    assert!(follower.poll().unwrap().unwrap().is_empty());
    log.append(&entry(14)).unwrap();
    assert!(follower.poll().unwrap().unwrap().iter().any(|record| record.entry == entry(14)));
    std::fs::write(place.path(NAME), "").unwrap();
    assert!(follower.poll().unwrap().is_err(), "a log that shrinks is told");
}

#[test]
fn old_files_are_pruned_only_by_a_signed_record_that_says_so() {
    let (place, log) = Place::filled(14);
    let before = place.records();
    let second = place.lines("audit.000002.jsonl");
    let last: Record = serde_json::from_str(second.last().unwrap()).unwrap();
    let too_early = Timestamp::from_second(START - 10).unwrap();
    assert_eq!(log.prune(too_early).unwrap(), None);
    let until: Timestamp = last.time.parse().unwrap();
    let until = Timestamp::from_millisecond(until.as_millisecond() + 1).unwrap();
    let pruned = log.prune(until).unwrap().unwrap();
    assert_eq!((pruned.files, pruned.through, pruned.hash), (2, last.seq, last.hash));
    assert_eq!(place.names()[0], "audit.000003.jsonl");
    let report = place.verify();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!(report.summary.pruned, last.seq);
    assert_eq!(place.records()[0].seq, last.seq + 1);
    log.append(&entry(14)).unwrap();
    assert!(place.records().len() > before.len() - usize::try_from(last.seq).unwrap());

    // The same files gone without such a record are missed.
    let (place, _log) = Place::filled(14);
    for name in ["audit.000001.jsonl", "audit.000002.jsonl"] {
        std::fs::remove_file(place.path(name)).unwrap();
    }
    assert!(place.faults()[0].contains("no signed record says that they were pruned"));
}
