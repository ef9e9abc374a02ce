//! Any text as a policy layer: refused or accepted, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_policy::{Layer, LayerKind};

fuzz_target!(|text: &str| {
    for kind in [LayerKind::Host, LayerKind::User, LayerKind::Workspace] {
        let _ = Layer::parse(kind, "policy.toml", text);
    }
});
