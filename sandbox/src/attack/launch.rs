//! Starting the program without this library's sandbox, and hearing what it says.

use super::ground::Ground;
use super::outcome::Outcome;
use super::scene::Scene;
use crate::Exit;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// Returns what the program said, or how it ended when it said nothing.
pub(super) fn heard(line: &[u8], exit: Exit) -> Outcome {
    if let Ok(outcome) = serde_json::from_slice(line) {
        return outcome;
    }
    match exit {
        // As a shell between them would say it, too: 128 and the number of the signal.
        Exit::Signal(libc::SIGSYS) | Exit::Code(159) => Outcome::held("program", "SIGSYS"),
        Exit::Signal(signal) => Outcome::held("program", format!("signal {signal}")),
        Exit::Code(code) => Outcome::held("program", format!("exit {code}")),
        Exit::TimedOut => Outcome::held("program", "deadline"),
    }
}

/// Returns the program's side of the ground's terminal.
pub(super) fn terminal(ground: &Ground) -> io::Result<Option<OwnedFd>> {
    ground.terminal.as_ref().map(OwnedFd::try_clone).transpose()
}

/// Starts `words`, does `meanwhile`, tells the scene and returns the answer.
pub(super) fn launch<T>(
    words: &[OsString],
    ground: &Ground,
    scene: &Scene,
    deadline: Duration,
    meanwhile: impl FnOnce() -> T,
) -> io::Result<(Outcome, T)> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(ground.workspace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.envs(scene.variable.clone());
    if let Some(terminal) = terminal(ground)? {
        command.stderr(terminal);
        // SAFETY: the closure makes two system calls and touches no memory.
        unsafe { command.pre_exec(take_terminal) };
    }
    let mut child = command.spawn()?;
    let kept = meanwhile();
    let mut line = serde_json::to_vec(scene)?;
    line.push(b'\n');
    if let Some(mut input) = child.stdin.take() {
        // A program that is gone already says nothing either.
        let _ = input.write_all(&line);
    }
    let output = child.stdout.take().map(OwnedFd::from);
    let answer = output.map(|output| first_line(output, deadline)).unwrap_or_default();
    Ok((heard(&answer, ended(&mut child)?), kept))
}

fn take_terminal() -> io::Result<()> {
    // SAFETY: the call takes no pointer.
    let session = unsafe { libc::setsid() };
    // SAFETY: this request takes a number, no pointer.
    let taken = unsafe { libc::ioctl(2, libc::TIOCSCTTY, 0) };
    if session < 0 || taken < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits a little for the end, then makes it.
fn ended(child: &mut Child) -> io::Result<Exit> {
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(u8::try_from(code).unwrap_or(u8::MAX)),
                (None, signal) => Exit::Signal(signal.unwrap_or(libc::SIGKILL)),
            });
        }
        wait(&mut [], Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Ok(Exit::TimedOut)
}

/// Returns what comes until the end of a line, or of the output, or of the time.
pub(super) fn first_line(output: OwnedFd, deadline: Duration) -> Vec<u8> {
    let until = Instant::now() + deadline;
    let mut output = std::fs::File::from(output);
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    while line.len() < ANSWER_BYTES && !line.contains(&b'\n') {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        wait(&mut [PollFd::new(&output, PollFlags::IN)], left);
        match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => line.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    line
}

fn wait(fds: &mut [PollFd<'_>], time: Duration) {
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    let _ = rustix::event::poll(fds, Some(&time));
}
