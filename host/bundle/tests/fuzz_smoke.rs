//! Damaged manifests and components: refused with a message or read, and never a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

#[path = "../../../fuzz/checks/component.rs"]
mod component;
#[path = "../../../fuzz/checks/manifest.rs"]
mod manifest;
#[path = "../../../fuzz/smoke.rs"]
mod smoke;
#[path = "../../../fuzz/checks/told.rs"]
mod told;

use smoke::Format;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A manifest with one request of every shape.
const EVERY_SHAPE: &str = r#"
[plugin]
name = "a"
version = "1.0.0-rc.1+b"
description = "It says \"é\" \\ and more"
component = "out/a.wasm"
needs-profile = "trusted"
stub-imports = ["wasi:sockets/*", "wasi:sockets/tcp"]
[[request]]
capability = "http"
hosts = ["*.example.org", "localhost:8080", "[::1]:9"]
methods = "write"
reason = "r"
[[request]]
capability = "fs.write"
path = "out"
guest = "/out"
optional = true
reason = "r"
[[request]]
capability = "secret"
name = "API_KEY"
hosts = ["api.example.com"]
header = "X-Api-Key"
format = "key={}"
reason = "r"
[[request]]
capability = "kv"
size = "1MiB"
reason = "r"
[[request]]
capability = "clock"
source = "deterministic"
reason = "r"
[[request]]
capability = "env"
names = ["LANG", "TZ"]
reason = "r"
[[request]]
capability = "exec"
argv = [["cargo", "test", "--*", "**"], ["/bin/ls", "-**"]]
reason = "r"
[limits]
memory = "64MiB"
wall-time = "20s"
tables = 4
[tool."page.read"]
effect = "read"
[tool.fetch]
effect = "external"
idempotent = true
"#;

const MANIFEST: Format = Format {
    words: &[
        "[plugin]",
        "[[request]]",
        "[limits]",
        "[tool.x]",
        "name",
        "names",
        "argv",
        "[[\"ls\"]]",
        "**",
        "-**",
        "\\xff",
        "hosts",
        "methods",
        "capability",
        "reason",
        "optional = true\n",
        "path",
        "guest",
        "source",
        "size",
        "format",
        "\"",
        "\"\"\"",
        "'''",
        "\\u0000",
        "\\u001b",
        "\\u202e",
        "\u{1b}[2J",
        "\u{202e}",
        "é",
        "=",
        "[",
        "]",
        "{",
        "}",
        "[]",
        "{}",
        "..",
        "../",
        "/",
        "*",
        "*.",
        "::1",
        "[::1]:65536",
        ":0",
        "-1",
        "0",
        "18446744073709551615",
        "9223372036854775808",
        "0x10",
        "1e400",
        "nan",
        "true",
        "fs.read",
        "fs.write",
        "http",
        "secret",
        "kv",
        "clock",
        "exec",
        "socket",
        "model",
        "mcp",
        "KiB",
        "99999999999GiB",
        "ms",
        "1979-05-27",
        "workspace",
        "xn--a",
        "a.b.c",
        "\r\n",
    ],
    cut: lines,
    join: <[Vec<u8>]>::concat,
};

const COMPONENT: Format = Format {
    words: &[
        "\0",
        "\u{1}",
        "\u{7f}",
        "component-type",
        "producers",
        "package-docs",
        "wasi:cli/run",
        "wasi:http/handler@0.3.0",
        "ringfence:agent/a",
        "[method]counter.f",
        "[static]a.b",
        "[constructor]a",
        "[async]f",
        "a:b/c@1.0.0",
        "@",
        "#",
        "_start",
        "cabi_realloc",
        "memory",
    ],
    cut: sections,
    join: with_sizes,
};

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Cuts WebAssembly into its header and its sections; a section is its id and its contents.
fn sections(wasm: &[u8]) -> Vec<Vec<u8>> {
    let (header, mut rest) = wasm.split_at(wasm.len().min(8));
    let mut pieces = vec![header.to_vec()];
    while let Some((id, after)) = rest.split_first() {
        let Some((size, after)) = size(after).filter(|(size, after)| *size <= after.len()) else {
            break;
        };
        let (contents, next) = after.split_at(size);
        pieces.push([&[*id], contents].concat());
        rest = next;
    }
    pieces
}

