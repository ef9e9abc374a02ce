//! `push` and `pull` as a person runs them, against a real registry on this machine.
#![cfg(feature = "oci")]
#![allow(clippy::disallowed_methods, reason = "tests run the program in directories of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../../bundle/tests/oci/server.rs"]
#[allow(dead_code, reason = "the tests of the room use more of it")]
mod server;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ringfence_bundle::archive;
use serde_json::Value;
use server::{Registry, USER};
use tempfile::TempDir;

const MANIFEST: &str =
    "[plugin]\nname = \"word-count\"\nversion = \"0.1.0\"\ncomponent = \"word-count.wasm\"\n";

/// Returns a directory with a bundle in it.
fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "word-count.rfz", "one");
    dir
}

fn write(dir: &Path, name: &str, readme: &str) {
    let files = [
        ("plugin.toml", MANIFEST.as_bytes().to_vec()),
        ("word-count.wasm", wat::parse_str("(component)").unwrap()),
        ("README.md", readme.as_bytes().to_vec()),
    ];
    let files = files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
    let mut bytes = Vec::new();
    archive::seal(files, name).unwrap().write(&mut bytes).unwrap();
    std::fs::write(dir.join(name), bytes).unwrap();
}

fn ringfence(dir: &Path, args: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    command.args(args).current_dir(dir).env_clear().env("HOME", dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that asks for no password may have ended already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command that must succeed, and returns the JSON it prints.
fn json(dir: &Path, args: &[&str]) -> Value {
    let output = ringfence(dir, &[args, &["--json"]].concat(), "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Runs a command that must fail with this exit code, and returns what it says.
fn fails(dir: &Path, args: &[&str], stdin: &str, code: i32) -> String {
    let output = ringfence(dir, args, stdin);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    text
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_pushed_bundle_is_pulled_into_a_file_of_its_name() {
    let name = "a_pushed_bundle_is_pulled_into_a_file_of_its_name";
    let Some(registry) = Registry::start(name, false) else { return };
    let (dir, at) = (directory(), registry.at("tools/word-count:0.1.0"));
    let pushed = json(dir.path(), &["push", "word-count.rfz", &at]);
    assert_eq!(pushed["replaced"], Value::Null);
    assert_eq!(pushed["signatures"], 0);
    let output = ringfence(dir.path(), &["pull", pushed["pinned"].as_str().unwrap()], "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "word-count-0.1.0.rfz\n");
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert_eq!(read("word-count-0.1.0.rfz"), read("word-count.rfz"));
    assert_eq!(names(dir.path()), ["word-count-0.1.0.rfz", "word-count.rfz"]);
    let pulled = json(dir.path(), &["pull", &at, "-o", "again.rfz"]);
    assert_eq!(pulled["bundle"], pushed["bundle"]);
    assert_eq!(pulled["pinned"], pushed["pinned"]);
    assert_eq!(read("again.rfz"), read("word-count.rfz"));
}

#[test]
fn a_file_is_replaced_only_when_that_is_said_and_never_in_part() {
    let name = "a_file_is_replaced_only_when_that_is_said_and_never_in_part";
    let Some(registry) = Registry::start(name, false) else { return };
    let (dir, at) = (directory(), registry.at("a:1"));
    json(dir.path(), &["push", "word-count.rfz", &at]);
    std::fs::write(dir.path().join("x"), "mine").unwrap();
    let text = fails(dir.path(), &["pull", &at, "-o", "x"], "", 2);
    assert!(text.contains("`x` is already there; `--force` replaces it"), "{text}");
    let text = fails(dir.path(), &["pull", &at, "-o", "missing/x"], "", 2);
    assert!(text.contains("error[cli::write]: the bundle `missing/x` cannot be written"), "{text}");
    let text = fails(dir.path(), &["pull", &registry.at("a:2"), "-o", "x", "--force"], "", 2);
    assert!(text.contains("error[oci::not-found]"), "{text}");
    assert_eq!(std::fs::read(dir.path().join("x")).unwrap(), b"mine");
    json(dir.path(), &["pull", &at, "-o", "x", "--force"]);
    assert_ne!(std::fs::read(dir.path().join("x")).unwrap(), b"mine");
    assert_eq!(names(dir.path()), ["word-count.rfz", "x"]);
}

#[test]
fn a_tag_that_moved_and_a_reference_that_is_none_are_told_apart() {
    let name = "a_tag_that_moved_and_a_reference_that_is_none_are_told_apart";
    let Some(registry) = Registry::start(name, false) else { return };
    let (dir, at) = (directory(), registry.at("a:1"));
    let first = json(dir.path(), &["push", "word-count.rfz", &at]);
    write(dir.path(), "two.rfz", "two");
    let second = json(dir.path(), &["push", "two.rfz", &at]);
    assert_eq!(second["replaced"], first["artifact"]);
    let both = format!("{at}@{}", first["artifact"].as_str().unwrap());
    let text = fails(dir.path(), &["pull", &both], "", 3);
    assert!(text.contains("error[oci::moved]"), "{text}");
    for (reference, says) in [
        ("word-count:1", "it names no registry"),
        ("https://localhost/a:1", "it is a URL"),
        ("localhost:5000/a", "names no version"),
    ] {
        let text = fails(dir.path(), &["pull", reference], "", 2);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_password_comes_from_standard_input_or_from_what_docker_stored() {
    let name = "a_password_comes_from_standard_input_or_from_what_docker_stored";
    let Some(registry) = Registry::start(name, true) else { return };
    let (dir, at) = (directory(), registry.at("a:1"));
    let push = ["push", "word-count.rfz", &at];
    let text = fails(dir.path(), &push, "", 2);
    assert!(text.contains("error[oci::unauthorized]") && text.contains("docker login"), "{text}");
    let given = ["--username", USER.0, "--password-stdin"];
    let text = fails(dir.path(), &[&push[..], &given].concat(), "battery staple\n", 2);
    assert!(text.contains("`somebody`") && !text.contains("staple"), "{text}");
    let password = format!("{}\n", USER.1);
    let output = ringfence(dir.path(), &[&push[..], &given].concat(), &password);
    assert_eq!(output.status.code(), Some(0));

    std::fs::create_dir(dir.path().join(".docker")).unwrap();
    let config = dir.path().join(".docker/config.json");
    let host = registry.at("");
    let entry = format!(
        "{{\"auths\":{{\"{host}\":{{\"username\":\"{}\",\"password\":\"{}\"}}}}}}",
        USER.0, USER.1
    );
    std::fs::write(&config, entry).unwrap();
    json(dir.path(), &["pull", &at, "-o", "x"]);
    std::fs::write(&config, "{\"credsStore\":\"desktop\"}").unwrap();
    let text = fails(dir.path(), &["pull", &at, "-o", "y"], "", 2);
    assert!(text.contains("`docker-credential-desktop`"), "{text}");
}

#[test]
fn a_bundle_is_installed_and_updated_from_a_registry() {
    let name = "a_bundle_is_installed_and_updated_from_a_registry";
    let Some(registry) = Registry::start(name, false) else { return };
    let (dir, at) = (directory(), registry.at("a:1"));
    let pushed = json(dir.path(), &["push", "word-count.rfz", &at]);
    let source = format!("oci:{at}");
    let listed = || json(dir.path(), &["list"])[0].clone();
    let install = ["install", &source, "--allow-unsigned", "--yes"];
    assert_eq!(ringfence(dir.path(), &install, "").status.code(), Some(0));
    assert_eq!((&listed()["digest"], &listed()["source"]), (&pushed["bundle"], &source.into()));
    write(dir.path(), "two.rfz", "two");
    let second = json(dir.path(), &["push", "two.rfz", &at]);
    assert_ne!(second["bundle"], pushed["bundle"]);
    let update = ["update", "word-count", "--allow-unsigned", "--yes"];
    assert_eq!(ringfence(dir.path(), &update, "").status.code(), Some(0));
    assert_eq!(listed()["digest"], second["bundle"]);
}

#[test]
fn a_component_alone_is_pulled_only_when_that_is_said() {
    let name = "a_component_alone_is_pulled_only_when_that_is_said";
    let Some(registry) = Registry::start(name, false) else { return };
    let (dir, at) = (directory(), registry.at("a:1"));
    json(dir.path(), &["push", "word-count.rfz", &at]);
    let pulled = json(dir.path(), &["pull", &at, "--component", "-o", "tool.wasm"]);
    assert_eq!(pulled["signed"], false);
    let component = wat::parse_str("(component)").unwrap();
    assert_eq!(std::fs::read(dir.path().join("tool.wasm")).unwrap(), component);
}
