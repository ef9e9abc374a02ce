//! What the log promises, tried on real files, with threads, processes and crashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start processes"
)]

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use proptest::prelude::*;
use ringfence_audit::{
    AuditError, AuditLog, Broken, Decision, Durability, Entry, Fault, Filter, Plugin, Records,
    Summary, Target, Timestamp, verify,
};
use ringfence_capability::{Diagnostic, Digest, Origin};
use std::process::Command;
use tempfile::TempDir;

const NAME: &str = "audit.jsonl";

struct Log {
    directory: TempDir,
    log: AuditLog,
}

fn open(directory: &TempDir) -> AuditLog {
    let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
    AuditLog::open(&dir, NAME, || Timestamp::UNIX_EPOCH).unwrap()
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = open(&directory);
        Self { directory, log }
    }

    fn with(count: usize) -> Self {
        let log = Self::new();
        for number in 0..count {
            log.log.append(&entry(number)).unwrap();
        }
        log
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.directory.path().join(NAME)).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.directory.path().join(NAME), bytes).unwrap();
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.bytes()).unwrap().lines().map(str::to_owned).collect()
    }

    fn verify(&self) -> Result<Summary, Broken> {
        verify(self.bytes().as_slice(), None)
    }
}

type Tamper<'t> = &'t dyn Fn(&mut Vec<String>);

fn entry(number: usize) -> Entry {
    let plugin = Plugin::new("word-count", Digest::from_bytes([7; 32]), None);
    let origin = Origin::File { path: "policies/offline.toml".to_owned(), line: 9 };
    Entry::new("env")
        .in_run(&format!("run-{number}"))
        .by_plugin(plugin)
        .at(Target::name("HOME"))
        .decided(
            if number.is_multiple_of(2) { Decision::Allow } else { Decision::Forbid },
            "profile",
            &origin,
            "r",
        )
}

