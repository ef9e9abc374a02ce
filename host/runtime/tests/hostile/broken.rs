//! Files that are no plugin, or no longer one: a clear refusal that names the file, never a panic.

use std::path::Path;

use ringfence::{CallResult, Diagnostic as _, Host, Plugin, RunError, RunOptions, Stdio};
use serde_json::json;

use crate::common::{Place, block_on, guest_bytes};

const MANIFEST: &str = "[plugin]\nname = \"types\"\nversion = \"0.1.0\"\ncomponent = \"types.wasm\"\n\n\
                        [[request]]\ncapability = \"fs.read\"\npath = \".\"\nreason = \"reads\"\n";

/// Returns a directory `plugin` that holds a good plugin.
fn plugin() -> Place {
    let place = Place::new();
    place.file("plugin/plugin.toml", MANIFEST);
    std::fs::write(place.path("plugin/types.wasm"), guest_bytes("all-types")).unwrap();
    place
}

/// Ends an expression that writes a file.
fn put(_: &Place) {}

fn host(place: &Place) -> Host {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-cache");
    Host::builder().workspace(place.path("ws")).cache(cache).build().unwrap()
}

fn open(place: &Place, path: &str) -> Result<Plugin, RunError> {
    host(place).open(place.path(path))
}

/// Opens and runs the plugin as far as it goes.
fn greeting(place: &Place, path: &str) -> Result<CallResult, RunError> {
    let plugin = open(place, path)?;
    let prepared = host(place).prepare(&plugin, RunOptions::default())?;
    let done = block_on(prepared.call("greet", &json!({ "name": "you" }), Stdio::captured()))?;
    Ok(done.result)
}

/// Returns the error as a person reads it.
fn text(error: &RunError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}; {cause}");
        source = cause.source();
    }
    text
}

type Spoil = fn(&Place);

/// What is opened, what happened to the good plugin before, and the code and a part of the refusal.
const SPOILT: &[(&str, Spoil, &str, &str)] = &[
    ("nothing-here", |_| (), "bundle::not-found", "nothing-here"),
    (
        "plugin",
        |p| std::fs::remove_file(p.path("plugin/plugin.toml")).unwrap(),
        "bundle::no-manifest",
        "plugin.toml",
    ),
    ("plugin", |p| put(p.file("plugin/plugin.toml", "")), "bundle::manifest", "plugin.toml:1:1"),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", "[plugin]\nname = \"")),
        "bundle::manifest",
        "plugin.toml:2",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", "\0\u{1}")),
        "bundle::manifest",
        "plugin.toml:1:",
    ),
    (
        "plugin",
        |p| std::fs::write(p.path("plugin/plugin.toml"), [0x5b, 0xff, 0xfe]).unwrap(),
        "bundle::manifest",
        "not UTF-8",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", &"#".repeat(300 << 10))),
        "bundle::too-large",
        "manifest",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", &format!("{MANIFEST}root = true\n"))),
        "bundle::manifest",
        "unknown key `root`",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", &MANIFEST.replace("fs.read", "fs.raed"))),
        "bundle::manifest",
        "unknown capability `fs.raed`",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", &MANIFEST.replace("types.wasm", "../secret.wasm"))),
        "bundle::manifest",
        "`component`",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/plugin.toml", &MANIFEST.replace("types.wasm", "/etc/passwd"))),
        "bundle::manifest",
        "`component`",
    ),
    (
        "plugin",
        |p| {
            std::fs::remove_file(p.path("plugin/plugin.toml")).unwrap();
            std::fs::create_dir(p.path("plugin/plugin.toml")).unwrap();
        },
        "bundle::not-plain-file",
        "a directory",
    ),
    (
        "plugin",
        |p| {
            std::fs::rename(p.path("plugin/plugin.toml"), p.path("real.toml")).unwrap();
            std::os::unix::fs::symlink("../real.toml", p.path("plugin/plugin.toml")).unwrap();
        },
        "bundle::not-plain-file",
        "a symbolic link",
    ),
    (
        "plugin",
        |p| {
            std::fs::rename(p.path("plugin/types.wasm"), p.path("real.wasm")).unwrap();
            std::os::unix::fs::symlink("../real.wasm", p.path("plugin/types.wasm")).unwrap();
        },
        "bundle::not-plain-file",
        "types.wasm",
    ),
    (
        "plugin",
        |p| std::fs::remove_file(p.path("plugin/types.wasm")).unwrap(),
        "bundle::no-component",
        "types.wasm",
    ),
    ("plugin", |p| put(p.file("plugin/types.wasm", "")), "bundle::wrong-kind", "types.wasm"),
    ("plugin", |p| put(p.file("plugin/types.wasm", "\0asm")), "bundle::wrong-kind", "types.wasm"),
    (
        "plugin",
        |p| put(p.file("plugin/types.wasm", "\u{7f}ELF\u{2}\u{1}\u{1}")),
        "bundle::wrong-kind",
        "types.wasm",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/types.wasm", "PK\u{3}\u{4}rest")),
        "bundle::wrong-kind",
        "types.wasm",
    ),
    (
        "plugin",
        |p| put(p.file("plugin/types.wasm", "(component)")),
        "bundle::wrong-kind",
        "types.wasm",
    ),
    (
        "plugin",
        |p| {
            let file =
                std::fs::File::options().write(true).open(p.path("plugin/types.wasm")).unwrap();
            file.set_len((256 << 20) + 1).unwrap();
        },
        "bundle::too-large",
        "types.wasm",
    ),
    ("plugin.rfz", |p| put(p.file("plugin.rfz", "packed")), "bundle::not-a-bundle", "plugin.rfz"),
    ("plugin/plugin.toml", |_| (), "bundle::wrong-kind", "plugin.toml"),
];

