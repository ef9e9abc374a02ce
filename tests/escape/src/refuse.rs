//! Taking one feature of the kernel away, then starting a sandbox: it must refuse by its name.
//!
//! A filter around the whole host answers one system call with an error, as a container or an older
//! kernel does; a namespace around it hides a part of `/proc` or forbids more namespaces.

use crate::hold;
use ringfence_capability::{Diagnostic, Profile};
use ringfence_sandbox::{
    Command, LinuxExecutor, Program, SandboxError, SandboxExecutor, SandboxPlan, Stdio,
};
use serde_json::json;
use std::io;
use std::path::Path;

/// What is taken away.
enum Missing {
    /// A system call; with a value, only when this argument has these bits.
    Call(libc::c_long, Option<(u32, u32)>, u16),
    /// The kernel allows no further ones of this kind.
    Namespaces(&'static str),
    /// A part of `/proc` is hidden.
    MaskedProc,
    /// The own user is not mapped.
    Identity,
}

/// Starts a sandbox without one feature and prints what came of it.
pub(crate) fn refuse(base: &Path, name: &str) -> Result<(), String> {
    let (kind, error) = name.split_once('=').unwrap_or((name, "ENOSYS"));
    let errno = match error {
        "EPERM" => 1,
        // An answer that is no error: a version number of nothing.
        "0" => 0,
        _ => 38,
    };
    let staged = kind == "overlay";
    take(&missing(kind, errno).ok_or("there is no such feature to take away")?)
        .map_err(|error| format!("cannot take it away: {error}"))?;
    let spoken = |executor: &LinuxExecutor| match start(base, executor, staged, kind == "loopback")
    {
        Ok(()) => json!({ "ran": true }),
        Err(SandboxError::MissingFeature { feature, step, .. }) => {
            json!({ "feature": feature, "step": step })
        }
        Err(other) => json!({ "error": other.code() }),
    };
    // In whichever way the sandbox begins.
    let (ahead, late) = (LinuxExecutor::forking_ahead(), LinuxExecutor::new());
    let (ahead, late) = (spoken(&ahead), spoken(&late));
    println!("{late}");
    if ahead != late {
        println!("{ahead}");
    }
    Ok(())
}

fn missing(kind: &str, errno: u16) -> Option<Missing> {
    let call = |number| Some(Missing::Call(number, None, errno));
    let when = |number, argument, bits| Some(Missing::Call(number, Some((argument, bits)), errno));
    match kind {
        "clone" => when(libc::SYS_clone, 0, 0x1000_0000),
        "open_tree" => call(libc::SYS_open_tree),
        "mount_setattr" => call(libc::SYS_mount_setattr),
        "move_mount" => call(libc::SYS_move_mount),
        "fsopen" => call(libc::SYS_fsopen),
        // Its options alone are flags without a value.
        "overlay" => when(libc::SYS_fsconfig, 1, 0),
        "fsmount" => call(libc::SYS_fsmount),
        "pivot_root" => call(libc::SYS_pivot_root),
        "umount2" => call(libc::SYS_umount2),
        "sethostname" => call(libc::SYS_sethostname),
        "close_range" => call(libc::SYS_close_range),
        "capset" => call(libc::SYS_capset),
        "prlimit64" => call(libc::SYS_prlimit64),
        "landlock_create_ruleset" => call(libc::SYS_landlock_create_ruleset),
        "landlock_add_rule" => call(libc::SYS_landlock_add_rule),
        "landlock_restrict_self" => call(libc::SYS_landlock_restrict_self),
        "seccomp" => call(libc::SYS_seccomp),
        "loopback" => when(libc::SYS_ioctl, 1, 0x8914),
        "bounding_set" => when(libc::SYS_prctl, 0, 24),
        "no_new_privs" => when(libc::SYS_prctl, 0, 38),
        "namespaces" => Some(Missing::Namespaces("max_user_namespaces")),
        "mnt_namespaces" => Some(Missing::Namespaces("max_mnt_namespaces")),
        "net_namespaces" => Some(Missing::Namespaces("max_net_namespaces")),
        "masked_proc" => Some(Missing::MaskedProc),
        "identity" => Some(Missing::Identity),
        _ => None,
    }
}

fn start(
    base: &Path,
    executor: &LinuxExecutor,
    staged: bool,
    proxied: bool,
) -> Result<(), SandboxError> {
    let (plan, mut command): (SandboxPlan, Command) = if staged {
        hold::staged(base, "/bin/true", &["true"])?
    } else {
        let profile = if proxied { Profile::NetReadOnly } else { Profile::Offline };
        let program = Program::open("/bin/true".as_ref())?;
        (hold::plan(base, profile, proxied)?, Command::new(program, hold::words(&["true"])))
    };
    command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
    executor.spawn(&plan, command)?.wait().map(drop)
}

fn take(missing: &Missing) -> io::Result<()> {
    match missing {
        Missing::Call(number, when, errno) => filter(*number, *when, *errno),
        Missing::Namespaces(name) => {
            unshare(libc::CLONE_NEWUSER, true)?;
            std::fs::write(format!("/proc/sys/user/{name}"), "0")
        }
        Missing::MaskedProc => {
            unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS, true)?;
            let (none, at) = (c"none".as_ptr(), c"/proc/sys".as_ptr());
            let kind = c"tmpfs".as_ptr();
            // SAFETY: three texts that end with NUL and no options.
            done(unsafe { libc::mount(none, at, kind, 0, std::ptr::null()) })
        }
        Missing::Identity => unshare(libc::CLONE_NEWUSER, false),
    }
}

fn done(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Enters namespaces of its own.
fn unshare(flags: libc::c_int, maps: bool) -> io::Result<()> {
    // SAFETY: the calls take and return numbers.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: the call takes a number; this process has one thread.
    done(unsafe { libc::unshare(flags) })?;
    if !maps {
        return Ok(());
    }
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Answers a system call with an error from here on.
fn filter(number: libc::c_long, when: Option<(u32, u32)>, errno: u16) -> io::Result<()> {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const AND: u16 = 0x54;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERROR: u32 = 0x0005_0000;
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = u32::try_from(number).map_err(io::Error::other)?;
    let mut lines = vec![line(LOAD, 0, 0, 0)];
    match when {
        None => lines.push(line(JUMP_IF_EQUAL, 0, 1, number)),
        // A single bit is looked for among others; anything else is the whole value.
        Some((argument, value)) => {
            lines.push(line(JUMP_IF_EQUAL, 0, 4, number));
            lines.push(line(LOAD, 0, 0, 16 + 8 * argument));
            let mask = if value.is_power_of_two() { value } else { u32::MAX };
            lines.push(line(AND, 0, 0, mask));
            lines.push(line(JUMP_IF_EQUAL, 0, 1, value));
        }
    }
    lines.push(line(RETURN, 0, 0, ERROR | u32::from(errno)));
    lines.push(line(RETURN, 0, 0, ALLOW));
    let program = libc::sock_fprog {
        len: u16::try_from(lines.len()).map_err(io::Error::other)?,
        filter: lines.as_mut_ptr(),
    };
    // SAFETY: the call takes numbers.
    done(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the kernel reads the program, which describes `lines`, before the call returns.
    done(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    })
}
