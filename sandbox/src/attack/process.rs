//! Attacks on other processes.

use super::call::{Arg, call, number, size};
use super::ground::Ground;
use super::outcome::{Outcome, Tries};
use super::scene::Scene;
use super::{Attack, FILTER, PLAIN, Twin};
use crate::danger::Protection;
use std::fs::{self, OpenOptions};
use std::process::{Command, Stdio};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 37,
        name: "signal_a_process_of_the_host",
        title: "ends a process of the host",
        held: &["ESRCH", "ENOSYS", "EPERM"],
        twin: Twin::Open,
        arrange: |ground, scene| {
            scene.victim = ground.start_victim()?;
            Ok(())
        },
        inside: |scene, tries| {
            let victim = || number(scene.victim);
            tries.call("kill", call(libc::SYS_kill, &mut [victim(), number(libc::SIGKILL)]));
            let opened = call(libc::SYS_pidfd_open, &mut [victim(), number(0)]);
            tries.call("open", opened);
            Ok(())
        },
        judge: |ground, outcome| match outcome {
            Outcome::Held(_) if ground.victim_ended() => {
                Outcome::Escaped("the process of the host ended".to_owned())
            }
            other => other,
        },
        ..PLAIN
    },
    Attack {
        number: 37,
        name: "read_a_process_of_the_host",
        title: "reads memory, environment and descriptors of a process of the host",
        held: &["ESRCH", "EPERM", "ENOENT", "ENOSYS", "EACCES"],
        twin: Twin::Open,
        arrange: |ground, scene| {
            scene.victim = ground.start_victim()?;
            Ok(())
        },
        inside: |scene, tries| {
            read_process(scene.victim, tries);
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 38,
        name: "take_over_the_first_process",
        title: "traces, reads and writes the first process of the sandbox",
        held: &["EPERM", "ENOENT", "EACCES", "ESRCH", "ENOSYS"],
        twin: Twin::Without(&[
            Protection::FirstProcess,
            Protection::Seccomp,
            Protection::Landlock,
            Protection::Files,
        ]),
        inside: |_, tries| {
            let first = parent();
            read_process(first, tries);
            let memory = format!("/proc/{first}/mem");
            tries.io("write memory", OpenOptions::new().write(true).open(memory));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 38,
        name: "kill_the_first_process",
        title: "ends or stops the first process, and with it what ends the rest",
        held: &["alive"],
        twin: Twin::None("the kernel keeps signals from inside away from the first process"),
        inside: |_, tries| {
            if parent() != 1 {
                return Err("the first process it sees may be the machine's own".to_owned());
            }
            for signal in [libc::SIGKILL, libc::SIGSTOP, libc::SIGTERM] {
                let _ = call(libc::SYS_kill, &mut [number(1), number(signal)]);
            }
            // Whoever says this is alive, and with it the first process.
            tries.held("first process", "alive");
            Ok(())
        },
        judge: |_, outcome| match outcome {
            Outcome::Held(answers) if answers.iter().all(|(what, _)| what == "program") => {
                Outcome::Escaped("the sandbox ended".to_owned())
            }
            other => other,
        },
        ..PLAIN
    },
    Attack {
        number: 55,
        name: "leave_a_daemon",
        title: "leaves a process of its own session behind",
        held: &["ended with the run"],
        twin: Twin::Without(&[Protection::Reaper]),
        inside: |scene, tries| {
            daemon(scene)?;
            tries.through(DAEMON);
            Ok(())
        },
        judge: |ground, outcome| match outcome {
            Outcome::Escaped(what) if what == DAEMON && !survives(ground) => {
                Outcome::held(DAEMON, "ended with the run")
            }
            other => other,
        },
        ..PLAIN
    },
    Attack {
        number: 30,
        name: "call_the_kernel_by_its_32_bit_entry",
        title: "makes system calls by the entry for 32-bit programs",
        held: &["SIGSYS"],
        twin: FILTER,
        inside: old_entry,
        ..PLAIN
    },
];

const DAEMON: &str = "daemon";

/// Returns the own user's number.
pub(super) fn uid() -> u32 {
    // SAFETY: the call only returns a number.
    unsafe { libc::geteuid() }
}

fn parent() -> i32 {
    // SAFETY: the call only returns a number.
    unsafe { libc::getppid() }
}

/// Tries every way to look into a process.
fn read_process(pid: i32, tries: &mut Tries) {
    let victim = || number(pid);
    let attach = [number(libc::PTRACE_SEIZE), victim(), number(0), number(0)];
    tries.call("trace", call(libc::SYS_ptrace, &mut { attach }));
    let mut local = [0_u8; 16];
    let here = [local.as_mut_ptr() as usize, local.len()].map(usize::to_ne_bytes).concat();
    let there = [0x1000_usize, 16].map(usize::to_ne_bytes).concat();
    let read = call(
        libc::SYS_process_vm_readv,
        &mut [victim(), Arg::Bytes(&here), size(1), Arg::Bytes(&there), size(1), number(0)],
    );
    // With the right to read, this address is a bad one.
    let read = if read == Err(libc::EFAULT) { Ok(0) } else { read };
    tries.call("read memory", read);
    let opened = call(libc::SYS_pidfd_open, &mut [victim(), number(0)]);
    let taken = opened.and_then(|process| {
        call(libc::SYS_pidfd_getfd, &mut [Arg::Number(process), number(0), number(0)])
    });
    tries.call("take a descriptor", taken);
    for name in ["environ", "maps", "mem", "root/etc/hostname", "cwd/etc/hostname"] {
        tries.io(name, fs::File::open(format!("/proc/{pid}/{name}")));
    }
}

/// Starts a process that left its session and its parent.
fn daemon(scene: &Scene) -> Result<(), String> {
    let line = format!("setsid sleep 600.{} >/dev/null 2>&1 </dev/null &", scene.mark);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop).map_err(|error| error.to_string())?;
    // The shell does not wait for it: here it is looked for until it is there.
    (0..100_000)
        .find(|_| runs(&scene.mark))
        .map(drop)
        .ok_or_else(|| "the daemon did not start".to_owned())
}

fn is(process: &fs::DirEntry, mark: &str) -> bool {
    let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&line);
    text.starts_with("sleep") && text.contains(mark)
}

/// This library promises that nothing is left when a run returned; others may take a moment.
fn survives(ground: &Ground) -> bool {
    let looks = if ground.room.is_some() { 1 } else { 2_000 };
    (0..looks).all(|_| runs(&ground.mark))
}

fn runs(mark: &str) -> bool {
    fs::read_dir("/proc").into_iter().flatten().flatten().any(|one| is(&one, mark))
}

#[cfg(target_arch = "x86_64")]
fn old_entry(_: &Scene, tries: &mut Tries) -> Result<(), String> {
    let answer: i64;
    // SAFETY: call 20 of this entry returns the process number and touches no memory; the entry
    // changes no register but those named here.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") 20_i64 => answer,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    let answered = answer > 0;
    tries.check("the 32-bit entry", answered, "it is not there");
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn old_entry(_: &Scene, _: &mut Tries) -> Result<(), String> {
    Err("this processor has no such entry".to_owned())
}
