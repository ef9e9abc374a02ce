//! Disks that are full, read-only or full in the middle of a line: nothing half-written stays valid,
//! and whoever asked is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start processes"
)]
#![cfg(target_os = "linux")]

mod common;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use common::{NAME, Place, entry};
use ringfence_audit::{AuditError, AuditLog, Durability, Entry, Target, Timestamp, Verifier};
use ringfence_capability::Diagnostic as _;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// Names the directory that a test that runs again inside a mount namespace works in.
const INSIDE: &str = "RINGFENCE_TEST_AUDIT_DISK";

fn open(path: &Path) -> (Dir, Result<AuditLog, AuditError>) {
    let dir = Dir::open_ambient_dir(path, ambient_authority()).unwrap();
    let log = AuditLog::open(&dir, NAME, || Timestamp::UNIX_EPOCH);
    (dir, log)
}

/// Runs the test `name` again with `mount` done in a mount namespace of its own.
fn inside(name: &str, prepare: &str) {
    let place = Place::new();
    let script = format!(
        "cd \"${INSIDE}\" && {prepare} && exec \"$0\" --exact {name} --nocapture --test-threads 1"
    );
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-ec", &script]).arg(std::env::current_exe().unwrap());
    let done = command.env(INSIDE, place.directory.path()).output().unwrap();
    let (out, error) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if error.contains("unshare failed") || error.contains("permission denied") {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("skipped, because there are no user namespaces: {error}\n"),
        );
        return;
    }
    assert!(done.status.success(), "{out}{error}");
    assert!(out.contains("1 passed"), "{out}{error}");
}

fn long(number: usize) -> Entry {
    let origin = ringfence_capability::Origin::BuiltIn;
    let decision = ringfence_audit::Decision::Allow;
    entry(number).at(Target::name(&"n".repeat(500))).decided(
        decision,
        &"l".repeat(500),
        &origin,
        &"r".repeat(500),
    )
}

fn kind(error: &AuditError) -> Option<ErrorKind> {
    match error {
        AuditError::Io { source, .. }
        | AuditError::Open { source, .. }
        | AuditError::Key { source, .. } => Some(source.kind()),
        _ => None,
    }
}

#[test]
fn on_a_full_disk_nothing_is_half_done() {
    let Some(root) = std::env::var_os(INSIDE) else {
        let prepare = "mkdir small && mount -t tmpfs -o size=128k none small";
        return inside("on_a_full_disk_nothing_is_half_done", prepare);
    };
    let (dir, log) = open(&Path::new(&root).join("small"));
    let log = log.unwrap();
    let mut written = 0;
    let error = loop {
        let batch: Vec<_> = (0..=(written % 3)).map(long).collect();
        match log.append_all(&batch, Durability::Written) {
            Ok(receipts) => written += receipts.len(),
            Err(error) => break error,
        }
    };
    assert!(written > 20, "{written}");
    assert_eq!(kind(&error), Some(ErrorKind::StorageFull), "{error:?}");
    assert!(error.hint().unwrap().contains("what cannot be recorded is not done"));
    // The batch that failed left nothing, not even its first records, and the log is sound.
    let report = Verifier::new(&dir, NAME).run().unwrap();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!(report.summary.records, written as u64);
    // Every further one is refused as well, also the first of a new process.
    let (_, again) = open(&Path::new(&root).join("small"));
    assert!(again.unwrap().append_all(&vec![long(0); 9], Durability::Synced).is_err());
    let report = Verifier::new(&dir, NAME).run().unwrap();
    assert_eq!((report.faults.len(), report.summary.records), (0, written as u64));
}

#[test]
fn a_repair_that_does_not_fit_stays_to_be_repaired() {
    let Some(root) = std::env::var_os(INSIDE) else {
        let prepare = "mkdir small && mount -t tmpfs -o size=128k none small";
        return inside("a_repair_that_does_not_fit_stays_to_be_repaired", prepare);
    };
    let small = Path::new(&root).join("small");
    let (dir, log) = open(&small);
    let log = log.unwrap();
    for number in 0..5 {
        log.append(&long(number)).unwrap();
    }
    let mut bytes = std::fs::read(small.join(NAME)).unwrap();
    bytes.extend(b"{\"seq\":6,\"time\":\"half");
    std::fs::write(small.join(NAME), &bytes).unwrap();
    let hog = small.join("hog");
    while std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&hog)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 4096]))
        .is_ok()
    {}
    let batch: Vec<_> = (0..9).map(long).collect();
    let error = open(&small).1.unwrap().append_all(&batch, Durability::Written).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::StorageFull), "{error:?}");
    let report = Verifier::new(&dir, NAME).run().unwrap();
    let faults = common::told(&report);
    assert_eq!(report.summary.records, 5);
    assert!(faults.len() == 1 && faults[0].contains("only half written"), "{faults:?}");
    std::fs::remove_file(hog).unwrap();
    log.append(&long(5)).unwrap();
    let report = Verifier::new(&dir, NAME).run().unwrap();
    assert_eq!((report.faults.len(), report.summary.records, report.summary.recovered), (0, 7, 1));
}

#[test]
fn on_a_read_only_disk_nothing_can_be_done_but_all_can_be_read() {
    let Some(root) = std::env::var_os(INSIDE) else {
        let place = Place::new();
        place.log().append_all(&[entry(0)], Durability::Synced).unwrap();
        let from = place.directory.path().display();
        let prepare = format!(
            "mkdir ro && mount -t tmpfs none ro && cp -p {from}/audit* ro && mount -o remount,bind,ro ro"
        );
        return inside("on_a_read_only_disk_nothing_can_be_done_but_all_can_be_read", &prepare);
    };
    let (dir, log) = open(&Path::new(&root).join("ro"));
    let error = log.unwrap_err();
    assert_eq!((error.code(), kind(&error)), ("audit::open", Some(ErrorKind::ReadOnlyFilesystem)));
    assert!(error.hint().unwrap().contains("--state-dir"));
    let report = Verifier::new(&dir, NAME).run().unwrap();
    assert_eq!((report.faults.len(), report.summary.records), (0, 1));
}

#[test]
fn a_file_that_may_not_grow_takes_no_more_records() {
    let Some(root) = std::env::var_os(INSIDE) else {
        // The limit is on each file, in blocks of 512 bytes; going past it is an error, no signal.
        let prepare = "trap '' XFSZ && ulimit -f 40";
        return inside("a_file_that_may_not_grow_takes_no_more_records", prepare);
    };
    let (dir, log) = open(Path::new(&root));
    let log = log.unwrap();
    let mut written = 0;
    while log.append_all(&[long(0), long(1)], Durability::Written).is_ok() {
        written += 2;
    }
    let report = Verifier::new(&dir, NAME).run().unwrap();
    assert!(report.faults.is_empty(), "{:?}", common::told(&report));
    assert_eq!((report.summary.records, written > 4), (written, true));
}

#[test]
fn a_device_is_no_log() {
    let dir = Dir::open_ambient_dir("/dev", ambient_authority()).unwrap();
    let error = AuditLog::open(&dir, "full", Timestamp::now).unwrap_err();
    assert_eq!(error.code(), "audit::open");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it is not a regular file");
}
