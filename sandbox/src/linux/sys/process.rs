//! System calls about processes, signals, terminals and sockets; the same rules as in the parent.

use super::{Answer, Errno, address, call, descriptor, plain, text};
use libc::{c_int, c_long, c_void};
use std::ffi::c_char;
use std::os::fd::RawFd;
use std::time::Duration;

/// Every signal, as the kernel's set of 64 bits.
pub(in crate::linux) const ALL_SIGNALS: u64 = u64::MAX;

/// Copies this process into new namespaces. Returns 0 in the copy; elsewhere its number, and a
/// descriptor of it in `pidfd`.
///
/// # Safety
/// In the copy only functions of this module family may be called until `execve` or exit: other
/// threads of the original do not exist there, and whatever they had locked stays locked.
pub(in crate::linux) unsafe fn clone_process(flags: c_int, pidfd: &mut RawFd) -> Answer<c_long> {
    let flags = c_long::from(flags) | c_long::from(libc::CLONE_PIDFD | libc::SIGCHLD);
    let pidfd = std::ptr::from_mut(pidfd) as c_long;
    // SAFETY: without `CLONE_VM` and with a null stack this is a fork; `pidfd` is written before
    // the call returns. The caller keeps to the rules for the copy.
    unsafe { call(libc::SYS_clone, [flags, 0, pidfd, 0, 0]) }
}

/// Starts `run` on `stack` in a child that shares this memory, and waits until it has executed
/// another program or ended.
///
/// # Safety
/// `argument` is what `run` expects, and `run` keeps to the rules of [`clone_process`] and never
/// returns control to anything else.
pub(in crate::linux) unsafe fn spawn_sharing(
    run: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
    stack: &mut [u8],
) -> Answer<i32> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack belongs to the child alone; `CLONE_VFORK` keeps this thread, and so
    // everything `argument` points at, in place until the child is done with the memory.
    unsafe { spawn(run, argument, stack, flags) }
}

/// Starts `run` on `stack` in a child that shares this memory and these descriptors, and goes on
/// beside it. The child is collected with [`wait_helper`].
///
/// # Safety
/// As for [`spawn_sharing`]; and until the child is collected, `stack` and what `argument` points at
/// stay where they are and nobody else touches them.
pub(in crate::linux) unsafe fn spawn_beside(
    run: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
    stack: &mut [u8],
) -> Answer<i32> {
    // SAFETY: the caller vouches for all of it.
    unsafe { spawn(run, argument, stack, libc::CLONE_VM | libc::CLONE_FILES) }
}

/// # Safety
/// `flags` share memory, and the caller keeps to the rules of the two functions above.
unsafe fn spawn(
    run: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
    stack: &mut [u8],
    flags: c_int,
) -> Answer<i32> {
    let top = stack.as_mut_ptr_range().end;
    // The stack pointer must be a multiple of 16 where a function is entered.
    let top = top.wrapping_sub(top.addr() % 16);
    // SAFETY: the caller vouches for stack, function and argument.
    let pid = unsafe { libc::clone(run, top.cast(), flags, argument) };
    if pid < 0 { Err(super::last()) } else { Ok(pid) }
}

/// Waits until a child of [`spawn_beside`] has ended.
pub(in crate::linux) fn wait_helper(pid: i32) -> Answer {
    let all = c_long::from(libc::__WALL);
    loop {
        match plain(libc::SYS_wait4, [pid.into(), 0, all, 0, 0]) {
            Err(Errno(libc::EINTR)) => {}
            waited => return waited.map(drop),
        }
    }
}

/// Gives this process namespaces of its own.
pub(in crate::linux) fn unshare(namespaces: c_int) -> Answer {
    plain(libc::SYS_unshare, [namespaces.into(), 0, 0, 0, 0]).map(drop)
}

/// Enters the namespace behind a descriptor.
pub(in crate::linux) fn enter(namespace: RawFd, kind: c_int) -> Answer {
    plain(libc::SYS_setns, [namespace.into(), kind.into(), 0, 0, 0]).map(drop)
}

