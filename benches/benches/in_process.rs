//! What the parts of a run cost inside one process: linking, instances, calls, JSON, the audit log,
//! mapping compiled code.
//!
//! The component is a guest of the tests, a Rust library with the imports its standard library has.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark is a test")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads its own files")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use ringfence::{Host, Plugin, Prepared, RunOptions, Stdio};
use ringfence_audit::{AuditLog, Decision, Durability, Entry, Target};
use ringfence_capability::{Digest, GrantSet, Origin};
use ringfence_engine::value::{Handles, params_from_json, result_to_json};
use ringfence_engine::{Allocation, AotCache, Engine, EngineOptions, Meter, Source};
use ringfence_interfaces::fs::{FsRoots, ProtectedNames};
use ringfence_interfaces::http::{HttpConfig, HttpHooks, HttpRules};
use ringfence_interfaces::kv::KvCtx;
use ringfence_interfaces::{
    Blocking, Effect, EffectSink, Effects, HostState, LinkPlan, NotRecorded, Observer, Output,
    Setup, link,
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, InstancePre};

const ALLOCATIONS: [(&str, Allocation); 2] =
    [("on demand", Allocation::OnDemand), ("pooled", Allocation::Pooled)];

fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests/out").join(name);
    let read = std::fs::read(&path);
    read.unwrap_or_else(|_| panic!("`{name}` is not built; `cargo run -p xtask -- guests` does it"))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// The store's data of a run that was granted nothing, built as the host builds it.
struct Parts {
    grants: Arc<GrantSet>,
    effects: Effects,
    observer: Arc<dyn Observer>,
}

struct Nobody;

impl EffectSink for Nobody {
    fn record(&self, _: Effect) -> Result<(), NotRecorded> {
        Ok(())
    }
}

impl Observer for Nobody {
    fn message(&self, _: ringfence::Level, _: &str, _: &[(String, String)]) {}

    fn progress(&self, _: f64, _: Option<f64>, _: &str) {}
}

impl Parts {
    fn new() -> Self {
        let grants = Arc::new(GrantSet::new(Vec::new()));
        Self { grants, effects: Arc::new(Nobody), observer: Arc::new(Nobody) }
    }

    fn state(&self, meter: &Arc<Meter>) -> HostState {
        let (grants, effects) = (&self.grants, &self.effects);
        let rules = HttpRules::from_grants(grants);
        HostState::new(Setup {
            grants: Arc::clone(grants),
            meter: Arc::clone(meter),
            observer: Arc::clone(&self.observer),
            fs: FsRoots::default(),
            protected: ProtectedNames::new(|_| false),
            effects: Arc::clone(effects),
            http: HttpHooks::new(HttpConfig::new(rules, Arc::clone(meter), Arc::clone(effects))),
            kv: KvCtx::new(grants, PathBuf::new(), Arc::clone(meter), Arc::clone(effects)),
            programs: None,
            outside: None,
            args: Vec::new(),
            env: Vec::new(),
            config: Vec::new(),
            stdin: ringfence_interfaces::Stdin::Closed,
            stdout: Output::new(Vec::new(), meter),
            stderr: Output::new(Vec::new(), meter),
            blocking: Blocking::Here,
        })
    }
}

/// A linked component with one of its functions.
struct Linked {
    engine: Engine,
    pre: InstancePre<HostState>,
    index: wasmtime::component::ComponentExportIndex,
}

impl Linked {
    fn new(allocation: Allocation) -> Self {
        let engine = Engine::new(EngineOptions { allocation, ..EngineOptions::default() }).unwrap();
        let component = component(&engine);
        let pre = link_all(&engine, &component);
        let index = component.get_export_index(None, "greet").unwrap();
        Self { engine, pre, index }
    }

    /// Makes a store and an instance, calls one function and drops everything.
    async fn one(&self, parts: &Parts) {
        let meter = Meter::new(ringfence::Limits::default());
        let mut store = Store::new(self.engine.wasmtime(), parts.state(&meter));
        let bounds = self.engine.bound(&mut store, &meter, HostState::limiter);
        let done = bounds.hold(async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let greet = instance.get_typed_func::<(&str,), (String,)>(&mut store, self.index)?;
            greet.call_async(&mut store, ("fence",)).await
        });
        black_box(done.await.unwrap());
    }
}

fn component(engine: &Engine) -> Component {
    let bytes = guest("all-types.wasm");
    engine.compile(&bytes, &Digest::from_bytes([0; 32]), "all-types").unwrap().component
}

fn link_all(engine: &Engine, component: &Component) -> InstancePre<HostState> {
    let grants = GrantSet::new(Vec::new());
    let plan = LinkPlan {
        grants: &grants,
        without: &[],
        unused: &[],
        plugin: "all-types",
        profile: "offline",
    };
    link(engine, component, &plan).unwrap()
}

fn linking(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let component = component(&engine);
    criterion.bench_function("link: imports answered, functions linked, checked", |bencher| {
        bencher.iter(|| link_all(&engine, black_box(&component)));
    });
}

fn instances(criterion: &mut Criterion) {
    let (runtime, parts) = (runtime(), Parts::new());
    for (name, allocation) in ALLOCATIONS {
        let linked = Linked::new(allocation);
        criterion.bench_function(&format!("instantiate and call, {name}"), |bencher| {
            bencher.to_async(&runtime).iter(|| linked.one(&parts));
        });
    }
    let linked = Arc::new(Linked::new(Allocation::Pooled));
    criterion.bench_function("instantiate and call, pooled, two threads", |bencher| {
        bencher.iter_custom(|count| on_two_threads(&linked, count));
    });
}

