//! What is asked once, what is asked again, and what is asked each time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Cached, Resume};
use crate::{Cache, StepError, StepKind, StepUsed, Steps};

const HOUR: Duration = Duration::from_hours(1);

/// A provider whose page has a version, and a step that computes.
#[derive(Default)]
struct Counted {
    calls: Mutex<Vec<String>>,
    kept: Mutex<Vec<StepKind>>,
    version: AtomicU64,
    digest: &'static str,
    grants: &'static [&'static str],
}

impl Counted {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl Steps for Counted {
    fn call<'a>(
        &'a self,
        step: StepKind,
        function: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, StepError>> {
        let version = format!("v{}", self.version.load(Ordering::SeqCst));
        self.calls.lock().unwrap().push(format!("{function} {}", input["known"]["etag"]));
        let answer = match function {
            "retrieve" if input["url"] == "https://gone.example/" => {
                let (case, text) = ("unavailable".to_owned(), "gone".to_owned());
                return async move { Err(StepError::Said { case, text }) }.boxed();
            }
            "retrieve" if input["known"]["etag"] == *version => Value::Null,
            "retrieve" => json!({ "url": input["url"], "etag": version, "body": "eA==" }),
            _ => json!({ "step": step.name(), "version": version }),
        };
        async move { Ok(answer) }.boxed()
    }

    fn has(&self, _: StepKind, _: &str) -> bool {
        false
    }

    fn kept_answer(&self, step: StepKind) {
        self.kept.lock().unwrap().push(step);
    }

    fn used(&self, step: StepKind) -> StepUsed {
        let grants: &[&str] = match step {
            StepKind::Provider => self.grants,
            StepKind::Extract => &["clock:deterministic", "random:deterministic"],
            StepKind::Rank => &["clock:real"],
            _ => &[],
        };
        StepUsed {
            step: step.name().to_owned(),
            plugin: "counted@1.0.0".to_owned(),
            digest: self.digest.to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        }
    }
}

fn online() -> Counted {
    Counted { grants: &["http.read:a.example"], ..Counted::default() }
}

static NOW: AtomicU64 = AtomicU64::new(1_000_000);

fn now() -> u64 {
    NOW.load(Ordering::SeqCst)
}

fn cache() -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("research"), now, 1 << 20).unwrap();
    (dir, cache)
}

fn call(steps: &dyn Steps, step: StepKind, function: &str, input: Value) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(steps.call(step, function, input)).unwrap()
}

#[test]
fn a_page_is_used_until_it_is_too_old_and_then_asked_about() {
    let (_dir, cache) = cache();
    let steps = online();
    let get = |age, resume, url: &str| {
        let cached = Cached::new(&steps, &cache, resume, age);
        call(&cached, StepKind::Provider, "retrieve", json!({ "url": url }))["etag"].clone()
    };
    assert_eq!(get(HOUR, Resume::No, "https://a.example/x"), "v0");
    assert_eq!(get(HOUR, Resume::No, "https://A.example:443/x?utm_source=q#part"), "v0");
    assert_eq!(steps.asked(), ["retrieve null"], "another spelling is the same page");
    assert_eq!(get(Duration::ZERO, Resume::No, "https://a.example/x"), "v0");
    assert_eq!(steps.asked(), ["retrieve \"v0\""], "it did not change");
    steps.version.store(1, Ordering::SeqCst);
    assert_eq!(get(HOUR, Resume::No, "https://a.example/x"), "v0", "it is young again");
    assert_eq!(
        get(Duration::ZERO, Resume::Yes, "https://a.example/x"),
        "v0",
        "it was read already"
    );
    assert!(steps.asked().is_empty());
    assert_eq!(get(Duration::ZERO, Resume::No, "https://a.example/x"), "v1");
    assert_eq!(steps.asked(), ["retrieve \"v0\""]);
}

#[test]
fn what_the_same_grants_stood_for_elsewhere_is_not_used() {
    let (_dir, cache) = cache();
    let steps = online();
    let used = steps.used(StepKind::Provider);
    for (setting, asks) in [("one", 1), ("two", 1), ("one", 0)] {
        let cached = Cached::new(&steps, &cache, Resume::Yes, HOUR).under(setting);
        call(&cached, StepKind::Provider, "retrieve", json!({ "url": "https://a.example/" }));
        assert_eq!(steps.asked().len(), asks, "{setting}");
    }
    assert!(crate::memory_key(&used, "one") != crate::memory_key(&used, "two"));
}

