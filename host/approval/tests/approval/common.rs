//! What every test begins with: a request, a private directory, and a clock that stands still.

use jiff::Timestamp;
use ringfence_approval::{
    Action, Answer, By, Channel, Claim, Clock, Draft, Exec, Executable, Nonce, Place, Request,
    RunId, Store,
};
use ringfence_approval::{Argument, Asker};
use ringfence_capability::{Diagnostic, Digest};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tempfile::TempDir;

/// The time at which every test begins: 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(crate) fn words(words: &[&str]) -> Vec<Argument> {
    words.iter().map(|word| Argument::from(*word)).collect()
}

/// A plugin that wants to run `cargo test -p parser`, with a nonce of its own.
pub(crate) fn draft() -> Draft {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let nonce = u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    Draft {
        asker: Asker::Plugin { name: "builder".to_owned(), digest: digest(1) },
        signer: Some("acme".to_owned()),
        capability: "exec:cargo".to_owned(),
        action: Action::Exec(exec()),
        plan: json!({
            "files": [
                { "access": "read", "path": "/usr" },
                { "access": "staged", "path": "/home/me/project" },
            ],
            "network": "absent",
            "profile": "workspace-write",
        }),
        reason: Some("to see whether the tests pass".to_owned()),
        expires: at(NOW + 300),
        nonce: Nonce::from_bytes(nonce),
    }
}

pub(crate) fn exec() -> Exec {
    Exec {
        executable: Executable { path: "/usr/bin/cargo".into(), digest: digest(2) },
        argv: words(&["cargo", "test", "-p", "parser"]),
        working_directory: "/home/me/project".into(),
        environment: vec!["PATH".to_owned(), "HOME".to_owned()],
    }
}

pub(crate) fn request() -> Request {
    draft().seal().unwrap()
}

/// The request of [`draft`] with one change.
pub(crate) fn changed(change: impl FnOnce(&mut Draft)) -> Request {
    let mut draft = draft();
    change(&mut draft);
    draft.seal().unwrap()
}

/// The request of [`draft`] with one change in what is run.
pub(crate) fn changed_exec(change: impl FnOnce(&mut Exec)) -> Request {
    changed(|draft| {
        let Action::Exec(exec) = &mut draft.action else { panic!("it is a start of a program") };
        change(exec);
    })
}

pub(crate) fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

pub(crate) fn me() -> By {
    By::me(Channel::Terminal)
}

/// A state directory and a clock.
pub(crate) struct Home {
    pub(crate) state: TempDir,
    pub(crate) seconds: Arc<AtomicI64>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { state: tempfile::tempdir().unwrap(), seconds: Arc::new(AtomicI64::new(NOW)) }
    }

    pub(crate) fn place(&self) -> Place {
        Place::open(self.state.path()).unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.state.path().join("approvals").join(name)
    }

    pub(crate) fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.seconds);
        Box::new(move || at(seconds.load(Ordering::SeqCst)))
    }

    pub(crate) fn set(&self, seconds: i64) {
        self.seconds.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.place(), self.clock()).unwrap()
    }
}

/// Keeps an answer to `request`.
pub(crate) fn keep(store: &Store, request: &Request, answer: &Answer) {
    store.keep(request, answer, Some(&run("run-1")), me()).unwrap();
}

/// What `run-1` is told about `request`, by name.
pub(crate) fn claim(store: &Store, request: &Request) -> &'static str {
    claim_in(store, request, "run-1")
}

pub(crate) fn claim_in(store: &Store, request: &Request, name: &str) -> &'static str {
    match store.claim(request, &run(name)).unwrap() {
        Claim::Allowed(_) => "allowed",
        Claim::Denied(_) => "denied",
        Claim::Used => "used",
        Claim::Expired => "expired",
        Claim::Unknown => "unknown",
    }
}

/// The code of the error, or `ok`.
pub(crate) fn code<T, E: Diagnostic>(result: Result<T, E>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

/// Writes down that `test` cannot run here.
pub(crate) fn skip(test: &str, why: &str) {
    if let Some(list) = std::env::var_os("RINGFENCE_SKIP_LIST") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}: skipped, because {why}").unwrap();
    }
}
