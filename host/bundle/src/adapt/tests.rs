//! Core modules, adapted and refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::inspect::{PluginKind, inspect};
use crate::testing::{mutated, resolve, told};
use wit_component::{StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::ManglingAndAbi;

const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8)))))"#;

#[test]
fn a_command_for_wasi_01_becomes_a_command_component() {
    let component = adapt(&wat::parse_str(COMMAND).unwrap(), "x.wasm").unwrap();
    assert_eq!(inspect(&component, "x.wasm").unwrap().kind, PluginKind::Command);
}

#[test]
fn a_module_with_wit_types_becomes_a_component_with_its_functions() {
    let (resolve, world) =
        resolve(&["package a:b;\nworld w { export f: func(a: string) -> u32; }"]);
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let component = adapt(&module, "x.wasm").unwrap();
    assert_eq!(inspect(&component, "x.wasm").unwrap().functions[0].full, "f");
}

#[test]
fn what_cannot_be_adapted_is_refused_with_the_cause() {
    let other = COMMAND.replace("wasi_snapshot_preview1", "env");
    for (text, code, cause) in [
        ("(module)", "bundle::nothing-to-call", "neither `_start` nor functions"),
        (other.as_str(), "bundle::not-adaptable", "env"),
        ("(component)", "bundle::not-adaptable", "cause: "),
    ] {
        let module = wat::parse_str(text).unwrap();
        let told = told(&adapt(&module, "x.wasm").and(Ok(())).unwrap_err());
        assert!(told.contains(code) && told.contains(cause), "{told}");
    }
    assert!(adapt(b"\0asm\x01\0\0\0\x01", "x.wasm").is_err());
}

#[test]
fn a_damaged_module_never_panics() {
    let module = wat::parse_str(COMMAND).unwrap();
    for seed in 0..500 {
        let _ = adapt(&mutated(&module, seed), "x.wasm");
    }
}
