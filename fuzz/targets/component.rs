//! Any bytes as a component or a core module: inspected, adapted, and never a panic that gets out.
#![no_main]

#[path = "../checks/component.rs"]
mod component;
#[path = "../checks/told.rs"]
mod told;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    component::component(bytes);
});
