//! How a command's end is told: to people, to programs, and to whoever stopped reading.

use std::process::Stdio;

use super::{Fixture, check, json, text};

/// Writes six bytes once or for ever, then ends with a code.
fn prints(said: &str, again: &str, code: u8) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "{said}")
  (func (export "_start")
    (loop
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      {again})
    (call $exit (i32.const {code}))))"#
    ))
    .unwrap()
}

#[test]
fn a_command_that_ends_with_a_code_is_told_so() {
    let fixture = Fixture::new();
    // WASI 0.2 tells the host only whether it went well.
    fixture.write("seven.wasm", &prints("hello\\n", "", 7));
    fixture.write("fine.wasm", &prints("hello\\n", "", 0));
    check(&fixture, &["run", "seven.wasm"], 1, "hello\n", &["the plugin ended with code 1"]);
    let fine = fixture.run(&["run", "fine.wasm"]);
    assert_eq!((text(&fine.stdout).as_str(), text(&fine.stderr).as_str()), ("hello\n", ""));
}

#[test]
fn with_json_every_end_of_a_command_is_one_object() {
    let fixture = Fixture::new();
    for (said, again, code, exit, fields) in [
        ("hello\\n", "", 0, 0, r#"{"ok":true,"exit-code":0,"stdout":"hello\n"}"#),
        ("hello\\n", "", 7, 1, r#"{"ok":false,"exit-code":1,"stdout":"hello\n"}"#),
        ("hel\\ff\\fe\\n", "", 0, 0, r#"{"ok":true,"exit-code":0,"stdout-base64":"aGVs//4K"}"#),
        ("hello\\n", "unreachable", 0, 1, r#"{"ok":false,"stdout":"hello\n"}"#),
    ] {
        fixture.write("prints.wasm", &prints(said, again, code));
        let (ended, value) = json(&mut fixture.command(&["run", "prints.wasm", "--json"]));
        assert_eq!(ended, Some(exit), "{value}");
        let fields: serde_json::Value = serde_json::from_str(fields).unwrap();
        for (key, field) in fields.as_object().unwrap() {
            assert_eq!(&value[key], field, "{key} in {value}");
        }
        let crashed = value["error"]["code"] == "engine::trap";
        assert_eq!((crashed, value["usage"].is_object()), (!again.is_empty(), again.is_empty()));
    }
    // What is kept is held to the limit on output like what is passed on.
    fixture.write("flood.wasm", &prints("hello\\n", "(br 0)", 0));
    let flood = ["run", "flood.wasm", "--json", "--limit", "output=20B"];
    let (ended, value) = json(&mut fixture.command(&flood));
    assert_eq!((ended, &value["error"]["code"]), (Some(4), &"engine::limit".into()), "{value}");
    assert_eq!(value["stdout"], "hello\nhello\nhello\n");
}

#[cfg(unix)]
#[test]
fn a_command_whose_reader_goes_away_ends_quietly() {
    let fixture = Fixture::new();
    fixture.write("flood.wasm", &prints("hello\\n", "(br 0)", 0));
    let mut command = fixture.command(&["run", "flood.wasm"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), text(&done.stderr).as_str()), (Some(141), ""));
}
