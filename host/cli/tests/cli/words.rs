//! What messages name, and how to put it right.

use super::{ADD, Fixture, check};

/// Imports the file system twice and sockets, and exports a function.
const IMPORTS: &str = r#"(component
  (import "wasi:filesystem/preopens@0.2.6" (instance (export "get" (func))))
  (import "wasi:filesystem/types@0.2.6" (instance (export "get" (func))))
  (import "wasi:sockets/tcp@0.2.6" (instance (export "get" (func))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"#;

#[test]
fn a_refused_import_is_put_right_by_what_the_hint_says() {
    let fixture = Fixture::new();
    fixture.write("imports.wasm", &wat::parse_str(IMPORTS).unwrap());
    let says = [
        "for `wasi:filesystem/preopens@0.2.6`, `wasi:filesystem/types@0.2.6`: add",
        "`--dir .::/:ro --profile read-only`",
        "`stub-imports`",
        "`--socket ADDRESS:PORT --profile trusted --trust-digest DIGEST`",
    ];
    check(&fixture, &["run", "imports.wasm"], 3, "", &says);
    let add = ["explain", "add.wasm", "--dir", ".::/:ro", "--profile", "read-only"];
    check(&fixture, &add, 0, "It would run.", &[]);
    // The flag is the approval: nothing asks for it again.
    let offline = fixture.run(&["run", "add.wasm", "--dir", ".::/:ro"]);
    assert!(!super::text(&offline.stderr).contains("--approve"), "{offline:?}");
    let denied = ["run", "add.wasm", "--deny", "clock:real", "--clock", "real"];
    check(&fixture, &denied, 3, "", &["the run flags do not allow `clock:real`"]);
}

#[test]
fn input_says_which_word_is_wrong() {
    let fixture = Fixture::new();
    for (args, says) in [
        (&["call", "add.wasm", "ad"][..], "did you mean `add`?"),
        (&["run", "add.wasm", "--input", r#"{"a":1,"bb":2}"#], "the parameter `bb`"),
        (&["run", "add.wasm", "--input", r#"{"a":1,"a":2,"b":1}"#], "the key `a` stands twice"),
        (&["serve", "add.wasm"], "is of kind `tools`, not `http-handler`"),
    ] {
        check(&fixture, args, 2, "", &[says]);
    }
}

#[test]
fn what_would_change_nothing_is_an_error() {
    let fixture = Fixture::new();
    let manifest = |extra: &str, tail: &str| {
        let head = "[plugin]\nname = \"adds\"\nversion = \"0.1.0\"\ncomponent = \"add.wasm\"\n";
        format!("{head}{extra}\n{tail}")
    };
    fixture.write("adds/add.wasm", &wat::parse_str(ADD).unwrap());
    let tool = |name: &str| format!("[tool.{name}]\neffect = \"read\"\n");
    for (extra, tail, flags, says) in [
        ("", tool("add"), &[][..], ""),
        ("stub-imports = [\"wasi:sockets/*\"]", String::new(), &[], ""),
        ("", tool("ad"), &[], "no such function; it has `add`"),
        ("", tool("nosuch"), &[], "`[tool.nosuch]` would change nothing"),
        ("stub-imports = [\"wasi:socket/*\"]", String::new(), &[], "stub-imports `wasi:socket/*`"),
        ("", String::new(), &["--approve", "env:HOME"], "`--approve env:HOME` would change"),
        ("", String::new(), &["--secret", "K=file:adds/plugin.toml"], "`--secret K` would change"),
        ("", String::new(), &["--allow-address", "10.0.0.0/8"], "`--allow-address 10.0.0.0/8`"),
        ("", String::new(), &["--allow-address", "10.0.0.0/8", "--approve", "flying"], "flying"),
    ] {
        fixture.write("adds/plugin.toml", manifest(extra, &tail).as_bytes());
        let code = if says.is_empty() { 0 } else { 2 };
        let input = ["run", "adds", "--input", r#"{"a":1,"b":2}"#];
        check(&fixture, &[&input[..], flags].concat(), code, "", &[says]);
        let explained = fixture.run(&[&["explain", "adds"], flags].concat());
        assert_eq!(explained.status.code(), Some(code), "{explained:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_place_that_cannot_be_used_is_put_right_by_what_the_hint_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    let add = ["run", "add.wasm", "--input", r#"{"a":1,"b":2}"#];
    let shared = fixture.workspace().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&shared, 0o777);
    let cache = [&add[..], &["--cache-dir", "shared"]].concat();
    check(&fixture, &cache, 2, "", &["chmod go-w 'shared'", "--no-cache"]);
    let state = [&add[..], &["--state-dir", "shared"]].concat();
    check(&fixture, &state, 2, "", &["chmod go-w 'shared'", "--state-dir DIR"]);
    check(&fixture, &add, 0, "3", &[]);
    check(&fixture, &["audit", "checkpoint"], 0, "", &[]);
    let key = fixture.root.path().join("state/audit.key");
    open(&key, 0o644);
    check(&fixture, &["audit", "checkpoint"], 3, "", &["chmod 600"]);
    open(&key, 0o600);
    std::fs::write(fixture.root.path().join("state/audit.jsonl"), "no record\n").unwrap();
    check(&fixture, &add, 70, "", &["ringfence audit verify"]);
}

#[cfg(unix)]
#[test]
fn a_policy_that_is_no_plain_file_is_neither_waited_for_nor_passed_over() {
    let fixture = Fixture::new();
    let fifo = fixture.workspace().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    check(&fixture, &["policy", "check", "fifo"], 2, "", &["`fifo` is not a plain file"]);
    fixture.write("a-file", b"");
    std::os::unix::fs::symlink("a-file", fixture.workspace().join(".ringfence")).unwrap();
    check(&fixture, &["run", "add.wasm"], 2, "", &["policy", "cannot be read"]);
}
