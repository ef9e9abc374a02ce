//! Attacks with what a program is started with, and on what it may start itself.

use super::call::{Arg, call, number, size};
use super::ground::{Ground, TREASURE};
use super::scene::Scene;
use super::{Attack, FILES, FILTER, PLAIN, Twin};
use crate::danger::Protection;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 45,
        name: "type_for_the_person",
        title: "puts a command into the input of the terminal",
        held: &["EPERM"],
        twin: Twin::Open,
        arrange: open_terminal,
        inside: |_, tries| {
            // What a person would type, and the request of the console for the same.
            for (name, request) in [("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541c)] {
                let typed = &mut [number(2), number(request), Arg::Bytes(b"\x02")];
                tries.call(name, call(libc::SYS_ioctl, typed));
            }
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 46,
        name: "run_a_program_from_memory",
        title: "runs a program from a file without a name",
        held: &["EPERM", "EACCES"],
        twin: FILTER,
        inside: |_, tries| {
            for (name, flags) in [("from memory", 0), ("from sealed memory", 8)] {
                let made = &mut [Arg::Text(c"x"), number(flags)];
                match call(libc::SYS_memfd_create, made) {
                    Ok(memory) => tries.io(name, run_memory(memory)),
                    Err(errno) => tries.call(name, Err(errno)),
                }
            }
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 47,
        name: "run_a_dropped_program_by_the_loader",
        title: "runs a program from shared scratch space, by itself and through the loader",
        held: &["EACCES", "not run"],
        twin: FILES,
        arrange: dropped,
        inside: |scene, tries| {
            let copy = drop_program(scene, "/bin/true")?;
            tries.io("program", run(Command::new(&copy)));
            let mut command = Command::new(loader()?);
            command.arg(&copy);
            tries.check("through the loader", run(command).is_ok(), "not run");
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 48,
        name: "run_a_dropped_script",
        title: "runs a script from shared scratch space by its first line",
        held: &["EACCES"],
        twin: FILES,
        arrange: dropped,
        inside: |scene, tries| {
            let script = Path::new("/dev/shm").join(&scene.mark);
            let open = fs::Permissions::from_mode(0o755);
            fs::write(&script, "#!/bin/sh\nexit 0\n")
                .and_then(|()| fs::set_permissions(&script, open))
                .map_err(|error| error.to_string())?;
            tries.io("script", run(Command::new(&script)));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 49,
        name: "use_an_inherited_descriptor",
        title: "reads a secret through a descriptor that the host left open",
        held: &["EBADF"],
        twin: Twin::Without(&[Protection::Descriptors]),
        arrange: leave_open,
        inside: |scene, tries| {
            let mut text = [0; 64];
            let long = size(text.len());
            let read = &mut [number(scene.descriptor), Arg::Room(&mut text), long, number(0)];
            tries.call("read", call(libc::SYS_pread64, read));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 50,
        name: "read_the_environment",
        title: "finds variables that say who runs it, and where",
        held: &["only its own"],
        twin: Twin::Open,
        inside: |_, tries| {
            const OWN: [&str; 11] = [
                "PATH",
                "HOME",
                "TMPDIR",
                "LANG",
                "TERM",
                "HTTP_PROXY",
                "HTTPS_PROXY",
                "http_proxy",
                "https_proxy",
                "ALL_PROXY",
                "NO_PROXY",
            ];
            let named = |name: &str| OWN.contains(&name) || name == "no_proxy";
            let more = std::env::vars_os().find(|(name, _)| !name.to_str().is_some_and(named));
            tries.check("variables", more.is_some(), "only its own");
            let home = std::env::var_os("HOME").is_some_and(|home| home != "/tmp");
            tries.check("home", home, "only its own");
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 50,
        name: "be_handed_a_secret_variable",
        title: "is handed a variable that the plan does not name",
        held: &["sandbox::environment"],
        twin: Twin::Without(&[Protection::Environment]),
        arrange: |_, scene| {
            scene.variable = Some(("ATTACK_SECRET".to_owned(), TREASURE.to_owned()));
            Ok(())
        },
        inside: |_, tries| {
            let secret = std::env::var_os("ATTACK_SECRET");
            tries.check("variable", secret.is_some(), "only its own");
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 51,
        name: "keep_capabilities",
        title: "has capabilities, or can gain some, also as root",
        held: &["none", "EPERM"],
        twin: Twin::Without(&[Protection::Capabilities]),
        inside: |_, tries| {
            let status = fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
            for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                let some = line.is_none_or(|line| !line.trim_matches([':', '\t', '0']).is_empty());
                tries.check(name, some, "none");
            }
            let locked = status.lines().any(|line| line == "NoNewPrivs:\t1");
            tries.check("new privileges", !locked, "none");
            // Version 3, this process; every capability.
            let head = [0x2008_0522_u32.to_ne_bytes(), [0; 4]].concat();
            let raise = &mut [Arg::Bytes(&head), Arg::Bytes(&[0xff; 24])];
            tries.call("raise", call(libc::SYS_capset, raise));
            Ok(())
        },
        ..PLAIN
    },
];

/// Returns a descriptor that the kernel just made as one with an owner.
pub(super) fn owned(descriptor: i32) -> OwnedFd {
    // SAFETY: the callers got the number from the call that opened it and pass it on only here.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Runs a program to its end; an error when it did not succeed.
fn run(mut command: Command) -> io::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("it did not succeed")) }
}

fn run_memory(memory: i64) -> io::Result<()> {
    let memory = owned(i32::try_from(memory).map_err(io::Error::other)?);
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    fs::copy("/bin/true", &path)?;
    run(Command::new(path))
}

fn dropped(ground: &mut Ground, _: &mut Scene) -> Result<(), String> {
    ground.elsewhere.push(Path::new("/dev/shm").join(&ground.mark));
    Ok(())
}

fn drop_program(scene: &Scene, program: &str) -> Result<PathBuf, String> {
    let copy = Path::new("/dev/shm").join(&scene.mark);
    fs::copy(program, &copy).map_err(|error| error.to_string())?;
    Ok(copy)
}

fn loader() -> Result<&'static str, String> {
    let known = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let found = known.into_iter().find(|path| Path::new(path).exists());
    found.ok_or_else(|| "this system's loader is not known".to_owned())
}

fn leave_open(ground: &mut Ground, scene: &mut Scene) -> Result<(), String> {
    /// Past what a program opens by itself.
    const FAR: i32 = 500;
    let file = fs::File::open(ground.outside("secret")).map_err(|error| error.to_string())?;
    // SAFETY: this request takes a number and returns a new descriptor.
    let far = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, FAR) };
    if far < 0 {
        return Err(io::Error::last_os_error().to_string());
    }
    ground.kept.push(Box::new(owned(far)));
    scene.descriptor = far;
    Ok(())
}

fn open_terminal(ground: &mut Ground, _: &mut Scene) -> Result<(), String> {
    let (mut host, mut program) = (-1, -1);
    // SAFETY: the call writes two numbers; the name and the settings are left out.
    let made = unsafe {
        libc::openpty(
            &raw mut host,
            &raw mut program,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    if made < 0 {
        return Err("this machine has no terminals".to_owned());
    }
    for descriptor in [host, program] {
        // SAFETY: the request takes a number; the descriptors were just made.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    ground.kept.push(Box::new(owned(host)));
    ground.terminal = Some(owned(program));
    Ok(())
}
