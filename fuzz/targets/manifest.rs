//! Any bytes as a manifest: refused with a place, or accepted, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_bundle::{BundleError, manifest};

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = manifest::parse_bytes(bytes, "plugin.toml") {
        assert!(matches!(error, BundleError::Manifest { line: 1.., column: 1.., .. }));
    }
});
