//! What agents cost: eight at once, a thousand alive, a message there and back, and many requests.
//!
//!     cargo bench -p ringfence-benches --bench agents [-- --seconds N]
//!
//! `--seconds` is how long requests come at each of the two rates (10, at most an hour; the figures in the
//! documentation say how long theirs took). Everything is in one process, with the audit log. What is
//! below or above the bounds of the load is said beside its figures.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark is a test")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads its own files and prints")]
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ringfence::supervisor::{AggregationConfig, Budget, Cancel, OnFailure, Why};
use ringfence::{AgentEvent, Crew, CrewDone, CrewOptions, CrewPlan, CrewTask, Watcher};
use ringfence::{Host, Plugin, RunOptions};
use serde_json::json;
use tokio::runtime::Runtime;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// How often what is quick is measured.
const ROUNDS: usize = 50;
/// Agents that are alive at once.
const ALIVE: usize = 1_000;
/// Messages there and back in one run.
const MESSAGES: u32 = 2_000;

const MANIFEST: &str = r#"
[plugin]
name = "agent-worker"
version = "0.1.0"
description = "Does one thing"
component = "agent-worker.wasm"
needs-profile = "offline"

[[request]]
capability = "tool"
names = ["json-query"]
reason = "the thing"

[[request]]
capability = "agent"
names = ["agent-worker"]
reason = "the thing"

[[request]]
capability = "fs.read"
path = "."
reason = "the tool reads files"

[[request]]
capability = "clock"
reason = "the tool tells the time"

[[request]]
capability = "random"
source = "deterministic"
reason = "the tool has hash tables"
"#;

/// Counts the agents that began.
#[derive(Default)]
struct Begun(AtomicUsize);

impl Watcher for Begun {
    fn event(&self, event: &AgentEvent) {
        if matches!(event, AgentEvent::Running { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Place {
    host: Host,
    worker: std::path::PathBuf,
    _scratch: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let worker = scratch.path().join("agent-worker");
        std::fs::create_dir_all(&worker).unwrap();
        std::fs::write(worker.join("plugin.toml"), MANIFEST).unwrap();
        let built = Path::new(ROOT).join("tests/guests/out/agent-worker.wasm");
        std::fs::copy(built, worker.join("agent-worker.wasm"))
            .unwrap_or_else(|_| panic!("build it first: `cargo xtask guests`"));
        let workspace = scratch.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        let builder = Host::builder().workspace(&workspace).state(scratch.path().join("state"));
        let host = builder.cache(scratch.path().join("cache")).build().unwrap();
        Self { host, worker, _scratch: scratch }
    }

    fn open(&self, path: &Path) -> Plugin {
        self.host.open(path).unwrap()
    }

    fn crew(&self, at_once: usize, watcher: Arc<dyn Watcher>) -> Crew {
        let tool = Path::new(ROOT).join("plugins/tools/json-query");
        let options = CrewOptions {
            agents: vec![self.open(&self.worker)],
            tools: vec![self.open(&tool)],
            options: RunOptions::default(),
            at_once,
            queue: ALIVE,
            mailbox: NonZeroUsize::new(64).unwrap(),
            ..CrewOptions::new(watcher)
        };
        self.host.crew(options).unwrap()
    }
}

fn plan(goal: &str, count: usize) -> CrewPlan {
    let budget = Budget { children: 2_000, tool_calls: 2_000, ..Budget::default() };
    let task = |number| CrewTask {
        label: format!("task-{number}"),
        agent: "agent-worker".to_owned(),
        goal: goal.to_owned(),
        input: json!({ "program": ".a", "json": "{\"a\": 1}" }),
        budget,
    };
    CrewPlan {
        tasks: (0..count).map(task).collect(),
        config: AggregationConfig::default(),
        on_failure: OnFailure::Tolerate,
        budget: Budget { tool_calls: u32::MAX, ..budget },
        done: std::collections::BTreeMap::new(),
    }
}

async fn done(crew: &Crew, goal: &str, count: usize) -> Duration {
    let start = Instant::now();
    let done = crew.run(plan(goal, count), &Cancel::default()).await.unwrap();
    let took = start.elapsed();
    all_good(&done);
    took
}

fn all_good(done: &CrewDone) {
    for (label, outcome) in &done.each {
        assert!(outcome.is_ok(), "{label}: {outcome:?}");
    }
}

fn at(mut times: Vec<Duration>, share: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list"
    )]
    let place = ((times.len() - 1) as f64 * share).round() as usize;
    times[place].as_secs_f64() * 1e3
}

/// Returns the memory this process holds, in bytes of its own and of files.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn eight(place: &Place, runtime: &Runtime) {
    let crew = place.crew(8, Arc::new(Begun::default()));
    let first = runtime.block_on(done(&crew, TOOL, 8));
    let times: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(done(&crew, TOOL, 8))).collect();
    println!(
        "| 8 agents at once, one tool call each: first | {:.1} ms |",
        first.as_secs_f64() * 1e3
    );
    println!("| … then, median of {ROUNDS} | {:.2} ms |", at(times.clone(), 0.5));
    println!("| … 95 % | {:.2} ms |", at(times, 0.95));
}

