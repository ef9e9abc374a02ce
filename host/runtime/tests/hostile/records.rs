//! What the host keeps: compiled code that is rebuilt when it was touched, and a log without which
//! nothing happens.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};

use ringfence::{CallResult, Diagnostic as _, Host, Prepared, RunError, RunOptions, Source, Stdio};
use ringfence_audit::{Decision, Record, Records, Summary, Target, verify};
use serde_json::json;

use crate::common::{Ended, Expect, Place, Run, block_on, guest_bytes, one, read, write};

/// Names the place a child process works in; see `many_processes_share_one_cache_and_one_log`.
const CHILD: &str = "RINGFENCE_HOSTILE_CHILD";
const CHILDREN: usize = 4;
const THREADS: usize = 2;
const CALLS: usize = 10;

/// Returns the state directory of the place with this root, as [`Place::path`] has it.
fn state(root: &Path) -> PathBuf {
    root.parent().unwrap().join("state")
}

fn host(root: &Path) -> Host {
    let builder = Host::builder().workspace(root.join("ws")).state(state(root));
    builder.cache(root.join("cache")).build().unwrap()
}

fn prepared(root: &Path, bytes: &[u8]) -> Prepared {
    let plugin = Host::open_bytes(bytes.to_vec(), "types").unwrap();
    host(root).prepare(&plugin, RunOptions::default()).unwrap()
}

fn greet(prepared: &Prepared) -> Result<CallResult, RunError> {
    let done = block_on(prepared.call("greet", &json!({ "name": "you" }), Stdio::captured()));
    done.map(|done| done.result)
}

fn records(place: &Place) -> Vec<Record> {
    let file = std::fs::File::open(place.path("state/audit.jsonl")).unwrap();
    Records::new(BufReader::new(file)).collect::<Result<_, _>>().unwrap()
}

fn verified(root: &Path) -> Summary {
    let file = std::fs::File::open(state(root).join("audit.jsonl")).unwrap();
    verify(BufReader::new(file), None).unwrap()
}

/// Returns the one file of the cache with this ending.
fn entry(place: &Place, ending: &str) -> PathBuf {
    let files = std::fs::read_dir(place.path("cache")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == ending)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

type Spoil = fn(&Place);

/// What can happen to an entry of the cache.
const SPOILS: &[(&str, Spoil)] = &[
    ("cut", |p| {
        std::fs::File::options()
            .write(true)
            .open(entry(p, "cwasm"))
            .unwrap()
            .set_len(4096)
            .unwrap();
    }),
    ("emptied", |p| std::fs::write(entry(p, "cwasm"), b"").unwrap()),
    ("other bytes", |p| std::fs::write(entry(p, "cwasm"), vec![0x90; 65_536]).unwrap()),
    ("one bit", |p| {
        let mut bytes = std::fs::read(entry(p, "cwasm")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(entry(p, "cwasm"), bytes).unwrap();
    }),
    ("replaced by a copy", |p| {
        std::fs::copy(entry(p, "cwasm"), p.path("copy")).unwrap();
        std::fs::rename(p.path("copy"), entry(p, "cwasm")).unwrap();
    }),
    ("a second name", |p| std::fs::hard_link(entry(p, "cwasm"), p.path("cache/second")).unwrap()),
    ("a link", |p| {
        std::fs::rename(entry(p, "cwasm"), p.path("moved")).unwrap();
        let name = entry(p, "stamp").with_extension("cwasm");
        std::os::unix::fs::symlink(p.path("moved"), name).unwrap();
    }),
    ("writable by others", |p| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(entry(p, "cwasm"), mode).unwrap();
    }),
    ("no stamp", |p| std::fs::remove_file(entry(p, "stamp")).unwrap()),
    ("another stamp", |p| {
        std::fs::write(entry(p, "stamp"), "ringfence-code 1 0 0 0 0 0\n").unwrap();
    }),
    ("a huge stamp", |p| std::fs::write(entry(p, "stamp"), vec![b'1'; 1 << 20]).unwrap()),
];

#[test]
fn compiled_code_that_was_touched_is_made_again_and_still_right() {
    let place = Place::new();
    let bytes = guest_bytes("all-types");
    let compiled = |source| matches!(source, Source::Compiled(_));
    let first = prepared(&place.path(""), &bytes);
    assert!(compiled(first.source()));
    for (what, spoil) in SPOILS {
        assert_eq!(
            prepared(&place.path(""), &bytes).source(),
            Source::Cached,
            "before `{what}`: untouched code is used"
        );
        spoil(&place);
        let again = prepared(&place.path(""), &bytes);
        assert!(compiled(again.source()), "{what}");
        assert_eq!(greet(&again).unwrap(), CallResult::Ok(json!("hello you")), "{what}");
        let _ = std::fs::remove_file(place.path("cache/second"));
    }
    // Code that is mapped already is not touched by any of that.
    assert_eq!(greet(&first).unwrap(), CallResult::Ok(json!("hello you")));
}

#[test]
fn a_cache_others_may_write_is_not_used() {
    let place = Place::new();
    std::fs::create_dir(place.path("cache")).unwrap();
    let build = || Host::builder().workspace(place.path("ws")).cache(place.path("cache")).build();
    build().map(drop).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(place.path("cache"), mode).unwrap();
    let error = build().map(drop).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(error.code(), "runtime::place");
    assert_eq!(cause, "it belongs to another user, or others may write to it");
}

#[test]
fn many_processes_share_one_cache_and_one_log() {
    if let Some(root) = std::env::var_os(CHILD) {
        return work(Path::new(&root));
    }
    let place = Place::new();
    let child = |_| -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "records::many_processes_share_one_cache_and_one_log"]);
        command.env(CHILD, place.path("")).stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..CHILDREN).map(child).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    // Two decisions for each `prepare`, start and end for each call: all of them, each once.
    let runs = (CHILDREN * THREADS * CALLS) as u64;
    let summary = verified(&place.path(""));
    assert_eq!((summary.records, summary.recovered), (runs * 4, 0));
    let mut ids: Vec<_> =
        records(&place).into_iter().filter_map(|record| record.entry.run).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, runs, "each run has a name of its own");
    entry(&place, "cwasm");
    assert_eq!(prepared(&place.path(""), &guest_bytes("all-types")).source(), Source::Cached);
}

