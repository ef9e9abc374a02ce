//! Any bytes as a manifest: refused with a place, or accepted, and never a panic.
#![no_main]

#[path = "../checks/manifest.rs"]
mod manifest;
#[path = "../checks/told.rs"]
mod told;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    manifest::manifest(bytes);
});
