//! A real terminal, with keys that were pressed too early.

use crate::common::{Home, code, request};
use ringfence_approval::terminal::{TerminalApprover, Tty};
use ringfence_approval::{Approver, Prompt};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Not a test of its own: asks at the terminal it was started in.
#[test]
fn child_process_asks() {
    let Some(patience) = std::env::var_os("RINGFENCE_TEST_APPROVAL_PATIENCE") else { return };
    let patience = Duration::from_millis(patience.to_str().unwrap().parse().unwrap());
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").unwrap();
    let approver = TerminalApprover::new(Tty::new(tty).unwrap(), Home::new().clock());
    let said = match approver.ask(&request(), &Prompt::waiting(patience)) {
        Ok(answer) => answer.name(),
        Err(error) => code(Err::<(), _>(error)),
    };
    assert_eq!(said, std::env::var("RINGFENCE_TEST_APPROVAL_EXPECTED").unwrap());
}

/// Types `early` before the question and `late` after it; `expected` is understood.
fn check(early: &str, late: Option<&str>, expected: &str) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
    let mut keyboard = File::from(keyboard);
    let side = OpenOptions::new().read(true).write(true).open(name).unwrap();
    keyboard.write_all(early.as_bytes()).unwrap();
    let mut child = Command::new("setsid");
    child.args(["--ctty", "--wait"]).arg(std::env::current_exe().unwrap());
    child.args(["--exact", "tty::child_process_asks"]);
    let patience = if late.is_some() { "30000" } else { "200" };
    child.env("RINGFENCE_TEST_APPROVAL_PATIENCE", patience);
    child.env("RINGFENCE_TEST_APPROVAL_EXPECTED", expected);
    let child = child.stdin(side).stdout(Stdio::piped()).spawn().unwrap();
    if let Some(late) = late {
        let mut shown = Vec::new();
        while !shown.ends_with(b"> ") {
            let mut byte = [0];
            keyboard.read_exact(&mut byte).unwrap();
            shown.push(byte[0]);
        }
        keyboard.write_all(late.as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{early:?}, {late:?}, {expected}: {said}");
}

#[test]
fn only_what_is_typed_after_the_question_is_an_answer() {
    check("y\n", None, "approval::timed-out");
    check("y\n", Some("n\n"), "deny");
    // The twin: the same keys after the question are a yes.
    check("", Some("y\n"), "once");
    check("never\n", Some("y\n"), "once");
}

#[test]
fn the_end_of_the_input_and_too_much_of_it_are_a_denial() {
    check("", Some("\u{4}"), "approval::end-of-input");
    check("", Some(&format!("{}\n", "y".repeat(600))), "approval::not-understood");
    check("", Some("\n"), "deny");
}

#[test]
fn a_file_is_no_terminal() {
    assert_eq!(code(Tty::new(File::open("/dev/null").unwrap())), "approval::cannot-ask");
}