#[test]
fn records_are_chained_and_have_the_documented_form() {
    let log = Log::with(2);
    let lines = log.lines();
    assert!(lines[0].starts_with(r#"{"seq":1,"time":"1970-01-01T00:00:00.000Z","run":"run-0","plugin":{"name":"word-count","digest":"sha256:0707"#), "{}", lines[0]);
    assert!(lines[0].contains(r#""operation":"env","target":{"type":"name","name":"HOME"},"decision":"allow","layer":"profile","rule":"offline.toml:9","reason":"r","prev":"sha256:0000"#), "{}", lines[0]);
    let records: Vec<_> = Records::new(log.bytes().as_slice()).map(Result::unwrap).collect();
    assert_eq!(records[1].prev, records[0].hash);
    assert_eq!(records[1].entry, entry(1));
    let summary = log.verify().unwrap();
    assert_eq!((summary.records, summary.recovered, summary.head), (2, 0, Some(records[1].hash)));
}

#[test]
fn a_hash_can_be_checked_as_documented() {
    use sha2::Digest as _;
    let log = Log::with(1);
    let line = log.lines().remove(0);
    let (body, hash) = line.split_once(",\"hash\":\"").unwrap();
    let sum = sha2::Sha256::digest(format!("{body}}}").as_bytes());
    assert_eq!(format!("{}\"}}", Digest::from_bytes(sum.into())), hash);
}

#[test]
fn an_empty_log_is_sound() {
    assert_eq!(Log::new().verify().unwrap().head, None);
}

#[test]
fn every_kind_of_tampering_is_found_where_it_is() {
    let edit = |lines: &mut Vec<String>| {
        lines[2] = lines[2].replace("forbid", "allow").replace("allow", "allow ");
    };
    let line = |from: usize, to: usize| {
        move |lines: &mut Vec<String>| {
            let moved = lines[from].clone();
            lines.insert(to, moved);
        }
    };
    let other = Log::with(9).lines();
    let foreign = {
        let log = Log::new();
        for number in 10..20 {
            log.log.append(&entry(number)).unwrap();
        }
        log.lines()
    };
    let cases: &[(&str, Tamper<'_>, u64, &str)] = &[
        ("a change", &edit, 3, "changed after"),
        (
            "a changed hash",
            &|l| {
                l[3] = l[3]
                    .replace("\"hash\":\"sha256:", "\"hash\":\"sha256:0")
                    .replacen("0\"}", "\"}", 1);
            },
            4,
            "",
        ),
        ("a deletion", &|l| drop(l.remove(1)), 2, "1 records before it are missing"),
        ("two deletions", &|l| drop(l.drain(1..3)), 2, "2 records before it are missing"),
        ("the first deleted", &|l| drop(l.remove(0)), 1, "1 records before it are missing"),
        ("a repetition", &line(1, 3), 4, "record 2 stands here a second time"),
        ("swapped lines", &|l| l.swap(1, 2), 2, "1 records before it are missing"),
        ("a record of another log", &|l| l[2].clone_from(&foreign[2]), 3, "does not follow"),
        (
            "all of the beginning replaced",
            &|l| l[..3].clone_from_slice(&foreign[..3]),
            4,
            "does not follow",
        ),
        ("an inserted line", &|l| l.insert(2, "{}".to_owned()), 3, "not a record"),
        ("an empty line", &|l| l.insert(2, String::new()), 3, "not a record"),
        ("a very long line", &|l| l.insert(2, "x".repeat(70_000)), 3, "longer than any record"),
    ];
    for (what, tamper, at, why) in cases {
        let log = Log::new();
        let mut lines = other.clone();
        tamper(&mut lines);
        assert_ne!(lines, other, "{what} changes something");
        log.put((lines.join("\n") + "\n").as_bytes());
        let broken = log.verify().expect_err(what);
        assert_eq!(broken.line, *at, "{what}: {}", broken.what);
        assert!(broken.what.to_string().contains(why), "{what}: {}", broken.what);
        assert_eq!(broken.code(), "audit::tampered");
    }
}

#[test]
fn every_changed_byte_is_found_in_its_line() {
    let log = Log::with(3);
    let sound = log.bytes();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        let line = sound[..at].split(|byte| *byte == b'\n').count() as u64;
        let broken = verify(bytes.as_slice(), None).expect_err("a changed byte");
        assert_eq!(broken.line, line, "byte {at}: {broken}");
    }
}

#[test]
fn a_cut_at_the_end_is_found_with_a_known_head() {
    let log = Log::with(2);
    let head = log.log.append(&entry(2)).unwrap().hash;
    let lines = log.lines();
    log.log.append(&entry(3)).unwrap();
    assert!(verify(log.bytes().as_slice(), Some(head)).is_ok(), "the log may have grown since");
    let cut = lines[..2].join("\n") + "\n";
    assert!(verify(cut.as_bytes(), None).is_ok(), "without a known head a cut leaves no trace");
    let broken = verify(cut.as_bytes(), Some(head)).unwrap_err();
    assert!(matches!(broken, Broken { line: 3, what: Fault::HeadMissing, .. }), "{broken}");
}

#[test]
fn a_crash_at_every_byte_of_the_last_record_is_recovered_and_recorded() {
    let log = Log::with(3);
    let bytes = log.bytes();
    let whole = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in whole + 1..bytes.len() {
        let crashed = Log::new();
        crashed.put(&bytes[..cut]);
        assert!(
            matches!(crashed.verify(), Err(Broken { line: 3, what: Fault::HalfWritten, .. })),
            "{cut}"
        );
        crashed.log.append(&entry(9)).unwrap();
        let summary = crashed.verify().unwrap_or_else(|broken| panic!("{cut}: {broken}"));
        assert_eq!((summary.records, summary.recovered), (4, 1), "{cut}");
        let records: Vec<_> =
            Records::new(crashed.bytes().as_slice()).map(Result::unwrap).collect();
        assert_eq!(records[2].entry.dropped, Some((cut - whole) as u64));
        assert_eq!(records[3].entry, entry(9));
    }
}

#[test]
fn a_long_half_written_tail_does_not_survive_its_repair() {
    let log = Log::with(2);
    let mut bytes = log.bytes();
    bytes.extend(vec![0; 50_000]);
    log.put(&bytes);
    open(&log.directory).append(&entry(2)).unwrap();
    assert_eq!(log.verify().unwrap().recovered, 1);
    log.log.append(&entry(3)).unwrap();
    assert_eq!(log.verify().unwrap().records, 5);
}

#[test]
fn a_log_whose_end_is_not_sound_takes_no_more_records() {
    for tail in ["garbage\n", "{\"seq\":3}\n"] {
        let log = Log::with(2);
        let mut bytes = log.bytes();
        bytes.extend(tail.as_bytes());
        log.put(&bytes);
        let error = log.log.append(&entry(2)).unwrap_err();
        assert!(matches!(error, AuditError::BrokenTail { .. }), "{error}");
        assert_eq!(log.bytes(), bytes, "nothing is written");
    }
}

#[test]
fn a_log_that_shrinks_while_open_takes_no_more_records() {
    let log = Log::with(3);
    log.put((log.lines()[0].clone() + "\n").as_bytes());
    let error = log.log.append(&entry(3)).unwrap_err();
    assert!(matches!(error, AuditError::Shortened { .. }), "{error}");
    assert_eq!(error.code(), "audit::shortened");
}

#[cfg(unix)]
#[test]
fn records_follow_the_name_when_the_file_is_moved_away() {
    let log = Log::with(2);
    let path = log.directory.path().join(NAME);
    std::fs::rename(&path, log.directory.path().join("old.jsonl")).unwrap();
    log.log.append(&entry(2)).unwrap();
    let summary = log.verify().unwrap();
    assert_eq!(summary.records, 1, "the new file begins a chain of its own");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_log() {
    use std::os::unix::fs::PermissionsExt;
    let log = Log::with(1);
    let mode = std::fs::metadata(log.directory.path().join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn records_of_one_batch_stand_together_under_many_threads() {
    let log = Log::new();
    let second = open(&log.directory);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let log = if thread % 2 == 0 { &log.log } else { &second };
            scope.spawn(move || {
                for _ in 0..20 {
                    let receipts = log
                        .append_all(&[entry(thread), entry(thread)], Durability::Written)
                        .unwrap();
                    assert_eq!(receipts[1].seq, receipts[0].seq + 1);
                }
            });
        }
    });
    assert_eq!(log.verify().unwrap().records, 240);
    let bytes = log.bytes();
    let records = Records::new(bytes.as_slice()).map(Result::unwrap);
    let records: Vec<_> = records.filter(|record| record.entry.checkpoint().is_none()).collect();
    assert!(records.chunks(2).all(|pair| pair[0].entry == pair[1].entry));
}

/// The part of the next test that runs in other processes; on its own it has nothing to do.
#[test]
fn child_process_appends() {
    if let Some(directory) = std::env::var_os("RINGFENCE_TEST_AUDIT_DIR") {
        let dir = Dir::open_ambient_dir(directory, ambient_authority()).unwrap();
        let log = AuditLog::open(&dir, NAME, || Timestamp::UNIX_EPOCH).unwrap();
        for number in 0..50 {
            log.append(&entry(number)).unwrap();
        }
    }
}

#[test]
fn several_processes_append_at_once() {
    let log = Log::with(1);
    let start = |_| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "child_process_appends"]);
        child.env("RINGFENCE_TEST_AUDIT_DIR", log.directory.path());
        child.stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    log.log.append_all(&[entry(0)], Durability::Synced).unwrap();
    assert_eq!(log.verify().unwrap().records, 202);
}

#[test]
fn a_filter_shows_what_it_names() {
    let log = Log::with(6);
    let count = |filter: &Filter| {
        let bytes = log.bytes();
        Records::new(bytes.as_slice())
            .filter(|record| filter.matches(record.as_ref().unwrap()))
            .count()
    };
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(count(&Filter::default()), 6);
    assert_eq!(count(&Filter { run: name("run-3"), ..Filter::default() }), 1);
    assert_eq!(count(&Filter { plugin: name("word-count"), ..Filter::default() }), 6);
    assert_eq!(count(&Filter { plugin: name("other"), ..Filter::default() }), 0);
    assert_eq!(count(&Filter { decision: Some(Decision::Forbid), ..Filter::default() }), 3);
    assert_eq!(
        count(&Filter { operation: name("env"), run: name("run-0"), ..Filter::default() }),
        1
    );
}

#[test]
fn nothing_is_written_for_no_entries() {
    let log = Log::new();
    assert!(
        log.log.append_all(&[], Durability::Synced).unwrap().is_empty() && log.bytes().is_empty()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_survives_the_log_in_one_safe_line(
        texts in proptest::collection::vec("\\PC{0,40}|[\\x00-\\x1f\"\\\\\u{202e}\n]{0,8}", 6), number in any::<u64>(),
    ) {
        let log = Log::new();
        let origin = Origin::File { path: texts[0].clone(), line: 1 };
        let mut entry = Entry::new(&texts[1])
            .in_run(&texts[2])
            .by_plugin(Plugin::new(&texts[3], Digest::from_bytes([1; 32]), Some(&texts[4])))
            .at(Target::guest_path(&texts[5]))
            .decided(Decision::Prompt, &texts[0], &origin, &texts[1])
            .for_request(Digest::from_bytes([2; 32]));
        entry.dropped = Some(number);
        log.log.append(&entry).unwrap();
        // What was set by hand is made safe as well.
        let mut by_hand = entry.clone();
        by_hand.reason = Some(texts[5].clone());
        log.log.append(&by_hand).unwrap();
        let lines = log.lines();
        prop_assert_eq!(lines.len(), 2);
        prop_assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
        let records: Vec<_> = Records::new(log.bytes().as_slice()).map(Result::unwrap).collect();
        prop_assert_eq!(&records[0].entry, &entry);
        let reason = records[1].entry.reason.clone().unwrap();
        let unsafe_character = reason.chars().find(|c| c.is_control() || *c == '\u{202e}');
        prop_assert_eq!(unsafe_character, None);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = verify(bytes.as_slice(), None);
        let log = Log::new();
        log.put(&bytes);
        let _ = log.log.append(&entry(0));
    }
}
