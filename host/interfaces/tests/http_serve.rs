//! Handlers of WASI 0.2 and 0.3, answering real requests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests read the components that were built for them")]

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use ringfence_capability::{Limit, Limits};
use ringfence_engine::{EngineError, Meter};
use ringfence_interfaces::http::serve::{HttpCall, HttpHandler, ServeError};
use ringfence_interfaces::http::{HttpConfig, HttpHooks, HttpRules};
use ringfence_interfaces::{Effect, EffectSink, NotRecorded};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

struct Deaf;

impl EffectSink for Deaf {
    fn record(&self, _: Effect) -> Result<(), NotRecorded> {
        Ok(())
    }
}

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: HttpHooks,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

fn handler(name: &str) -> (Engine, HttpHandler<State>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/out");
    let bytes =
        std::fs::read(path.join(format!("{name}.wasm"))).expect("`cargo xtask guests` builds it");
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, bytes).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi::p3::add_to_linker(&mut linker).unwrap();
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi_http::p3::add_to_linker(&mut linker).unwrap();
    (engine, HttpHandler::new(linker.instantiate_pre(&component).unwrap()).unwrap())
}

/// What a request led to: the response or its error, and how the run ended.
struct Seen {
    answer: Result<Response<Result<Bytes, Error>>, ServeError<EngineError>>,
    run: Result<(), String>,
    reached: Option<Limit>,
}

async fn ask(name: &str, path: &str, limits: Limits) -> Seen {
    let (engine, handler) = handler(name);
    let meter = Meter::new(limits);
    let request = Request::post(path).header("host", "example.test");
    let request = request.body(Full::new(Bytes::from_static(b"question"))).unwrap();
    let (told, ended) = oneshot::channel();
    let (counted, wall) = (Arc::clone(&meter), limits.wall_time());
    let answer =
        handler.answer(request, Arc::clone(&meter), move |call: HttpCall<State>| async move {
            let rules = HttpRules::default();
            let hooks =
                HttpHooks::new(HttpConfig::new(rules, Arc::clone(&counted), Arc::new(Deaf)));
            let (table, wasi, http) =
                (ResourceTable::new(), WasiCtx::builder().build(), WasiHttpCtx::new());
            let mut store = Store::new(&engine, State { table, wasi, http, hooks });
            let result = tokio::time::timeout(wall, call.run(&mut store)).await;
            let result = result.unwrap_or_else(|_| Err(counted.reach(Limit::WallTime).into()));
            let result = result.map_err(|error| EngineError::from_run(error, &counted));
            let _ =
                told.send(result.as_ref().map_or_else(|error| Err(error.to_string()), |()| Ok(())));
            result
        });
    let answer = match answer.await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            Ok(Response::from_parts(
                parts,
                body.collect().await.map(http_body_util::Collected::to_bytes),
            ))
        }
        Err(error) => Err(error),
    };
    let run = ended.await.unwrap();
    Seen { answer, run, reached: meter.reached().map(|over| over.limit) }
}

fn short() -> Limits {
    Limits { wall_ms: 300, output_bytes: 2 * 1024 * 1024, ..Limits::default() }
}

#[tokio::test]
async fn a_handler_answers() {
    for name in ["http-echo", "http3-echo"] {
        let seen = ask(name, "/a?b=c", Limits::default()).await;
        let body = seen.answer.unwrap().into_body().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("/a?b=c") && body.contains("question"), "{name}: {body}");
        assert_eq!((seen.run, seen.reached), (Ok(()), None), "{name}");
    }
}

#[tokio::test]
async fn a_flood_stops_at_the_output_limit_and_less_does_not() {
    for name in ["http-flood", "http3-flood"] {
        let seen = ask(name, "/", short()).await;
        let error = seen.answer.unwrap().into_body().unwrap_err();
        assert!(matches!(error, Error::HttpResponseBodySize(Some(2_097_152))), "{name}: {error:?}");
        assert_eq!(seen.reached, Some(Limit::Output), "{name}");
        assert!(seen.run.unwrap_err().contains("output"), "{name}");
        let seen = ask(name, "/1", short()).await;
        assert_eq!(seen.answer.unwrap().into_body().unwrap().len(), 1024 * 1024, "{name}");
        assert_eq!((seen.run, seen.reached), (Ok(()), None), "{name}");
    }
}

#[tokio::test]
async fn a_handler_that_hangs_ends_with_its_time() {
    for name in ["http-hang", "http3-hang"] {
        let seen = ask(name, "/", short()).await;
        let error = seen.answer.unwrap_err();
        assert_eq!((error.status().as_u16(), seen.reached), (504, Some(Limit::WallTime)), "{name}");
        let seen = ask(name, "/after-head", short()).await;
        let error = seen.answer.unwrap().into_body().unwrap_err();
        assert!(matches!(error, Error::HttpResponseIncomplete), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_handler_that_dies_or_says_nothing_is_an_error_of_the_gateway() {
    for (name, path, status) in [
        ("http-silent", "/", 502),
        ("http-trap", "/", 502),
        ("http-silent", "/answer", 200),
        ("http-trap", "/answer", 200),
    ] {
        let seen = ask(name, path, Limits::default()).await;
        let status_seen = seen.answer.map_or_else(|e| e.status(), |r| r.status()).as_u16();
        assert_eq!(status_seen, status, "{name} {path}");
    }
}