/// Executes an open file. Returns only when that failed.
///
/// # Safety
/// `argv` and `envp` are arrays of valid strings that end with a null pointer.
pub(in crate::linux) unsafe fn execute(
    file: RawFd,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Errno {
    let flags = c_long::from(libc::AT_EMPTY_PATH);
    // SAFETY: the caller vouches for the arrays; the empty path is a valid string.
    let failed = unsafe {
        call(libc::SYS_execveat, [file.into(), text(c""), argv as c_long, envp as c_long, flags])
    };
    failed.err().unwrap_or(Errno(libc::EIO))
}

/// Sets which signals are blocked and returns the set before.
pub(in crate::linux) fn block_signals(set: u64) -> Answer<u64> {
    let mut before = 0_u64;
    let into = (&raw mut before) as c_long;
    // SAFETY: both sets are the kernel's 8 bytes.
    unsafe {
        call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK.into(), address(&set), into, 8, 0])
    }?;
    Ok(before)
}

/// Gives every ordinary signal its default action again: what the host ignores is not passed on.
pub(in crate::linux) fn default_signals() {
    // The kernel's `struct sigaction`: handler, flags, restorer where there is one, mask.
    let default = [0_u64; 4];
    for signal in 1..32 {
        // SAFETY: `default` is at least as large as the kernel's structure and only read.
        let _ = unsafe { call(libc::SYS_rt_sigaction, [signal, address(&default), 0, 8, 0]) };
    }
}

/// Returns a descriptor that is readable when a child ended or stopped.
pub(in crate::linux) fn child_events() -> Answer<RawFd> {
    let set: u64 = 1 << (libc::SIGCHLD - 1);
    let flags = c_long::from(libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
    // SAFETY: `set` is the kernel's 8 bytes and only read.
    unsafe { call(libc::SYS_signalfd4, [-1, address(&set), 8, flags, 0]) }.map(descriptor)
}

/// Waits until one of the descriptors has something, or for a time.
pub(in crate::linux) fn poll(descriptors: &mut [libc::pollfd], most: Option<Duration>) -> Answer {
    let count = super::length(descriptors);
    let list = descriptors.as_mut_ptr() as c_long;
    let mut time = [0_i64; 2];
    let mut until = 0;
    if let Some(most) = most {
        time = [i64::try_from(most.as_secs()).unwrap_or(i64::MAX), most.subsec_nanos().into()];
        until = (&raw mut time) as c_long;
    }
    // SAFETY: `list` is valid for `count` entries, `until` is null or the kernel's `timespec` in
    // `time`, which lives through the call; a null mask means none.
    let polled = unsafe { call(libc::SYS_ppoll, [list, count, until, 0, 0]) };
    std::hint::black_box(&time);
    polled.map(drop)
}

/// Returns the time since some moment; it never goes back.
pub(in crate::linux) fn now() -> Duration {
    let mut time = [0_i64; 2];
    let into = (&raw mut time) as c_long;
    // SAFETY: `into` is the kernel's `timespec`, which it writes.
    let _ = unsafe { call(libc::SYS_clock_gettime, [libc::CLOCK_MONOTONIC.into(), into, 0, 0, 0]) };
    let [seconds, nanoseconds] = time;
    Duration::new(seconds.unsigned_abs(), u32::try_from(nanoseconds).unwrap_or(0))
}

/// Returns the next child that ended or stopped: its number (0: none yet) and how.
pub(in crate::linux) fn wait_child(flags: c_int) -> Answer<(i32, c_int)> {
    let mut status: c_int = 0;
    let into = (&raw mut status) as c_long;
    // SAFETY: `status` is valid for writes; the usage pointer is null.
    let pid = unsafe { call(libc::SYS_wait4, [-1, into, flags.into(), 0, 0]) }?;
    Ok((descriptor(pid), status))
}

pub(in crate::linux) fn kill(pid: i32, signal: c_int) {
    let _ = plain(libc::SYS_kill, [pid.into(), signal.into(), 0, 0, 0]);
}

/// Sends a signal to the process behind a descriptor.
pub(in crate::linux) fn kill_descriptor(pidfd: RawFd, signal: c_int) -> Answer {
    plain(libc::SYS_pidfd_send_signal, [pidfd.into(), signal.into(), 0, 0, 0]).map(drop)
}

pub(in crate::linux) fn new_session() -> Answer {
    plain(libc::SYS_setsid, [0; 5]).map(drop)
}

/// Makes this process a group of its own and that group the terminal's foreground.
pub(in crate::linux) fn take_terminal(terminal: RawFd) -> Answer {
    plain(libc::SYS_setpgid, [0; 5])?;
    let own = descriptor(plain(libc::SYS_getpid, [0; 5])?);
    set_foreground(terminal, own)
}

/// Makes a process group the terminal's foreground.
pub(in crate::linux) fn set_foreground(terminal: RawFd, group: i32) -> Answer {
    #[allow(
        clippy::cast_possible_wrap,
        clippy::cast_lossless,
        reason = "a small number, of another type in each C library"
    )]
    let request = libc::TIOCSPGRP as c_long;
    // SAFETY: `group` lives through the call, which only reads it.
    unsafe { call(libc::SYS_ioctl, [terminal.into(), request, address(&group), 0, 0]) }.map(drop)
}

