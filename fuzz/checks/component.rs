//! What holds for any bytes as a component or as a core module.

use crate::told::{plain, told};
use ringfence_bundle::{Found, adapt, inspect, sniff};

/// Inspects or adapts; returns whether it was accepted, panics when a promise is broken.
pub(crate) fn component(bytes: &[u8]) -> bool {
    if sniff(bytes) != Found::CoreModule {
        return inspected(bytes);
    }
    match adapt::adapt(bytes, "fuzz.wasm") {
        Err(error) => {
            told(&error);
            false
        }
        Ok(component) => {
            assert!(sniff(&component) == Found::Component, "adapting makes a component");
            inspected(&component);
            true
        }
    }
}

fn inspected(bytes: &[u8]) -> bool {
    if let Err(error) = inspect::imports(bytes, "fuzz.wasm") {
        told(&error);
    }
    match inspect::inspect(bytes, "fuzz.wasm") {
        Err(error) => {
            told(&error);
            false
        }
        Ok(interface) => {
            assert!(interface.functions.len() <= inspect::MAX_FUNCTIONS, "too many functions");
            for function in &interface.functions {
                let found = interface.function(&function.full);
                assert!(found.is_ok_and(|found| found.full == function.full), "{}", function.full);
                for text in [&function.full, &function.short, &function.name, &function.docs] {
                    plain(text);
                }
                assert!(function.input_schema.is_object(), "{}", function.full);
            }
            true
        }
    }
}
