//! Any bytes as a bundle: refused, or the one encoding of what it holds, and never a panic.
#![no_main]

#[path = "../checks/archive.rs"]
mod archive;
#[path = "../checks/told.rs"]
mod told;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    archive::archive(bytes);
});
