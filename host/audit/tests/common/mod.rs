//! A log in a directory of its own, and what can be done to its files.
#![allow(dead_code, reason = "each test file uses a part of it")]

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_audit::{
    AuditLog, Decision, Entry, LogFiles, Plugin, Record, Report, Target, Timestamp, Verifier,
};
use ringfence_capability::{Digest, Origin};
use std::path::PathBuf;
use tempfile::TempDir;

pub(crate) const NAME: &str = "audit.jsonl";
/// The time of the first record of each test; every further one is a second later.
pub(crate) const START: i64 = 1_767_323_045;

pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) dir: Dir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        Self { directory, dir }
    }

    /// Returns a log that is set aside after every few records.
    pub(crate) fn small(&self) -> AuditLog {
        self.log().rotating_at(2000)
    }

    pub(crate) fn log(&self) -> AuditLog {
        let ticks = std::sync::atomic::AtomicI64::new(START);
        let clock = move || {
            let second = ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Timestamp::from_second(second).unwrap()
        };
        AuditLog::open(&self.dir, NAME, clock).unwrap()
    }

    /// Returns a log with this many records, set aside after every few.
    pub(crate) fn filled(count: usize) -> (Self, AuditLog) {
        let place = Self::new();
        let log = place.small();
        for number in 0..count {
            log.append(&entry(number)).unwrap();
        }
        (place, log)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn put(&self, name: &str, lines: &[String]) {
        std::fs::write(self.path(name), lines.join("\n") + "\n").unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        LogFiles::find(&self.dir, NAME).unwrap().names()
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let files = LogFiles::find(&self.dir, NAME).unwrap();
        files.into_records().collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn verify(&self) -> Report {
        Verifier::new(&self.dir, NAME).run().unwrap()
    }

    /// Returns each fault as `file:line:seq: what`.
    pub(crate) fn faults(&self) -> Vec<String> {
        told(&self.verify())
    }
}

pub(crate) fn told(report: &Report) -> Vec<String> {
    let faults = report.faults.iter();
    let one = |broken: &ringfence_audit::Broken| {
        let file = broken.file.as_deref().unwrap_or("-");
        let seq = broken.seq.map_or("-".to_owned(), |seq| seq.to_string());
        format!("{file}:{}:{seq}: {}", broken.line, broken.what)
    };
    faults.map(one).collect()
}

pub(crate) fn entry(number: usize) -> Entry {
    let plugin = Plugin::new("word-count", Digest::from_bytes([7; 32]), None);
    let origin = Origin::File { path: "policies/offline.toml".to_owned(), line: 9 };
    let decision = if number.is_multiple_of(2) { Decision::Allow } else { Decision::Forbid };
    Entry::new("env")
        .in_run(&format!("run-{number}"))
        .by_plugin(plugin)
        .at(Target::name("HOME"))
        .decided(decision, "profile", &origin, "r")
}