/// What each process does: calls on several threads, each with a host of its own.
fn work(root: &Path) {
    let bytes = guest_bytes("all-types");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    assert_eq!(
                        greet(&prepared(root, &bytes)).unwrap(),
                        CallResult::Ok(json!("hello you"))
                    );
                }
            });
        }
    });
}

/// Returns operation, target and decision of every record, in order.
fn told(place: &Place) -> Vec<(String, String, Option<Decision>)> {
    let target = |target: Option<Target>| match target {
        Some(Target::GuestPath { path } | Target::WorkspacePath { path }) => path,
        Some(Target::Name { name }) => name,
        Some(Target::Host { host, .. }) => host,
        _ => String::new(),
    };
    let all = records(place).into_iter().map(|record| record.entry);
    all.map(|entry| (entry.operation, target(entry.target), entry.decision)).collect()
}

#[test]
fn every_decision_and_effect_of_a_run_is_in_the_log() {
    let (allow, forbid) = (Some(Decision::Allow), Some(Decision::Forbid));
    let has = |place: &Place, operation: &str, target: &str, decision: Option<Decision>| {
        let found =
            told(place).iter().any(|(o, t, d)| o == operation && t == target && *d == decision);
        assert!(found, "{operation} {target} {decision:?} in {:#?}", told(place));
    };
    let place = Place::new();
    one(
        Run::command("write-file", ["/ws", "new.txt"]).at(&place).grant(write(".", "/ws")),
        &Expect::Succeeded("wrote"),
    );
    has(&place, "fs.write", ".", allow);
    has(&place, "clock", "real", allow);
    has(&place, "fs.write.create", "/ws/new.txt", allow);
    let run: Vec<_> = records(&place).into_iter().filter_map(|record| record.entry.run).collect();
    assert!(run.len() >= 3 && run.iter().all(|id| *id == run[0]), "one run: {run:?}");
    assert_eq!(told(&place).last().unwrap().0, "run.end");

    let place = Place::new();
    one(
        Run::command("write-file", ["/ws", "new.txt"]).at(&place).grant(read(".", "/ws")),
        &Expect::Refused("read-only"),
    );
    has(&place, "fs.read", ".", allow);
    has(&place, "fs.write.open", "/ws/new.txt", forbid);

    let place = Place::new();
    let absent = Expect::Error("interfaces::not-granted", &[]);
    one(Run::command("write-file", ["/ws", "new.txt"]).at(&place), &absent);
    has(&place, "plugin.refused", "", forbid);
    assert!(told(&place).iter().all(|(operation, ..)| operation != "run.start"), "nothing ran");

    let place = Place::new();
    let run = Run::command("write-file", ["/ws", "new.txt"])
        .at(&place)
        .grant(write(".", "/ws"))
        .unvouched();
    one(run, &Expect::Error("policy::forbidden", &[]));
    has(&place, "fs.write", ".", forbid);

    let place = Place::new();
    one(Run::command("trap", [""; 0]).at(&place), &Expect::Error("engine::trap", &[]));
    has(&place, "run.end", "", forbid);

    let place = Place::new();
    let kv = ringfence_capability::Capability::Kv {
        namespace: "box".parse().unwrap(),
        size_bytes: 4096,
    };
    one(
        Run::command("kv-store", ["box", "key", "hidden"]).at(&place).grant(kv),
        &Expect::Succeeded(""),
    );
    has(&place, "kv.set", "box", allow);
    let log = std::fs::read_to_string(place.path("state/audit.jsonl")).unwrap();
    assert!(!log.contains("hidden"), "values are not logged");
}