#[test]
fn what_is_no_plugin_is_refused_by_name_and_reason() {
    for (path, spoil, code, part) in SPOILT {
        let place = plugin();
        // The twin: the same plugin before it was spoilt.
        assert_eq!(greeting(&place, "plugin").unwrap(), CallResult::Ok(json!("hello you")));
        spoil(&place);
        let error = open(&place, path).unwrap_err();
        assert!(
            error.code() == *code && text(&error).contains(part),
            "{}: {}, wanted {code} {part}",
            error.code(),
            text(&error)
        );
    }
}

#[test]
fn a_manifest_cut_anywhere_is_a_manifest_or_a_clear_error() {
    let place = plugin();
    for end in 0..MANIFEST.len() {
        place.file("plugin/plugin.toml", &MANIFEST[..end]);
        if let Err(error) = open(&place, "plugin") {
            assert_eq!(error.code(), "bundle::manifest", "{end}: {error}");
            assert!(error.to_string().contains("plugin.toml:"), "{error}");
        }
    }
}

#[test]
fn a_component_cut_or_changed_anywhere_is_refused_or_runs_within_its_limits() {
    let place = plugin();
    let whole = guest_bytes("all-types");
    let write = |bytes: &[u8]| std::fs::write(place.path("plugin/types.wasm"), bytes).unwrap();
    let mut refused = 0;
    for part in 0..24 {
        write(&whole[..whole.len() * part / 24]);
        // What ends between two sections is a component by itself, with fewer exports.
        let Err(error) = greeting(&place, "plugin") else { continue };
        refused += 1;
        let codes = ["bundle::wrong-kind", "engine::compile", "runtime::no-function"];
        assert!(codes.contains(&error.code()), "{part}: {} {}", error.code(), text(&error));
        assert!(text(&error).contains("plugin"), "{}", text(&error));
    }
    assert!(refused >= 20, "{refused} of 24 are refused");
    // A fixed sequence of changes, so that a failure can be repeated.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..24 {
        let mut bytes = whole.clone();
        for _ in 0..16 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random >> 16).unwrap() % (bytes.len() - 8) + 8;
            bytes[at] ^= 1 << (random & 7);
        }
        write(&bytes);
        if let Err(error) = greeting(&place, "plugin") {
            let known = ["bundle::", "engine::", "interfaces::", "runtime::no-function"];
            assert!(
                known.iter().any(|code| error.code().starts_with(code)),
                "{} {}",
                error.code(),
                text(&error)
            );
        }
    }
}

#[test]
fn bytes_after_the_header_that_are_no_code_are_refused() {
    let place = Place::new();
    let component = b"\0asm\x0d\0\x01\0";
    let module = b"\0asm\x01\0\0\0";
    for (head, rest, codes) in [
        (component, &[0xff_u8; 64][..], ["engine::compile", ""]),
        (component, &[0x01, 0xff, 0xff, 0xff, 0xff, 0x0f][..], ["engine::compile", ""]),
        (module, &[0xff_u8; 64][..], ["bundle::not-adaptable", "bundle::nothing-to-call"]),
        (module, &[][..], ["bundle::nothing-to-call", ""]),
        (
            module,
            &[0x01, 0xff, 0xff, 0xff, 0xff, 0x0f][..],
            ["bundle::not-adaptable", "bundle::nothing-to-call"],
        ),
    ] {
        std::fs::write(place.path("x.wasm"), [&head[..], rest].concat()).unwrap();
        let error = greeting(&place, "x.wasm").unwrap_err();
        assert!(codes.contains(&error.code()), "{} {}", error.code(), text(&error));
    }
}