fn messages(place: &Place, runtime: &Runtime, threads: &str) {
    let crew = place.crew(8, Arc::new(Begun::default()));
    runtime.block_on(done(&crew, "ping 1", 1));
    let time = |count: u32| {
        let goal = format!("ping {count}");
        let times = (0..7).map(|_| runtime.block_on(done(&crew, &goal, 1))).collect();
        at(times, 0.5)
    };
    let each = (time(MESSAGES + 1) - time(1)) / f64::from(MESSAGES);
    println!("| a message to a child and its answer back, {threads} | {:.1} µs |", each * 1e3);
}

fn alive(place: &Place, runtime: &Runtime) {
    let begun = Arc::new(Begun::default());
    let crew = place.crew(ALIVE, Arc::clone(&begun) as Arc<dyn Watcher>);
    runtime.block_on(done(&crew, TOOL, 8));
    let (before, base) = (begun.0.load(Ordering::Relaxed), resident_bytes());
    let cancel = Cancel::default();
    let (held, took) = runtime.block_on(async {
        let start = Instant::now();
        let run = crew.run(plan("wait", ALIVE), &cancel);
        let look = async {
            while begun.0.load(Ordering::Relaxed) - before < ALIVE {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let (held, took) = (resident_bytes(), start.elapsed());
            cancel.ask(Why::Person);
            (held, took)
        };
        let (_, seen) = tokio::join!(run, look);
        seen
    });
    println!("| {ALIVE} agents begun | {:.0} ms |", took.as_secs_f64() * 1e3);
    println!("| {ALIVE} agents alive, memory above the base | {:.1} MiB |", mib(held - base));
}

/// Sends requests at a rate and says how long each took and what they left behind.
fn steady(place: &Place, runtime: &Runtime, seconds: u64, every: Duration) {
    let crew = Arc::new(place.crew(8, Arc::new(Begun::default())));
    runtime.block_on(done(&crew, TOOL, 1));
    let base = resident_bytes();
    let times = runtime.block_on(async {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut clock = tokio::time::interval(every);
        let mut running = Vec::new();
        while Instant::now() < end {
            clock.tick().await;
            let crew = Arc::clone(&crew);
            running.push(tokio::spawn(async move { done(&crew, TOOL, 1).await }));
        }
        let mut times = Vec::new();
        for one in running {
            times.push(one.await.unwrap());
        }
        times
    });
    let (p50, p99) = (at(times.clone(), 0.5), at(times.clone(), 0.99));
    let grown = mib(resident_bytes().saturating_sub(base));
    let rate = 1.0 / every.as_secs_f64();
    println!(
        "| {rate:.1} requests a second for {seconds} s, {} in all: median | {p50:.2} ms |",
        times.len()
    );
    let share = p99 / p50;
    println!("| … 99 %, {} | {p99:.2} ms ({share:.1} × the median) |", met(share <= MOST_SHARE));
    println!("| … memory grown by, {} | {grown:.1} MiB |", met(grown <= MOST_GROWTH));
}

/// The slowest of a hundred requests takes at most so many times as long as the one in the middle.
const MOST_SHARE: f64 = 3.0;
/// What counts as no growth, in MiB.
const MOST_GROWTH: f64 = 1.0;

fn met(is: bool) -> &'static str {
    if is { "as it should be" } else { "ABOVE ITS BOUND" }
}

/// Returns how long requests come, from what was said after `--`.
fn seconds() -> u64 {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let said = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(10),
        ["--seconds", number] | [number] => number.parse(),
        _ => panic!("what can follow is `--seconds N`"),
    };
    said.unwrap_or_else(|error| panic!("`--seconds`: {error}")).clamp(1, 3_600)
}

/// The goal of an agent that calls a tool once.
const TOOL: &str = "tool json_query_query";

fn main() {
    let seconds = seconds();
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("| case | measured |\n|---|--:|");
    eight(&place, &runtime);
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    messages(&place, &one, "on one thread");
    messages(&place, &runtime, "on several");
    alive(&place, &runtime);
    steady(&place, &runtime, seconds, Duration::from_millis(10));
    steady(&place, &runtime, seconds.max(6), Duration::from_millis(600));
}
