//! What a pool of instances has room for, and how it says that it has no more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use ringfence_capability::{Diagnostic as _, Digest, Limits};
use ringfence_engine::{Allocation, Engine, EngineError, EngineOptions, Meter};
use wasmtime::Store;
use wasmtime::component::{Component, Instance, Linker};

fn engine(concurrency: Option<u32>) -> Engine {
    let allocation = Allocation::Pooled;
    Engine::new(EngineOptions { allocation, concurrency, ..EngineOptions::default() }).unwrap()
}

fn component(engine: &Engine, module: &str) -> Component {
    let text = format!("(component (core module $m {module}) (core instance (instantiate $m)))");
    let bytes = wat::parse_str(text).unwrap();
    engine.compile(&bytes, &Digest::from_bytes([0; 32]), "test").unwrap().component
}

async fn instance(
    engine: &Engine,
    component: &Component,
) -> Result<(Store<()>, Instance), EngineError> {
    let mut store = Store::new(engine.wasmtime(), ());
    store.set_epoch_deadline(u64::MAX / 2);
    let made = Linker::new(engine.wasmtime()).instantiate_async(&mut store, component).await;
    let named = |error| EngineError::from_run(error, &Meter::new(Limits::default()));
    made.map_err(named).map(|made| (store, made))
}

#[tokio::test]
async fn a_pool_that_is_used_up_says_so_and_has_room_again_later() {
    let engine = engine(Some(3));
    let component = component(&engine, "");
    let mut alive = Vec::new();
    for _ in 0..3 {
        alive.push(instance(&engine, &component).await.unwrap());
    }
    let Err(error) = instance(&engine, &component).await else { panic!("there was a fourth") };
    assert!(
        matches!(&error, EngineError::PoolFull { why } if why.contains("limit of 3")),
        "{error}"
    );
    assert_eq!(error.code(), "engine::pool-full");
    alive.pop();
    assert!(instance(&engine, &component).await.is_ok());
}

#[test]
fn a_pool_refuses_at_the_start_what_it_has_no_room_for() {
    let pooled = engine(Some(100));
    assert!(pooled.holds(100).is_ok());
    let error = pooled.holds(101).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("engine::pool-size", "the host is set up for 100 runs at once, and 101 are asked for")
    );
    assert!(engine(None).holds(64).is_ok() && engine(None).holds(65).is_err());
    assert!(Engine::new(EngineOptions::default()).unwrap().holds(u32::MAX).is_ok());
}

#[tokio::test]
async fn a_pool_leaves_it_to_the_limits_of_a_run_how_large_one_is() {
    let engine = engine(None);
    for module in [
        // 1 GiB of memory, four times the default limit.
        "(memory 16384)",
        "(memory 1) (memory 1)",
        "(table 1000000 funcref)",
        "(table 1 funcref) (table 1 funcref)",
    ] {
        let component = component(&engine, module);
        assert!(instance(&engine, &component).await.is_ok(), "{module}");
    }
}
