//! Opening real directories and files, right and wrong ones.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::testing::{folder, told};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const MANIFEST: &str = "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\ncomponent = \"x.wasm\"\n";

#[test]
fn a_directory_is_opened_with_its_manifest_and_the_digest_of_its_component() {
    let (_temp, dir) = folder(&[("p/plugin.toml", MANIFEST.as_bytes()), ("p/x.wasm", COMPONENT)]);
    let plugin = open(&dir, "p", "plugins/p").unwrap();
    assert_eq!((plugin.form, plugin.encoding), (Form::Directory, Encoding::Component));
    assert_eq!((plugin.manifest.name.as_str(), plugin.component.as_slice()), ("x", COMPONENT));
    assert_eq!(plugin.digest, Digest::from_bytes(Sha256::digest(COMPONENT).into()));
    let inside = dir.open_dir("p").unwrap();
    assert_eq!(open(&inside, ".", ".").unwrap().digest, plugin.digest);
}

#[test]
fn a_bare_file_asks_for_nothing() {
    let (_temp, dir) = folder(&[("My Tool_2.wasm", COMPONENT), ("core.wasm", MODULE)]);
    let plugin = open(&dir, "My Tool_2.wasm", "My Tool_2.wasm").unwrap();
    assert_eq!((plugin.form, plugin.manifest.name.as_str()), (Form::BareComponent, "my-tool-2"));
    assert_eq!(plugin.manifest.version.to_string(), "0.0.0");
    assert!(plugin.manifest.requests.is_empty());
    let module = open(&dir, "core.wasm", "core.wasm").unwrap();
    assert_eq!((module.form, module.encoding), (Form::CoreModule, Encoding::CoreModule));
}

#[test]
fn the_component_may_lie_in_a_folder_of_the_plugin() {
    let manifest = MANIFEST.replace("x.wasm", "build/out/x.wasm");
    let (_temp, dir) =
        folder(&[("p/plugin.toml", manifest.as_bytes()), ("p/build/out/x.wasm", COMPONENT)]);
    assert_eq!(open(&dir, "p", "p").unwrap().component, COMPONENT);
}

#[test]
fn what_is_no_plugin_is_refused_with_its_kind_and_the_fix() {
    let (_temp, dir) = folder(&[
        ("empty.wasm", b""),
        ("notes.txt", b"hello\n"),
        ("a.out", b"\x7fELF\x02\x01"),
        ("a.zip", b"PK\x03\x04"),
        ("a.rfz", b"anything"),
        ("a.wat", b"(component)"),
        ("cut.wasm", b"\0asm\x0d"),
        ("old.wasm", b"\0asm\x0a\0\x01\0"),
        ("no-manifest/x.wasm", COMPONENT),
        ("no-component/plugin.toml", MANIFEST.as_bytes()),
        ("wrong-component/plugin.toml", MANIFEST.as_bytes()),
        ("wrong-component/x.wasm", b"#!/bin/sh\n"),
        ("bad/plugin.toml", b"[plugin]\nnaem = \"x\"\n"),
        ("binary/plugin.toml", b"[plugin]\n\xff"),
    ]);
    for (name, code, text) in [
        ("absent", "bundle::not-found", "there is no file or directory `absent`"),
        ("..", "bundle::not-found", "`..`"),
        ("a/b", "bundle::not-found", "`a/b`"),
        ("empty.wasm", "bundle::wrong-kind", "the file is empty"),
        ("notes.txt", "bundle::wrong-kind", "text file"),
        ("a.out", "bundle::wrong-kind", "native machine code"),
        ("a.zip", "bundle::wrong-kind", "ZIP archive"),
        ("a.rfz", "bundle::wrong-kind", "not a WebAssembly component"),
        ("a.wat", "bundle::wrong-kind", "wasm-tools parse"),
        ("cut.wasm", "bundle::wrong-kind", "ends inside the WebAssembly header"),
        ("old.wasm", "bundle::wrong-kind", "version 10 and layer 1"),
        ("no-manifest", "bundle::no-manifest", "has no `plugin.toml`"),
        ("no-component", "bundle::no-component", "`no-component/x.wasm`"),
        ("wrong-component", "bundle::wrong-kind", "`wrong-component/x.wasm`"),
        ("bad", "bundle::manifest", "bad/plugin.toml:2:1: "),
        ("binary", "bundle::manifest", "binary/plugin.toml:2:1: "),
    ] {
        let told = told(&open(&dir, name, name).unwrap_err());
        assert!(told.contains(code) && told.contains(text), "{name}: {told}");
    }
}

#[test]
fn a_file_is_never_read_past_its_limit() {
    let (_temp, dir) = folder(&[("p/x.wasm", COMPONENT)]);
    for (path, size, what) in [
        ("p/plugin.toml", MAX_MANIFEST_BYTES + 1, "manifest"),
        ("big.wasm", MAX_COMPONENT_BYTES + 1, "component"),
    ] {
        // A sparse file: it claims a size and has no content.
        dir.create(path).unwrap().set_len(size).unwrap();
        let name = path.split('/').next().unwrap();
        let told = told(&open(&dir, name, name).unwrap_err());
        assert!(told.contains("bundle::too-large") && told.contains(what), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn links_pipes_and_directories_in_place_of_a_file_are_refused_without_waiting() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let (temp, dir) = folder(&[
        ("real.wasm", COMPONENT),
        ("real/plugin.toml", MANIFEST.as_bytes()),
        ("link/plugin.toml", MANIFEST.as_bytes()),
        ("pipe/plugin.toml", MANIFEST.as_bytes()),
        ("folder/plugin.toml", MANIFEST.as_bytes()),
        ("folder/x.wasm/y", b""),
        ("deep/plugin.toml", MANIFEST.replace("x.wasm", "a/x.wasm").as_bytes()),
        ("linked-manifest/x.wasm", COMPONENT),
        ("fifo-manifest/x.wasm", COMPONENT),
    ]);
    dir.symlink("real.wasm", "link.wasm").unwrap();
    dir.symlink("real", "dir-link").unwrap();
    dir.symlink("../real.wasm", "link/x.wasm").unwrap();
    dir.symlink("../real", "deep/a").unwrap();
    dir.symlink("../real/plugin.toml", "linked-manifest/plugin.toml").unwrap();
    for fifo in ["fifo.wasm", "pipe/x.wasm", "fifo-manifest/plugin.toml"] {
        let path = temp.path().join(fifo);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    for (name, kind) in [
        ("link.wasm", "a symbolic link"),
        ("dir-link", "a symbolic link"),
        ("link", "a symbolic link"),
        ("deep", "a symbolic link"),
        ("linked-manifest", "a symbolic link"),
        ("fifo.wasm", "a device, pipe or socket"),
        ("pipe", "a device, pipe or socket"),
        ("fifo-manifest", "a device, pipe or socket"),
        ("folder", "a directory"),
    ] {
        let told = told(&open(&dir, name, name).unwrap_err());
        assert!(told.contains("bundle::not-plain-file") && told.contains(kind), "{name}: {told}");
    }
    // The same content behind plain files is accepted.
    dir.remove_file("link/x.wasm").unwrap();
    dir.write("link/x.wasm", COMPONENT).unwrap();
    assert!(open(&dir, "link", "link").is_ok());
}