#[test]
fn a_page_that_another_plugin_wrote_is_not_used() {
    let (_dir, cache) = cache();
    let evil = Counted { digest: "sha256:evil", ..online() };
    let more = Counted { grants: &["http.read:a.example", "http.read:b.example"], ..online() };
    for steps in [&evil, &more, &online()] {
        let cached = Cached::new(steps, &cache, Resume::Yes, HOUR);
        call(&cached, StepKind::Provider, "retrieve", json!({ "url": "https://a.example/" }));
        assert_eq!(steps.asked(), ["retrieve null"]);
        call(&cached, StepKind::Provider, "retrieve", json!({ "url": "https://a.example/" }));
        assert!(steps.asked().is_empty(), "its own page it finds");
        assert_eq!(*steps.kept.lock().unwrap(), [StepKind::Provider], "and whoever asks hears it");
    }
}

#[test]
fn a_search_is_made_again_unless_the_run_is_taken_up() {
    let (_dir, cache) = cache();
    let steps = online();
    let search = |resume| {
        let cached = Cached::new(&steps, &cache, resume, HOUR);
        call(&cached, StepKind::Provider, "search", json!({ "query": "dams" }));
        steps.asked().len()
    };
    assert_eq!([Resume::Yes, Resume::Yes, Resume::No, Resume::Yes].map(search), [1, 0, 1, 0]);
}

#[test]
fn what_a_step_computes_is_kept_and_what_it_could_look_up_is_not() {
    let (_dir, cache) = cache();
    let steps = Counted { grants: &["fs.read:/somewhere"], ..Counted::default() };
    let cached = Cached::new(&steps, &cache, Resume::No, HOUR);
    let asked = |step, function: &str| {
        [0, 1].map(|_| {
            call(&cached, step, function, json!({ "question": "dams" }));
            steps.asked().len()
        })
    };
    assert_eq!(asked(StepKind::Plan, "plan"), [1, 0]);
    assert_eq!(asked(StepKind::Extract, "extract"), [1, 0], "a fixed clock tells nothing");
    assert_eq!(asked(StepKind::Rank, "rank"), [1, 1], "a real one does");
    assert_eq!(asked(StepKind::Synthesise, "synthesise"), [1, 0]);
    assert_eq!(asked(StepKind::Synthesise, "check"), [1, 1], "the checker always checks");
    assert_eq!(asked(StepKind::Provider, "search"), [1, 1], "a directory may have changed");
    assert_eq!(asked(StepKind::Provider, "retrieve"), [1, 1]);
}

#[test]
fn of_two_that_want_a_page_one_asks() {
    let (dir, cache) = cache();
    let other = Cache::open(&dir.path().join("research"), now, 1 << 20).unwrap();
    let steps = online();
    let (a, b) = (
        Cached::new(&steps, &cache, Resume::No, HOUR),
        Cached::new(&steps, &other, Resume::No, HOUR),
    );
    let input = json!({ "url": "https://a.example/" });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        // The turn of a third one that ends without a page.
        let Some(key) = page_key(&a, &input) else { return };
        let turn = cache.flight(&key).unwrap();
        assert!(turn.is_some());
        let both = futures::future::join(
            a.call(StepKind::Provider, "retrieve", input.clone()),
            b.call(StepKind::Provider, "retrieve", input.clone()),
        );
        let mut both = std::pin::pin!(both);
        assert!(both.as_mut().now_or_never().is_none(), "both wait for it");
        assert!(steps.asked().is_empty());
        drop(turn);
        let (first, second) = both.await;
        assert_eq!(first.unwrap(), second.unwrap());
    });
    assert_eq!(steps.asked(), ["retrieve null"]);
}

fn page_key(cached: &Cached<'_>, input: &Value) -> Option<crate::CacheKey> {
    match cached.way(StepKind::Provider, "retrieve", input) {
        super::Way::Page(key) => Some(key),
        _ => None,
    }
}

#[test]
fn an_error_is_not_kept() {
    let (_dir, cache) = cache();
    let steps = online();
    let cached = Cached::new(&steps, &cache, Resume::No, HOUR);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for _ in 0..2 {
        let input = json!({ "url": "https://gone.example/" });
        assert!(runtime.block_on(cached.call(StepKind::Provider, "retrieve", input)).is_err());
        assert_eq!(steps.asked().len(), 1);
    }
}
