//! Names what of this build decides which machine code a component or module becomes: the versions of
//! the crates that adapt and compile it, and the text of the room that adapts. The name goes into the
//! key of every cached entry. It is the same for the same sources, wherever and whenever they are
//! built.
#![allow(clippy::disallowed_methods, reason = "a build script reads the files it is about")]
#![allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

use std::fmt::Write as _;

/// Crates whose names begin like this take part in making code.
const CRATES: &[&str] =
    &["cranelift-", "wasi-preview1-component-adapter-", "wasm-encoder", "wasmtime", "wit-"];
const LOCK: &str = "../../Cargo.lock";
const ADAPTS: &str = "../bundle/src/adapt.rs";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={LOCK}");
    println!("cargo:rerun-if-changed={ADAPTS}");
    // As a dependency of another workspace there is no lock file here: cargo's metadata of this crate
    // has to do, and wasmtime's own hash covers its version.
    let lock = std::fs::read_to_string(LOCK).unwrap_or_default();
    let mut name = versions(&lock);
    let adapts = std::fs::read(ADAPTS).unwrap_or_default();
    let _ = write!(name, "adapt-{:016x}", fnv(&adapts));
    println!("cargo:rustc-env=RINGFENCE_CODE_BUILD={name}");
}

/// Returns names and versions of the locked crates that take part.
fn versions(lock: &str) -> String {
    let mut found = String::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim_matches('"'))
        };
        let (Some(name), Some(version)) = (field("name = "), field("version = ")) else { continue };
        if CRATES.iter().any(|start| name.starts_with(start)) {
            let _ = write!(found, "{name}-{version} ");
        }
    }
    found
}

/// Returns a short name for `bytes`; nobody gains from two texts that share one.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
