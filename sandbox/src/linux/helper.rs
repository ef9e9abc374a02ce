//! The network and ipc namespaces, made by a helper while the first process builds the root.
//!
//! Making a network namespace takes the kernel longer than every mount together. The helper is a
//! child on the same memory and descriptors, in the same user namespace; it makes the namespaces
//! for itself, leaves a descriptor of each, and ends. The first process enters them before it gives
//! anything up: a program is never started outside of them.

use super::danger::Protection;
use super::prepared::Prepared;
use super::step::{Failed, Step};
use super::sys::{self, Errno, process};
use super::wire::{self, Message};
use libc::{c_int, c_void};
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Each namespace the helper makes: the protection it is, its flag, and its file.
const MADE: [(Protection, c_int, &CStr); 2] = [
    (Protection::Network, libc::CLONE_NEWNET, c"/proc/self/ns/net"),
    (Protection::Ipc, libc::CLONE_NEWIPC, c"/proc/self/ns/ipc"),
];

/// What the helper does and what came of it, in memory that both see.
struct Task {
    namespaces: c_int,
    listener_port: Option<u16>,
    socket: RawFd,
    /// A descriptor of each namespace that was made.
    made: [RawFd; MADE.len()],
    outcome: Result<(), Failed>,
}

/// Does `work` while the helper makes the namespaces, then enters them.
pub(super) fn beside<T>(
    prepared: &mut Prepared,
    work: impl FnOnce(&mut Prepared) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let wanted = MADE.iter().filter(|(protection, ..)| prepared.has(*protection));
    let mut task = Task {
        namespaces: wanted.fold(0, |flags, (_, flag, _)| flags | flag),
        listener_port: prepared.script.listener_port,
        socket: prepared.socket,
        made: [-1; MADE.len()],
        // What stands here if the helper dies before it says anything.
        outcome: Err(Step::Helper.failed(Errno(libc::ECHILD))),
    };
    let task = &raw mut task;
    // The program's process uses the same stack, long after this.
    let mut stack = std::mem::take(&mut prepared.stack);
    // SAFETY: `make` takes a `Task` and only makes system calls. Whatever becomes of `work`, the
    // helper is collected before this function goes on, and until then neither `task` nor `stack`
    // is touched.
    let started = unsafe { process::spawn_beside(make, task.cast::<c_void>(), &mut stack) };
    let done = work(prepared);
    let ended = started.and_then(process::wait_helper);
    prepared.stack = stack;
    ended.map_err(|errno| Step::Helper.failed(errno))?;
    // SAFETY: the helper has ended, so nobody else uses it; it lives until this function returns.
    // The read is volatile because the compiler does not know that a process wrote there.
    let Task { made, outcome, .. } = unsafe { task.read_volatile() };
    let done = done?;
    outcome?;
    for ((_, kind, _), namespace) in MADE.into_iter().zip(made).filter(|(_, fd)| *fd >= 0) {
        process::enter(namespace, kind).map_err(|errno| Step::Enter.failed(errno))?;
        sys::close(namespace);
    }
    Ok(done)
}

/// The helper's whole life.
extern "C" fn make(task: *mut c_void) -> c_int {
    // SAFETY: `beside` passes a `Task` that it does not touch until this process has ended.
    let task = unsafe { &mut *task.cast::<Task>() };
    task.outcome = make_namespaces(task);
    sys::exit(0)
}

fn make_namespaces(task: &mut Task) -> Result<(), Failed> {
    process::unshare(task.namespaces).map_err(|errno| Step::Beside.failed(errno))?;
    open_network(task.listener_port, task.socket)?;
    for ((_, flag, file), made) in MADE.into_iter().zip(&mut task.made) {
        if task.namespaces & flag != 0 {
            let opened = sys::open(libc::AT_FDCWD, file, libc::O_RDONLY, 0);
            *made = opened.map_err(|errno| Step::Enter.failed(errno))?;
        }
    }
    Ok(())
}

/// Makes the proxy's listener in the network namespace of the caller, where a plan has one.
pub(super) fn open_network(port: Option<u16>, socket: RawFd) -> Result<(), Failed> {
    let Some(port) = port else { return Ok(()) };
    process::raise_loopback().map_err(|errno| Step::Loopback.failed(errno))?;
    let listen = || {
        let listener = process::listen_on_loopback(port)?;
        wire::tell(socket, Message::Listener, Some(listener))?;
        sys::close(listener);
        Ok(())
    };
    listen().map_err(|errno| Step::Listener.failed(errno))
}
