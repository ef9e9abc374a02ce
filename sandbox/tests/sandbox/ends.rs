//! Every way a run can end takes everything with it.

use crate::setup::Case;
use ringfence_capability::Profile;
use ringfence_sandbox::danger::Protection;
use ringfence_sandbox::{Exit, SandboxExecutor, Stdio};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// A daemon that leaves its session and its parent, and a mark only it has.
const DAEMON: &str = "setsid sh -c 'exec sleep 1000.MARK' >/dev/null 2>&1 </dev/null & \
                      until grep -qs 1000.MARK /proc/*/cmdline; do :; done; echo started";

/// Tells whether a process with this mark among its arguments runs on the host.
fn runs(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(mark))
}

fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{:07}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn a_daemon_does_not_survive_the_program() {
    let mark = mark();
    let outcome = Case::new().sh(&DAEMON.replace("MARK", &mark));
    assert_eq!(outcome.succeeded(), "started");
    assert!(!runs(&mark));
}

#[test]
fn a_daemon_would_survive_without_the_reaper() {
    let mark = mark();
    let case = Case::new().without(Protection::Reaper);
    let mut command = case.command("/bin/sh", &["sh", "-c", &DAEMON.replace("MARK", &mark)]);
    command.stdio[1] = Stdio::Null;
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    assert_eq!(run.wait().unwrap(), Exit::Code(0));
    // While it executes something a process has no arguments for a moment.
    assert!((0..10_000).any(|_| runs(&mark)));
    run.kill().unwrap();
}

#[test]
fn the_deadline_kills_everything() {
    let mark = mark();
    let mut case = Case::new();
    case.deadline = Some(Duration::from_millis(300));
    let line =
        format!("trap '' TERM INT HUP; sleep 2000.{mark} & while :; do sleep 3000.{mark}; done");
    assert_eq!(case.sh(&line).exit, Exit::TimedOut);
    assert!(!runs(&mark));
}

#[test]
fn killing_and_dropping_end_everything() {
    for drops in [false, true] {
        let mark = mark();
        let case = Case::new();
        let line = format!("sleep 4000.{mark} & echo up; wait");
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = case.command("/bin/sh", &["sh", "-c", &line]);
        command.stdio[1] = Stdio::Fd(writer.into());
        let mut run = case.executor().spawn(&case.plan(), command).unwrap();
        reader.read_exact(&mut [0; 3]).unwrap();
        if drops {
            drop(run);
        } else {
            run.killer().unwrap().kill();
            assert_eq!(run.wait().unwrap(), Exit::Signal(9));
            run.kill().unwrap();
        }
        assert!(!runs(&mark));
    }
}

#[test]
fn a_signal_reaches_the_program_which_may_handle_it() {
    let case = Case::new();
    let line = "trap 'echo caught; exit 7' INT; echo up; while :; do sleep 0.01; done";
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = case.command("/bin/sh", &["sh", "-c", line]);
    command.stdio[1] = Stdio::Fd(writer.into());
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    reader.read_exact(&mut [0; 3]).unwrap();
    run.signal(2).unwrap();
    assert!(run.signal(0).is_err() && run.signal(65).is_err());
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert_eq!((run.wait().unwrap(), output.as_str()), (Exit::Code(7), "caught\n"));
}

#[test]
fn a_stopped_program_is_continued() {
    assert_eq!(Case::new().sh("kill -STOP $$; exit 5").exit, Exit::Code(5));
}

#[test]
fn nothing_is_left_in_the_workspace_or_in_tmp() {
    let case = Case::of(Profile::WorkspaceWrite);
    case.sh("echo x > /tmp/ringfence-residue; mkdir -p /dev/shm/ringfence-residue").succeeded();
    assert!(!Path::new("/tmp/ringfence-residue").exists());
    assert!(!Path::new("/dev/shm/ringfence-residue").exists());
    assert_eq!(std::fs::read_dir(case.workspace()).unwrap().count(), 0);
}

/// The environment variable that makes the next test the host that is killed.
const HOST: &str = "RINGFENCE_TEST_HOST";

#[test]
fn the_sandbox_dies_with_a_killed_host() {
    if let Ok(mark) = std::env::var(HOST) {
        // This is the host: it starts a sandbox, says so, and is killed while it waits.
        let case = Case::new();
        let line =
            format!("setsid sleep 5000.{mark} & echo up; trap '' HUP TERM; sleep 6000.{mark}");
        let mut command = case.command("/bin/sh", &["sh", "-c", &line]);
        command.stdio[1] = Stdio::Inherit;
        command.deadline = None;
        case.executor().spawn(&case.plan(), command).unwrap().wait().unwrap();
        return;
    }
    let mark = mark();
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "ends::the_sandbox_dies_with_a_killed_host"])
        .env(HOST, &mark)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = host.stdout.take().unwrap();
    let mut said = String::new();
    while !said.contains("up\n") {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    assert!(runs(&mark));
    host.kill().unwrap();
    host.wait().unwrap();
    // The output ends when the last process of the sandbox has let go of it.
    output.read_to_end(&mut Vec::new()).unwrap();
    assert!(!runs(&mark));
}

#[test]
fn everything_stands_still_until_it_is_told_to_go_on() {
    let case = Case::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    // It asks to be woken: a process that can do so is stopped again.
    let line =
        "(trap : CONT; while :; do :; done) & trap : CONT; echo up; while :; do echo on; done";
    let mut command = case.command("/bin/sh", &["sh", "-c", line]);
    command.stdio[1] = Stdio::Fd(writer.into());
    let run = case.executor().spawn(&case.plan(), command).unwrap();
    let killer = run.killer().unwrap();
    reader.read_exact(&mut [0; 64]).unwrap();
    assert!(killer.freeze());
    // What it wrote before is read away; then nothing comes any more.
    rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).unwrap();
    let mut chunk = [0; 4 * 1024];
    let mut quiet = std::time::Instant::now();
    let began = quiet;
    while quiet.elapsed() < Duration::from_millis(300) {
        assert!(began.elapsed() < Duration::from_secs(30), "it goes on");
        if reader.read(&mut chunk).is_ok_and(|length| length > 0) {
            quiet = std::time::Instant::now();
        }
    }
    // The twin: told to go on, it does.
    killer.thaw();
    rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::empty()).unwrap();
    reader.read_exact(&mut [0; 64]).unwrap();
    drop(run);
}
