//! Agents that ask too often, crash, split without end, spend by several or share a name with a tool: what
//! the first was given holds for all below it. Each refusal has a twin with a wider bound.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringfence::supervisor::{AggregationConfig, Budget, Cancel, OnFailure, Restart, Strategy};
use ringfence::{
    AgentEvent, CrewDone, CrewOptions, CrewPlan, CrewTask, Limits, PersonAsker, Plugin, RunError,
    Watcher,
};
use serde_json::json;

use crate::common::Place;

/// The guest that does one thing.
const WORKER: &str = "agent-worker";

const MANIFEST: &str = r#"
[plugin]
name = "agent-worker"
version = "0.1.0"
description = "Does one thing"
component = "agent-worker.wasm"
needs-profile = "offline"

[[request]]
capability = "tool"
names = ["json-query", "agent-worker"]
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

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Keeps what happened.
#[derive(Default)]
struct Kept(Mutex<Vec<AgentEvent>>);

impl Watcher for Kept {
    fn event(&self, event: &AgentEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Kept {
    fn all<T>(&self, of: impl Fn(&AgentEvent) -> Option<T>) -> Vec<T> {
        self.0.lock().unwrap().iter().filter_map(of).collect()
    }

    fn started(&self) -> Vec<String> {
        self.all(|event| match event {
            AgentEvent::Queued { id, .. } => Some(id.clone()),
            _ => None,
        })
    }
}

/// One run of the worker.
struct Crewed {
    place: Place,
    goals: Vec<String>,
    budget: Budget,
    config: AggregationConfig,
    restart: Restart,
    person: Option<PersonAsker>,
    /// The name under which the tool takes part.
    tool: &'static str,
}

fn run(goal: &str) -> Crewed {
    let budget = Budget { children: 1_000, depth: 20, ..Budget::default() };
    Crewed {
        place: Place::new(),
        goals: vec![goal.to_owned()],
        budget,
        config: AggregationConfig { strategy: Strategy::FirstSuccess, ..Default::default() },
        restart: Restart::default(),
        person: None,
        tool: "json-query",
    }
}

impl Crewed {
    fn budget(self, change: impl FnOnce(&mut Budget)) -> Self {
        let mut budget = self.budget;
        change(&mut budget);
        Self { budget, ..self }
    }

    fn tool(&self) -> PathBuf {
        let from = repository().join("plugins/tools/json-query");
        let manifest = std::fs::read_to_string(from.join("plugin.toml")).unwrap();
        let manifest =
            manifest.replace("name = \"json-query\"", &format!("name = {:?}", self.tool));
        self.place.file("tool/plugin.toml", &manifest);
        std::fs::copy(from.join("json-query.wasm"), self.place.path("tool/json-query.wasm"))
            .unwrap();
        self.place.path("tool")
    }

    /// Runs it with this many copies of the tool.
    fn end_with(&self, tools: usize) -> (Result<CrewDone, RunError>, Arc<Kept>) {
        let host = self.place.host(Limits::default());
        self.place.file("worker/plugin.toml", MANIFEST);
        let built = repository().join("tests/guests/out").join(format!("{WORKER}.wasm"));
        std::fs::copy(built, self.place.path("worker/agent-worker.wasm")).unwrap();
        let open = |path: PathBuf| -> Plugin { host.open(path).unwrap() };
        let kept = Arc::new(Kept::default());
        let options = CrewOptions {
            agents: vec![open(self.place.path("worker"))],
            tools: (0..tools).map(|_| open(self.tool())).collect(),
            restart: self.restart,
            person: self.person.clone(),
            grace: Duration::from_millis(50),
            ..CrewOptions::new(Arc::clone(&kept) as Arc<dyn Watcher>)
        };
        let crew = match host.crew(options) {
            Ok(crew) => crew,
            Err(error) => return (Err(error), kept),
        };
        let task = |(number, goal): (usize, &String)| CrewTask {
            label: format!("task-{number}"),
            agent: WORKER.to_owned(),
            goal: goal.clone(),
            input: json!({ "program": ".a", "json": "{\"a\": 1}" }),
            budget: self.budget,
        };
        let plan = CrewPlan {
            tasks: self.goals.iter().enumerate().map(task).collect(),
            config: self.config.clone(),
            on_failure: OnFailure::Tolerate,
            budget: self.budget,
            done: BTreeMap::new(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let done = runtime.block_on(crew.run(plan, &Cancel::default()));
        runtime.shutdown_background();
        (done, kept)
    }

    fn end(&self) -> (CrewDone, Arc<Kept>) {
        let (done, kept) = self.end_with(1);
        (done.unwrap(), kept)
    }

    /// Returns what the only agent said, or why it failed.
    fn said(&self) -> String {
        let (done, _) = self.end();
        match done.each.into_iter().next().unwrap().1 {
            Ok(outcome) => outcome.plain(),
            Err(failure) => failure.to_string(),
        }
    }
}

#[test]
fn of_many_questions_one_is_open_at_a_time_and_one_that_is_late_is_withdrawn() {
    let open = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let seen = Arc::clone(&open);
    let slow: PersonAsker = Arc::new(move |question| {
        let (now, most) = &*seen;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        while !question.is_withdrawn() {
            std::thread::yield_now();
        }
        now.fetch_sub(1, Ordering::SeqCst);
        true
    });
    let goals = vec!["ask 4".to_owned(); 3];
    let (done, _) = Crewed { goals, person: Some(slow), ..run("") }.end();
    for (label, outcome) in &done.each {
        if let Ok(outcome) = outcome {
            assert_eq!(outcome.plain(), ["Verdict::Expired"; 4].join(" "), "{label}");
        }
    }
    assert!(open.1.load(Ordering::SeqCst) <= 1);
    // One that is answered at once is a yes, and what cannot be asked says so.
    let yes: PersonAsker = Arc::new(|question| question.action().starts_with("question"));
    assert_eq!(Crewed { person: Some(yes), ..run("ask 1 250000") }.said(), "Verdict::Granted");
    assert_eq!(run("ask 1").said(), "Verdict::NoApprover");
}

#[test]
fn a_person_who_never_answers_holds_one_thread_and_no_agent() {
    let (answer, wait) = std::sync::mpsc::channel::<()>();
    let (wait, asked) = (Mutex::new(wait), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let never: PersonAsker = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        wait.lock().unwrap().recv().is_ok()
    });
    let said = Crewed { person: Some(never), ..run("ask 20") }.said();
    assert_eq!(said, ["Verdict::Expired"; 20].join(" "));
    assert!(asked.load(Ordering::SeqCst) <= 1, "the others waited for the first");
    drop(answer);
}

#[test]
fn what_crashes_is_tried_again_after_longer_waits_and_given_up_at_the_bound() {
    let restart = Restart { most: 2, first: Duration::from_millis(1), ..Restart::default() };
    let (done, kept) = Crewed { restart, ..run("crash 2") }.end();
    assert_eq!(done.merged.unwrap().plain(), "whole in the end");
    let waits = kept.all(|event| match event {
        AgentEvent::Restarted { id, tries, wait_ms, .. } => Some((id.clone(), *tries, *wait_ms)),
        _ => None,
    });
    assert_eq!(waits, [("1.1".to_owned(), 1, 1), ("1.1".to_owned(), 2, 2)]);
    for (crashes, restart) in [(3, restart), (1, Restart::default())] {
        let said = Crewed { restart, ..run(&format!("crash {crashes}")) }.said();
        assert!(said.contains("Trapped"), "{crashes}: {said}");
    }
}

#[test]
fn no_number_of_forks_starts_more_or_deeper_than_the_first_may() {
    // Two children each, four levels: thirty below the first, and the first counts too.
    let (done, kept) = run("fork 4").end();
    assert_eq!((done.merged.unwrap().plain().as_str(), done.used["children"]), ("30", 31));
    assert_eq!(kept.started().len(), 31);
    let (done, kept) = run("fork 4").budget(|budget| budget.children = 10).end();
    assert!(done.used["children"] <= 10, "{:?}", done.used);
    assert!(kept.started().len() <= 10, "{:?}", kept.started());
    let (_, kept) = run("fork 9").budget(|budget| budget.depth = 3).end();
    let deepest = kept.started().iter().map(|id| id.matches('.').count()).max();
    assert_eq!((deepest, kept.started().len()), (Some(2), 7), "{:?}", kept.started());
}

#[test]
fn several_together_call_no_more_than_the_first_may() {
    for most in [7, 23] {
        let one = run("greedy json_query_query").budget(|budget| budget.tool_calls = most);
        let (done, _) = one.end();
        assert_eq!(done.merged.unwrap().plain(), most.to_string());
        assert_eq!(done.used["tool-calls"], u64::from(most));
    }
}

#[test]
fn an_agent_and_a_tool_of_one_name_are_two_and_two_tools_of_one_name_are_refused() {
    let one = run("greedy agent_worker_query").budget(|budget| budget.tool_calls = 5);
    let one = Crewed { tool: WORKER, ..one };
    assert_eq!(one.said(), "5");
    let (refused, kept) = one.end_with(2);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("a tool of this name was given already"), "{error}");
    assert!(kept.started().is_empty());
}

#[test]
fn a_message_of_many_parts_is_too_large_however_little_they_say() {
    assert_eq!(run("parts 16000").said(), "Ok(\"sent\")");
    assert_eq!(run("parts 20000").said(), "Err(Error::TooLarge(1048576))");
}

#[test]
fn a_reducer_is_looked_for_before_anything_runs_and_has_the_time_that_is_left() {
    let reduce = |agent: &str| AggregationConfig {
        strategy: Strategy::Reduce(agent.to_owned()),
        timeout: Duration::from_secs(2),
        ..AggregationConfig::default()
    };
    let one = Crewed { config: reduce("nobody"), ..run("wait") };
    let (refused, kept) = one.end_with(1);
    assert!(matches!(refused, Err(RunError::NoAgent { agent, .. }) if agent == "nobody"));
    assert!(kept.started().is_empty(), "nothing ran");
    // One that waits until it is late, and one that is there to be reduced.
    let goals = vec!["wait".to_owned(), "parts 1".to_owned()];
    let one = Crewed { goals, config: reduce(WORKER), ..run("") };
    let (_, kept) = one.budget(|budget| budget.wall_ms = 100_000).end();
    let times = kept.all(|event| match event {
        AgentEvent::Running { id, wall_ms, .. } if !id.contains('.') => {
            Some((id.clone(), *wall_ms))
        }
        _ => None,
    });
    let of = |wanted: &str| times.iter().find(|(id, _)| id == wanted).unwrap().1;
    assert_eq!(of("1"), 100_000);
    assert!(of("3") <= 98_000, "{times:?}");
}
