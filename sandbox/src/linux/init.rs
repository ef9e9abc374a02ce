//! The first process of the sandbox: it starts the program, collects what ends, passes signals on,
//! and takes everything with it when it goes.
//!
//! It is out of the program's reach: not dumpable, filtered like everything else, and as the first
//! process of its namespace deaf to signals from inside. The program starts when the host says so,
//! which it does once the log has it. The process goes when the program ended, at the
//! deadline, or when the host did: the socket between them closes however the host dies.

use super::danger::Protection;
use super::prepared::Prepared;
use super::step::{Failed, Step};
use super::sys::{self, Errno, process};
use super::wire::{self, Asked, Message};
use libc::{c_int, c_void};
use std::os::fd::RawFd;
use std::time::Duration;

/// How often what is frozen is stopped again.
const REFREEZE: Duration = Duration::from_millis(50);

/// What the program's process needs until it executes.
struct Start<'a> {
    prepared: &'a Prepared,
    program: RawFd,
    failed: Errno,
}

/// Starts the program and stays until the end. Returns only when it could not be started.
pub(super) fn run(prepared: &mut Prepared, program: RawFd, events: RawFd) -> Failed {
    process::default_signals();
    if prepared.has(Protection::Seccomp)
        && let Err(errno) = sys::seccomp(&prepared.script.filter)
    {
        return Step::Seccomp.failed(errno);
    }
    // Nothing of the program's has run: what was set up goes away with this process.
    if wire::asked(prepared.socket) != Some(Asked::Start) {
        sys::exit(1);
    }
    let mut stack = std::mem::take(&mut prepared.stack);
    let mut start = Start { prepared, program, failed: Errno(0) };
    let argument = (&raw mut start).cast::<c_void>();
    // SAFETY: `begin` takes a `Start` and only makes system calls until it executes or exits.
    let started = unsafe { process::spawn_sharing(begin, argument, &mut stack) };
    // Never freed: nothing here may touch the allocator.
    std::mem::forget(stack);
    // The child wrote through the pointer before it exited.
    // SAFETY: `start` is alive and the child no longer shares this memory.
    let failed = unsafe { (&raw const start.failed).read_volatile() };
    match started {
        Err(errno) => Step::Init.failed(errno),
        Ok(_) if failed != Errno(0) => Step::Execute.failed(failed),
        Ok(main) => watch(prepared, main, events),
    }
}

/// The program's process: its standard descriptors, its terminal, then the program.
extern "C" fn begin(argument: *mut c_void) -> c_int {
    // SAFETY: `run` passes a `Start` that outlives this process's use of the memory.
    let start = unsafe { &mut *argument.cast::<Start<'_>>() };
    start.failed = execute(start);
    sys::exit(127)
}

fn execute(start: &Start<'_>) -> Errno {
    let prepared = start.prepared;
    for (target, source) in (0..).zip(prepared.carried.stdio) {
        if let Some(source) = source
            && let Err(errno) = process::duplicate_to(source, target)
        {
            return errno;
        }
    }
    if let Some(terminal) = prepared.carried.terminal
        && let Err(errno) = process::take_terminal(terminal)
    {
        return errno;
    }
    if let Err(errno) = process::block_signals(0) {
        return errno;
    }
    let executable = &prepared.script.program;
    // SAFETY: both arrays end with a null pointer and live in the script.
    unsafe {
        process::execute(start.program, executable.argv.as_ptr(), executable.environment.as_ptr())
    }
}

fn watch(prepared: &Prepared, main: i32, events: RawFd) -> ! {
    let socket = prepared.socket;
    let _ = wire::tell(socket, Message::Started, None);
    close_all_but(socket, events);
    let reaps = prepared.has(Protection::Reaper);
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let deadline = prepared.script.deadline.map(|time| process::now().saturating_add(time));
    let mut frozen = false;
    loop {
        let mut waited = [entry(events), entry(socket)];
        let left = deadline.map(|at| at.saturating_sub(process::now()));
        let wait =
            if frozen { Some(left.map_or(REFREEZE, |left| left.min(REFREEZE))) } else { left };
        if process::poll(&mut waited, wait).is_err() {
            sys::exit(1);
        }
        if frozen {
            // A timer or an event can make a process go on that asked for it before it was stopped.
            process::kill(-1, libc::SIGSTOP);
        }
        if left == Some(Duration::ZERO) {
            end(socket, Message::Expired, reaps);
        }
        if waited[1].revents != 0 {
            match wire::asked(socket) {
                Some(Asked::Forward(signal)) => process::kill(main, signal),
                Some(Asked::Freeze) => {
                    frozen = true;
                    process::kill(-1, libc::SIGSTOP);
                }
                Some(Asked::Thaw) => {
                    frozen = false;
                    process::kill(-1, libc::SIGCONT);
                }
                Some(Asked::Start) => {}
                // The host is gone, and with this process everything is.
                None if reaps => sys::exit(1),
                None => sys::close(socket),
            }
        }
        if waited[0].revents != 0
            && let Some(status) = collect(main, events, frozen)
        {
            end(socket, Message::Ended(status), reaps);
        }
    }
}

/// Closes what only the program needed, so that a reader of its output sees the end.
fn close_all_but(one: RawFd, other: RawFd) {
    let (low, high) = (one.min(other).unsigned_abs(), one.max(other).unsigned_abs());
    let _ = sys::close_range(0, low.saturating_sub(1));
    if high > low + 1 {
        let _ = sys::close_range(low + 1, high - 1);
    }
    let _ = sys::close_range(high + 1, u32::MAX);
}

/// Collects every child that ended; returns how the program did once it has.
fn collect(main: i32, events: RawFd, frozen: bool) -> Option<c_int> {
    let mut information = [0_u8; 128];
    while sys::read(events, &mut information).is_ok() {}
    let mut ended = None;
    while let Ok((pid, status)) = process::wait_child(libc::WNOHANG | libc::WUNTRACED) {
        if pid == 0 {
            break;
        }
        if libc::WIFSTOPPED(status) {
            if frozen {
                continue;
            }
            // Nobody out there could continue it: the host does not suspend.
            process::kill(pid, libc::SIGCONT);
        } else if pid == main {
            ended = Some(status);
        }
    }
    ended
}

/// Kills what the program left, tells the host, and goes.
fn end(socket: RawFd, message: Message, reaps: bool) -> ! {
    let collect_all = || while process::wait_child(0).is_ok() {};
    if reaps {
        process::kill(-1, libc::SIGKILL);
        collect_all();
    }
    let _ = wire::tell(socket, message, None);
    if !reaps {
        collect_all();
    }
    sys::exit(0)
}
