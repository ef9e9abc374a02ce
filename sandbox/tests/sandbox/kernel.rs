//! What a program can do to other processes and to the kernel.

use crate::setup::{Case, held_by};
use ringfence_capability::Profile;
use ringfence_sandbox::danger::Protection;
use ringfence_sandbox::{Exit, Feature, SandboxExecutor, Stdio};
use std::io::Read;
use std::os::fd::AsRawFd;

/// A Python program that makes one system call and succeeds when the kernel did it.
fn call(number: i64, arguments: &str) -> String {
    format!(
        "import ctypes, sys\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         libc.syscall.restype = ctypes.c_long\n\
         result = libc.syscall({number}, {arguments})\n\
         print(result, ctypes.get_errno()); sys.exit(result < 0)"
    )
}

fn done(case: &Case, text: &str) -> bool {
    case.python(text).is_some_and(|outcome| outcome.exit == Exit::Code(0))
}

fn has_python() -> bool {
    std::path::Path::new("/usr/bin/python3").exists()
}

#[test]
fn a_program_has_no_capability_and_cannot_gain_one() {
    for profile in Profile::ALL {
        let status = Case::of(profile).sh("cat /proc/self/status");
        let field = |name: &str| {
            let line = status.output.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        for name in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(name), "0000000000000000", "{profile} {name}");
        }
        assert_eq!(field("NoNewPrivs:"), "1", "{profile}");
        assert_eq!(field("Seccomp:"), "2", "{profile}");
    }
    let without = Case::new().without(Protection::Capabilities).sh("cat /proc/self/status");
    assert!(!without.output.contains("CapBnd:\t0000000000000000"));
}

#[test]
fn the_kernel_surface_is_filtered() {
    if !has_python() {
        return;
    }
    for (number, arguments) in [
        (libc::SYS_unshare, "0x10000000"),
        (libc::SYS_shmget, "0, 4096, 0o1600"),
        (libc::SYS_userfaultfd, "1"),
        (libc::SYS_io_uring_setup, "4, ctypes.create_string_buffer(200)"),
        (libc::SYS_memfd_create, "b'x', 0"),
        (libc::SYS_pidfd_open, "__import__('os').getpid(), 0"),
        (libc::SYS_personality, "0x0040000"),
        (libc::SYS_kcmp, "__import__('os').getpid(), __import__('os').getpid(), 0, 0, 0"),
    ] {
        let text = call(number, arguments);
        held_by(Case::new, Protection::Seccomp, |case| done(case, &text));
    }
}

#[test]
fn another_entry_of_the_kernel_kills() {
    if !cfg!(target_arch = "x86_64") || !has_python() {
        return;
    }
    // `mov eax, 20; int 0x80; ret`: the 32-bit `getpid`.
    let text = "import ctypes, mmap\n\
        m = mmap.mmap(-1, 4096, prot=7)\n\
        m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n\
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()";
    assert_eq!(Case::new().python(text).unwrap().exit, Exit::Signal(31));
    assert!(done(&Case::new().without(Protection::Seccomp), text));
}

#[test]
fn the_first_process_is_out_of_reach() {
    let lines = ["cat /proc/1/environ", "cat /proc/1/maps", "ls /proc/1/fd"];
    for line in lines {
        assert_ne!(Case::new().sh(line).exit, Exit::Code(0), "{line}");
    }
    assert_eq!(Case::new().sh("kill -9 1; kill -STOP 1; exit 5").exit, Exit::Code(5));
    assert!(!Case::new().sh("ls /proc").output.lines().any(|line| line == "1"));
    let twin = Case::new().without(Protection::FirstProcess).without(Protection::Landlock);
    assert_eq!(twin.sh("cat /proc/1/maps >/dev/null").exit, Exit::Code(0));
}

#[test]
fn no_process_of_the_host_is_seen_or_signalled() {
    let own = std::process::id();
    let outcome = Case::new().sh(&format!("kill -0 {own}; kill -0 -1; test -e /proc/{own}"));
    assert_ne!(outcome.exit, Exit::Code(0), "{}", outcome.output);
}

#[test]
fn shared_memory_of_the_host_is_not_there() {
    if !has_python() {
        return;
    }
    // SAFETY: makes an object of this process, removed below.
    let id = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, 0o666 | libc::IPC_CREAT) };
    assert!(id >= 0);
    let text = call(libc::SYS_shmat, &format!("{id}, 0, 0"));
    for alone in [Protection::Ipc, Protection::Seccomp] {
        assert!(!done(&Case::new().without(alone), &text), "without {alone:?}");
    }
    let both = Case::new().without(Protection::Ipc).without(Protection::Seccomp);
    let reached = done(&both, &text);
    // SAFETY: removes the object made above.
    unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    assert!(reached, "the attack proves nothing");
}

#[test]
fn descriptors_of_the_host_are_closed() {
    let (reader, writer) = std::io::pipe().unwrap();
    for descriptor in [reader.as_raw_fd(), writer.as_raw_fd()] {
        // SAFETY: clears the flag that would close it, as a careless host would.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
    }
    let line = format!("test -e /proc/self/fd/{}", writer.as_raw_fd());
    held_by(Case::new, Protection::Descriptors, |case| {
        let mut command = case.command("/bin/sh", &["sh", "-c", &line]);
        command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
        let mut run = case.executor().spawn(&case.plan(), command).unwrap();
        run.wait().unwrap() == Exit::Code(0)
    });
}

#[test]
fn variables_of_the_host_are_not_passed_on() {
    let output = Case::new().sh("env");
    assert!(!output.output.contains("CARGO"), "{}", output.output);
}

#[test]
fn a_fork_bomb_stays_inside_its_bounds() {
    let mut case = Case::new();
    case.limits.processes = 64;
    let line = "i=0; while [ $i -lt 400 ]; do sleep 5 & i=$((i+1)); done; exit 0";
    assert_ne!(case.sh(line).exit, Exit::Code(0));
}

#[test]
fn the_probe_finds_every_feature_of_this_system() {
    let probed = ringfence_sandbox::probe();
    for feature in Feature::ALL.into_iter().filter(|feature| *feature != Feature::BackEnd) {
        let found = probed.iter().find(|one| one.feature == feature);
        assert!(found.is_some_and(|one| one.missing.is_none()), "{feature}: {found:?}");
    }
}

#[test]
fn many_threads_may_start_sandboxes_at_once() {
    let starts = (0..8).map(|_| {
        std::thread::spawn(|| {
            let case = Case::new();
            for _ in 0..5 {
                assert_eq!(case.sh("exit 3").exit, Exit::Code(3));
            }
        })
    });
    for start in starts.collect::<Vec<_>>() {
        start.join().unwrap();
    }
}

#[test]
fn input_of_the_terminal_cannot_be_forged() {
    // The request itself is refused on any descriptor; a pipe would answer `ENOTTY`.
    if !has_python() {
        return;
    }
    let text = "import fcntl, errno, sys\n\
        try: fcntl.ioctl(0, 0x5412, b'x')\n\
        except OSError as error: sys.exit(error.errno != errno.EPERM)\n\
        sys.exit(2)";
    assert!(done(&Case::new(), text));
    assert!(!done(&Case::new().without(Protection::Seccomp), text));
    let (mut reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
}