pub(in crate::linux) fn duplicate_to(from: RawFd, to: RawFd) -> Answer {
    plain(libc::SYS_dup3, [from.into(), to.into(), 0, 0, 0]).map(drop)
}

pub(in crate::linux) fn socket(domain: c_int, kind: c_int) -> Answer<RawFd> {
    let kind = c_long::from(kind | libc::SOCK_CLOEXEC);
    plain(libc::SYS_socket, [domain.into(), kind, 0, 0, 0]).map(descriptor)
}

/// Switches the loopback interface of this network namespace on.
pub(in crate::linux) fn raise_loopback() -> Answer {
    // `struct ifreq`: the name in 16 bytes, then the flags.
    let mut request = [0_u8; 40];
    request[..2].copy_from_slice(b"lo");
    #[expect(clippy::cast_possible_truncation, reason = "`IFF_UP` is 1")]
    let up = libc::IFF_UP as u16;
    request[16..18].copy_from_slice(&up.to_ne_bytes());
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM)?;
    #[expect(clippy::cast_possible_wrap, reason = "requests are small numbers")]
    let number = libc::SIOCSIFFLAGS as c_long;
    // SAFETY: `request` is a `struct ifreq` that lives through the call, which only reads it.
    let raised = unsafe { call(libc::SYS_ioctl, [fd.into(), number, address(&request), 0, 0]) };
    super::close(fd);
    raised.map(drop)
}

/// Returns a listener on the loopback address and `port`.
pub(in crate::linux) fn listen_on_loopback(port: u16) -> Answer<RawFd> {
    let fd = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    let mut target = [0_u8; 16];
    #[expect(clippy::cast_possible_truncation, reason = "`AF_INET` is 2")]
    let family = libc::AF_INET as u16;
    target[..2].copy_from_slice(&family.to_ne_bytes());
    target[2..4].copy_from_slice(&port.to_be_bytes());
    target[4..8].copy_from_slice(&[127, 0, 0, 1]);
    // SAFETY: `target` is a `struct sockaddr_in` of 16 bytes that is only read.
    unsafe { call(libc::SYS_bind, [fd.into(), address(&target), 16, 0, 0]) }?;
    plain(libc::SYS_listen, [fd.into(), 128, 0, 0, 0])?;
    Ok(fd)
}

/// Sends one message, with a descriptor if there is one.
pub(in crate::linux) fn send(socket: RawFd, bytes: &[u8], carried: Option<RawFd>) -> Answer {
    // A control message for one descriptor: its header of 16 bytes, the descriptor, padding.
    #[repr(C, align(8))]
    struct Control {
        length: usize,
        level: c_int,
        kind: c_int,
        carried: RawFd,
        padding: c_int,
    }
    let control = Control {
        length: 20,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        carried: carried.unwrap_or(-1),
        padding: 0,
    };
    let vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero bytes are a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = (&raw const vector).cast_mut();
    message.msg_iovlen = 1;
    if carried.is_some() {
        message.msg_control = (&raw const control).cast_mut().cast();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a few bytes; the type differs between C libraries"
        )]
        let length = size_of::<Control>() as _;
        message.msg_controllen = length;
    }
    let flags = c_long::from(libc::MSG_NOSIGNAL);
    // SAFETY: everything `message` points at lives through the call, which only reads it.
    unsafe { call(libc::SYS_sendmsg, [socket.into(), address(&message), flags, 0, 0]) }.map(drop)
}