/// Returns how long `count` calls take when two threads share them.
fn on_two_threads(linked: &Arc<Linked>, count: u64) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for share in [count / 2, count - count / 2] {
            scope.spawn(move || {
                let parts = Parts::new();
                runtime().block_on(async {
                    for _ in 0..share {
                        linked.one(&parts).await;
                    }
                });
            });
        }
    });
    start.elapsed()
}

fn host(allocation: Allocation, state: Option<&Path>, cache: &Path) -> (Host, Plugin) {
    let mut builder = Host::builder().workspace(env!("CARGO_MANIFEST_DIR"));
    if let Some(state) = state {
        builder = builder.state(state);
    }
    let builder = builder.allocation(allocation).cache(cache);
    (builder.build().unwrap(), Host::open_bytes(guest("all-types.wasm"), "all-types").unwrap())
}

async fn call(prepared: &Prepared, input: &Value) {
    black_box(prepared.call("greet", input, Stdio::captured()).await.unwrap());
}

fn whole_calls(criterion: &mut Criterion) {
    let runtime = runtime();
    let scratch = tempfile::tempdir().unwrap();
    let (state, cache) = (scratch.path().join("state"), scratch.path().join("cache"));
    let input = json!({ "name": "fence" });
    for (name, allocation) in ALLOCATIONS {
        for (audit, state) in [("no log", None), ("audit log", Some(state.as_path()))] {
            let (host, plugin) = host(allocation, state, &cache);
            let prepared = host.prepare(&plugin, RunOptions::default()).unwrap();
            let title = format!("call with JSON, fresh instance, {name}, {audit}");
            criterion.bench_function(&title, |bencher| {
                bencher.to_async(&runtime).iter(|| call(&prepared, &input));
            });
        }
    }
    let (host, plugin) = host(Allocation::OnDemand, None, &cache);
    criterion.bench_function("open the host's engine and directories", |bencher| {
        bencher.iter(|| Host::builder().workspace(".").cache(&cache).build().unwrap());
    });
    criterion.bench_function("prepare: decide, map and link", |bencher| {
        bencher.iter(|| host.prepare(&plugin, RunOptions::default()).unwrap());
    });
    let prepared = host.prepare(&plugin, RunOptions::default()).unwrap();
    let mut session = runtime.block_on(prepared.session(Stdio::captured())).unwrap();
    criterion.bench_function("call with JSON, live instance", |bencher| {
        bencher.iter(|| runtime.block_on(session.call("greet", &input)).unwrap());
    });
}

/// Returns the types of the functions of the guest's interface.
fn functions(engine: &Engine, component: &Component) -> Vec<(String, ComponentFunc)> {
    let ty = component.component_type();
    let mut found = Vec::new();
    for (_, item) in ty.exports(engine.wasmtime()) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        for (name, item) in instance.exports(engine.wasmtime()) {
            if let ComponentItem::ComponentFunc(func) = item.ty {
                found.push((name.to_owned(), func));
            }
        }
    }
    found
}

fn values(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let functions = functions(&engine, &component(&engine));
    let point = json!({ "x": -7, "y": 12, "label": "corner" });
    let points: Vec<_> = std::iter::repeat_n(point.clone(), 1000).collect();
    let inputs = [
        ("a record of three fields", "echo-record", json!({ "value": point })),
        ("1,000 such records", "echo-list", json!({ "value": points })),
        ("64 KiB of text", "echo-string", json!({ "value": "x".repeat(65536) })),
    ];
    for (name, function, input) in inputs {
        let (_, ty) = functions.iter().find(|(known, _)| known == function).unwrap();
        // The function takes what it returns; a parameter that is a record is the input itself.
        let input = if function == "echo-record" { input["value"].clone() } else { input };
        criterion.bench_function(&format!("JSON to values and back: {name}"), |bencher| {
            bencher.iter(|| {
                let mut handles = Handles::default();
                let values = params_from_json(ty, black_box(&input), &mut handles).unwrap();
                result_to_json(ty, &values, &mut handles).unwrap()
            });
        });
    }
}

fn audit(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(scratch.path(), ambient_authority()).unwrap();
    let log = AuditLog::open(&dir, "audit.jsonl", Timestamp::now).unwrap();
    let entry = Entry::new("fs.read").in_run("75a1ad7fd4c57797").at(Target::guest_path("/src"));
    let origin = Origin::File { path: "policies/read-only.toml".to_owned(), line: 6 };
    let entry = entry.decided(Decision::Allow, "profile `read-only`", &origin, "reading is fine");
    for (name, durability) in [("written", Durability::Written), ("synced", Durability::Synced)] {
        criterion.bench_function(&format!("audit: append one record, {name}"), |bencher| {
            bencher.iter(|| log.append_all(std::slice::from_ref(&entry), durability).unwrap());
        });
    }
}

fn mapping(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().canonicalize().unwrap();
    let dir = Dir::open_ambient_dir(&path, ambient_authority()).unwrap();
    let cache = Arc::new(AotCache::open(dir, &path, u64::MAX).unwrap());
    let engine = Engine::new(EngineOptions { cache: Some(cache), ..EngineOptions::default() });
    let (engine, digest) = (engine.unwrap(), Digest::from_bytes([7; 32]));
    let bytes = guest("all-types.wasm");
    criterion.bench_function("compile a component of 66 KB", |bencher| {
        bencher.iter(|| engine.compile(&bytes, &digest, "all-types").unwrap());
    });
    criterion.bench_function("map its compiled code", |bencher| {
        bencher.iter(|| {
            let loaded = engine.map(black_box(&digest)).unwrap();
            assert_eq!(loaded.source, Source::Cached);
            loaded
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = linking, instances, whole_calls, values, audit, mapping
}
criterion_main!(benches);