/// Breaks the log of a host that is already set up.
fn broken_log(place: &Place, how: &str) {
    let log = place.path("state/audit.jsonl");
    match how {
        "a directory" => {
            std::fs::remove_file(&log).unwrap();
            std::fs::create_dir(&log).unwrap();
        }
        "gone with its directory" => std::fs::remove_dir_all(place.path("state")).unwrap(),
        "cut" => std::fs::File::options().write(true).open(&log).unwrap().set_len(10).unwrap(),
        "a line of another" => {
            let mut text = std::fs::read_to_string(&log).unwrap();
            text.push_str("{\"forged\":true}\n");
            std::fs::write(&log, text).unwrap();
        }
        _ => unreachable!(),
    }
}

#[test]
fn nothing_runs_when_it_cannot_be_recorded() {
    let place = Place::new();
    place.file("state-file", "no directory");
    let error = Host::builder().workspace(place.path("ws")).state(place.path("state-file")).build();
    assert_eq!(error.map(drop).unwrap_err().code(), "runtime::place");

    for how in ["intact", "a directory", "gone with its directory", "cut", "a line of another"] {
        let place = Place::new();
        let bytes = guest_bytes("all-types");
        let host = host(&place.path(""));
        let plugin = Host::open_bytes(bytes, "types").unwrap();
        let ready = host.prepare(&plugin, RunOptions::default()).unwrap();
        greet(&ready).unwrap();
        if how == "intact" {
            assert_eq!(greet(&ready).unwrap(), CallResult::Ok(json!("hello you")));
            host.prepare(&plugin, RunOptions::default()).map(drop).unwrap();
            continue;
        }
        broken_log(&place, how);
        assert_eq!(greet(&ready).unwrap_err().code(), "runtime::not-recorded", "{how}");
        let session = block_on(ready.session(Stdio::captured())).map(drop);
        assert_eq!(session.unwrap_err().code(), "runtime::not-recorded", "{how}");
        let again = host.prepare(&plugin, RunOptions::default()).map(drop);
        assert_eq!(again.unwrap_err().code(), "runtime::not-recorded", "{how}");
    }
}

/// Notes that something ended, also by a panic.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn an_effect_that_cannot_be_recorded_does_not_happen() {
    let place = Place::new();
    let kv = || ringfence_capability::Capability::Kv {
        namespace: "box".parse().unwrap(),
        size_bytes: 64 << 20,
    };
    let log = place.path("state/audit.jsonl");
    let ended = AtomicBool::new(false);
    let end: Ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Waits for the first effects, then puts a directory in the place of the log.
            while std::fs::metadata(&log).map_or(0, |found| found.len()) < 16 << 10 {
                assert!(!ended.load(Ordering::SeqCst), "the run ended before it did anything");
                std::thread::yield_now();
            }
            std::fs::rename(&log, place.path("state/aside")).unwrap();
            std::fs::create_dir(&log).unwrap();
        });
        // However this ends, the thread above must not wait for ever.
        let _ends = Ends(&ended);
        let run = Run::command("kv-hog", ["box", "1000000", "1"]).at(&place).grant(kv());
        block_on(run.end())
    });
    let (outcome, detail) = end.line().unwrap();
    let end = end.expect(
        "kv-hog without a log",
        &Expect::Error("runtime::not-recorded", &["nothing was run"]),
    );
    drop(end);
    assert_eq!(outcome, "refused");
    // What was stored is what was recorded: no value came after the log was gone.
    let stored: usize = detail.rsplit(' ').next().unwrap().parse().unwrap();
    let text = std::fs::read_to_string(place.path("state/aside")).unwrap();
    let recorded = text.lines().filter(|line| line.contains("\"kv.set\"")).count();
    assert!(stored <= recorded, "{stored} stored, {recorded} recorded");
    std::fs::remove_dir(&log).unwrap();
    let one_more = |key: String| {
        let run =
            Run::command("kv-other-namespace", ["box".to_owned(), key]).at(&place).grant(kv());
        block_on(run.end()).line().unwrap().0
    };
    assert_eq!(one_more(format!("key-{}", stored - 1)), "succeeded");
    assert_eq!(one_more(format!("key-{stored}")), "refused");
}
