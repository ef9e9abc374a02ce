//! Standard input of a command: handed on as it is read, and never waited for beyond a limit.

use super::{Fixture, text};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

/// Runs a command that reads its standard input to the end, given `bytes` by a pipe that is closed
/// or stays open.
fn read_all(bytes: &[u8], pipe: Pipe) -> Output {
    let fixture = Fixture::new();
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/out");
    let guest = std::fs::read(guests.join("stdin-wait.wasm"));
    fixture.write("read.wasm", &guest.expect("`cargo run -p xtask -- guests` builds it"));
    let args = ["run", "read.wasm", "--dir", ".::/ws:ro", "-p", "read-only"];
    let mut command = fixture.command(&[&args[..], &["--limit", "wall-time=2s"]].concat());
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut writer = child.stdin.take().unwrap();
    writer.write_all(bytes).unwrap();
    let held = match pipe {
        Pipe::Closed => {
            drop(writer);
            None
        }
        Pipe::Open => Some(writer),
    };
    let output = child.wait_with_output().unwrap();
    drop(held);
    output
}

#[derive(Clone, Copy)]
enum Pipe {
    Closed,
    Open,
}

#[test]
fn a_pipe_that_nobody_closes_is_waited_for_no_longer_than_the_run_may_take() {
    let output = read_all(b"four", Pipe::Open);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(text(&output.stderr).contains("its limit `wall-time` of 2s"), "{output:?}");
    // The twin: the same bytes, and the end.
    let output = read_all(b"four", Pipe::Closed);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("4 bytes"), "{output:?}");
}
