//! A program at a terminal.

use crate::setup::Case;
use ringfence_sandbox::{Exit, SandboxExecutor, Stdio};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;

/// The environment variable that makes the test the host at the terminal.
const HOST: &str = "RINGFENCE_TEST_TERMINAL";

/// Returns both ends of a new terminal.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: both descriptors are written; null means no name, settings or size.
    let opened =
        unsafe { libc::openpty(&raw mut ours, &raw mut theirs, null, null.cast(), null.cast()) };
    assert_eq!(opened, 0);
    // SAFETY: the call just made both descriptors: nobody else owns them.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

fn host() {
    let case = Case::new();
    let line = "trap 'echo caught; exit 3' INT; test -t 0 && tty && echo up </dev/tty >/dev/tty; \
                while :; do sleep 0.01; done";
    let mut command = case.command("/bin/sh", &["sh", "-c", line]);
    command.stdio = [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit];
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    assert_eq!(run.wait().unwrap(), Exit::Code(3));
    // SAFETY: both calls only ask.
    assert_eq!(unsafe { libc::tcgetpgrp(0) }, unsafe { libc::getpgrp() });
    let mut output = std::io::stdout();
    output.write_all(b"host lives\n").unwrap();
    output.flush().unwrap();
}

#[test]
fn ctrl_c_reaches_the_program_and_the_host_lives_to_clean_up() {
    if std::env::var_os(HOST).is_some() {
        return host();
    }
    let (ours, theirs) = terminal();
    let descriptor = theirs.as_raw_fd();
    let name = "terminals::ctrl_c_reaches_the_program_and_the_host_lives_to_clean_up";
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "--nocapture", "--test-threads=1", name]).env(HOST, "1");
    // SAFETY: only system calls are made before the program executes.
    unsafe {
        again.pre_exec(move || {
            libc::setsid();
            libc::ioctl(descriptor, libc::TIOCSCTTY, 0);
            for target in 0..3 {
                libc::dup2(descriptor, target);
            }
            Ok(())
        });
    }
    let mut host = again.spawn().unwrap();
    drop((again, theirs));
    let mut screen = File::from(ours);
    let mut said = String::new();
    let mut byte = [0];
    let mut interrupted = false;
    // The read fails once nobody has the terminal any more.
    while screen.read(&mut byte).is_ok_and(|read| read == 1) {
        said.push(char::from(byte[0]));
        if !interrupted && said.contains("up\r\n") {
            interrupted = true;
            screen.write_all(b"\x03").unwrap();
        }
    }
    assert!(host.wait().unwrap().success(), "{said}");
    assert!(said.contains("caught\r\n") && said.contains("host lives\r\n"), "{said}");
    assert!(said.contains("/dev/pts/"), "{said}");
}