/// Reads a LEB128 number, and returns what follows it.
fn size(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut size, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        size |= usize::from(first & 0x7f).checked_shl(shift)?;
        (bytes, shift) = (rest, shift + 7);
        if first & 0x80 == 0 {
            return Some((size, bytes));
        }
    }
}

/// Puts sections together with the sizes they have now, so that damage gets past the first check.
fn with_sizes(pieces: &[Vec<u8>]) -> Vec<u8> {
    let Some((header, sections)) = pieces.split_first() else { return Vec::new() };
    let mut wasm = header.clone();
    for section in sections {
        let Some((id, contents)) = section.split_first() else { continue };
        wasm.push(*id);
        let mut left = contents.len();
        while left >= 0x80 {
            wasm.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
            left >>= 7;
        }
        wasm.push(u8::try_from(left).unwrap());
        wasm.extend_from_slice(contents);
    }
    wasm
}

/// Returns the manifests of the plugins that come with the host.
fn manifests() -> Vec<Vec<u8>> {
    let tools = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/tools"));
    let paths = tools.unwrap().map(|tool| tool.unwrap().path().join("plugin.toml"));
    let mut samples: Vec<Vec<u8>> = paths.filter_map(|path| std::fs::read(path).ok()).collect();
    // The order of a directory is not the same everywhere.
    samples.sort();
    assert!(!samples.is_empty(), "the manifests are somewhere else");
    samples.push(EVERY_SHAPE.into());
    samples
}

const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (i32.const 0))))"#;

const COMPONENTS: [&str; 4] = [
    "(component)",
    r#"(component
        (import "wasi:clocks/wall-clock@0.2.6" (instance
            (type $t (record (field "seconds" u64) (field "nanoseconds" u32)))
            (export "datetime" (type $d (eq $t)))
            (export "now" (func (result $d)))))
        (import "wasi:io/poll@0.2.6" (instance $poll (export "pollable" (type (sub resource)))))
        (alias export $poll "pollable" (type $p))
        (import "wait" (func (param "on" (list (borrow $p))))))"#,
    r#"(component
        (core module $m
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
            (func (export "f") (param i32 i32) (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $f (param "text" string) (result (tuple u8 (option string)))
            (canon lift (core func $i "f") (memory (core memory $i "memory"))
                (realloc (core func $i "realloc"))))
        (export "f" (func $f)))"#,
    r#"(component
        (component $inner (type $v (variant (case "a") (case "b" (list u8)))) (export "v" (type $v)))
        (instance $x (instantiate $inner))
        (export "test:nested/types@1.2.3" (instance $x)))"#,
];

const WIT: &str = "package test:types@0.1.0;
interface all {
    /// Counts.
    resource counter { constructor(start: u32); increment: func(by: option<u32>) -> u64; }
    record point { x: s32, label: option<string> }
    enum color { red, dark-green }
    flags access { read, write }
    variant shape { none, circle(f64), at(point) }
    record-in: func(request: point) -> result<list<point>, shape>;
    mixed: func(c: color, a: access, s: shape, t: tuple<u8, string>, n: option<option<u8>>);
    waiting: func(s: stream<u8>) -> future<string>;
}
world w { export all; export greet: func(name: string) -> string; }";

fn components() -> Vec<Vec<u8>> {
    let texts = COMPONENTS.into_iter().chain([COMMAND]);
    let mut samples: Vec<Vec<u8>> = texts.map(|text| wat::parse_str(text).unwrap()).collect();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("w.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    samples.push(ComponentEncoder::default().module(&module).unwrap().encode().unwrap());
    samples.push(module);
    samples
}

#[test]
fn fuzz_smoke_manifest() {
    let samples = manifests();
    assert!(samples.iter().all(|sample| manifest::manifest(sample)), "a sample is refused");
    smoke::run(3_000, |random| MANIFEST.mutate(random, &samples), manifest::manifest);
}

#[test]
fn fuzz_smoke_component() {
    let samples = components();
    assert!(samples.iter().all(|sample| component::component(sample)), "a sample is refused");
    smoke::run(1_500, |random| COMPONENT.mutate(random, &samples), component::component);
}
