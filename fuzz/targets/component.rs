//! Any bytes as a component or a core module: inspected, adapted, and never a panic that gets out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_bundle::{Found, adapt, inspect, sniff};

fuzz_target!(|bytes: &[u8]| match sniff(bytes) {
    Found::CoreModule => drop(adapt::adapt(bytes, "fuzz.wasm")),
    _ => drop(inspect::inspect(bytes, "fuzz.wasm")),
});
