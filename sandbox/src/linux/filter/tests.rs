//! The filter, run by a small interpreter of the kernel's instructions.
#![allow(clippy::panic, reason = "tests")]

use super::*;

/// Returns what the kernel would do with a call.
fn run(code: &[sock_filter], arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
    let mut at = 0;
    let mut accumulator = 0_u32;
    loop {
        let step = code[at];
        at += 1;
        let hit = match step.code {
            LOAD => {
                accumulator = match step.k {
                    NUMBER_AT => u32::try_from(number).unwrap_or(u32::MAX),
                    ARCH_AT => arch,
                    offset => {
                        assert!((offset - ARGUMENTS_AT).is_multiple_of(8));
                        let word = arguments[(offset - ARGUMENTS_AT) as usize / 8];
                        u32::try_from(word % (1 << 32)).unwrap_or(0)
                    }
                };
                continue;
            }
            AND => {
                accumulator &= step.k;
                continue;
            }
            RETURN => return step.k,
            JUMP => {
                at += step.k as usize;
                continue;
            }
            JUMP_EQUAL => accumulator == step.k,
            JUMP_GREATER => accumulator > step.k,
            JUMP_NOT_LESS => accumulator >= step.k,
            JUMP_SET => accumulator & step.k != 0,
            other => panic!("unknown instruction {other:#x}"),
        };
        at += usize::from(if hit { step.jt } else { step.jf });
    }
}

const CLOSED: Surface = rules::Surface::least();
const OPEN: Surface = rules::Surface::OPEN;
const EPERM: u32 = ERRNO | 1;
const ENOSYS: u32 = ERRNO | 0x26;

fn check(surface: Surface, number: i64, arguments: [u64; 6], expected: u32) {
    let got = run(&compile(surface), ARCH, number, arguments);
    assert_eq!(got, expected, "call {number} with {arguments:x?} under {surface:?}");
}

#[test]
fn every_number_gets_the_answer_of_its_rule() {
    for surface in [CLOSED, OPEN] {
        let (rules, code) = (rules::rules(surface), compile(surface));
        for number in 0..=rules::NEWEST {
            let answer = run(&code, ARCH, number.into(), [0; 6]);
            match rules.iter().find(|(ruled, _)| *ruled == number) {
                None => assert_eq!(answer, ALLOW, "call {number} under {surface:?}"),
                Some((_, Verdict::Fails(errno))) => {
                    assert_eq!(Ok(answer), u32::try_from(*errno).map(|errno| ERRNO | errno));
                }
                Some((_, verdict)) => {
                    let alone = run(&block(verdict), ARCH, number.into(), [0; 6]);
                    assert_eq!(answer, alone, "call {number} under {surface:?}");
                }
            }
        }
    }
}

/// The kernel compiles it at every start.
#[test]
fn the_filter_stays_short() {
    let (closed, open) = (compile(CLOSED).len(), compile(OPEN).len());
    assert!(closed <= 220 && open <= 220, "{closed} and {open} instructions");
}

#[test]
fn every_refused_call_gets_its_answer() {
    let none = [0; 6];
    check(CLOSED, libc::SYS_ptrace, none, EPERM);
    check(CLOSED, libc::SYS_clone3, none, ENOSYS);
    check(CLOSED, libc::SYS_io_uring_setup, none, ENOSYS);
    check(CLOSED, libc::SYS_shmget, none, EPERM);
    check(OPEN, libc::SYS_shmget, none, ALLOW);
    check(CLOSED, libc::SYS_read, none, ALLOW);
    check(CLOSED, libc::SYS_execve, none, ALLOW);
    check(CLOSED, 470, none, ENOSYS);
    check(CLOSED, 0x3fff_ffff, none, ENOSYS);
    check(CLOSED, 0x4000_0000, none, KILL);
}

#[test]
fn every_rule_is_found_by_the_search() {
    let code = compile(CLOSED);
    let rules = rules::rules(CLOSED);
    for (number, verdict) in &rules {
        assert_eq!(rules.iter().filter(|(other, _)| other == number).count(), 1, "{number} twice");
        if let Verdict::Fails(errno) = verdict {
            let expected = ERRNO | u32::try_from(*errno).unwrap_or(0);
            assert_eq!(run(&code, ARCH, i64::from(*number), [0; 6]), expected, "call {number}");
        }
    }
    let named = |number: u32| rules.iter().any(|(other, _)| *other == number);
    for number in (0..=rules::NEWEST).filter(|number| !named(*number)) {
        assert_eq!(run(&code, ARCH, i64::from(number), [0; 6]), ALLOW, "call {number}");
    }
}

#[test]
fn another_architecture_kills_whatever_the_call() {
    let code = compile(OPEN);
    for arch in [0, 0x4000_0003, 0x4000_0028, ARCH ^ 1] {
        assert_eq!(run(&code, arch, libc::SYS_read, [0; 6]), KILL);
    }
}

#[test]
fn sockets_are_internet_through_the_proxy_or_connected_pairs() {
    let socket = |domain| [domain, 1, 0, 0, 0, 0];
    for domain in 0..50 {
        let internet = domain == 2 || domain == 10;
        check(CLOSED, libc::SYS_socket, socket(domain), EPERM);
        check(OPEN, libc::SYS_socket, socket(domain), if internet { ALLOW } else { EPERM });
        // The kernel reads an `int`: what stands above changes nothing.
        check(
            OPEN,
            libc::SYS_socket,
            socket(domain | 1 << 32),
            if internet { ALLOW } else { EPERM },
        );
    }
    let pair = |domain, kind| [domain, kind, 0, 0, 0, 0];
    for (domain, kind, expected) in [
        (1, 1, ALLOW),
        (1, 5, ALLOW),
        (1, 1 | 0x8_0800, ALLOW),
        (1, 2, EPERM),
        (1, 3, EPERM),
        (1, 2 | 0x8_0000, EPERM),
        (2, 1, EPERM),
        (30, 1, EPERM),
    ] {
        check(CLOSED, libc::SYS_socketpair, pair(domain, kind), expected);
    }
}

#[test]
fn no_call_sets_a_set_id_bit() {
    for bits in [0o4000, 0o2000, 0o6755, 0o4755] {
        check(CLOSED, libc::SYS_fchmod, [3, bits, 0, 0, 0, 0], EPERM);
        check(CLOSED, libc::SYS_fchmodat, [3, 0, bits, 0, 0, 0], EPERM);
        check(CLOSED, libc::SYS_fchmodat2, [3, 0, bits, 0, 0, 0], EPERM);
        check(CLOSED, libc::SYS_mknodat, [3, 0, bits, 0, 0, 0], EPERM);
        check(CLOSED, libc::SYS_openat, [3, 0, 0x41, bits, 0, 0], EPERM);
        check(CLOSED, libc::SYS_openat, [3, 0, 0x41_0001, bits, 0, 0], EPERM);
        // Without a creating flag the mode is whatever was in the register.
        check(CLOSED, libc::SYS_openat, [3, 0, 0x1, bits, 0, 0], ALLOW);
    }
    check(CLOSED, libc::SYS_fchmod, [3, 0o755, 0, 0, 0, 0], ALLOW);
    check(CLOSED, libc::SYS_openat, [3, 0, 0x41, 0o644, 0, 0], ALLOW);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_old_calls_are_covered_too() {
    check(CLOSED, libc::SYS_chmod, [0, 0o4755, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_creat, [0, 0o4755, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_mknod, [0, 0o4755, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_open, [0, 0x40, 0o4755, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_open, [0, 0, 0o4755, 0, 0, 0], ALLOW);
}

#[test]
fn arguments_decide_for_terminals_clones_memory_files_and_filters() {
    for request in [0x5412, 0x541c, 0x5423] {
        check(CLOSED, libc::SYS_ioctl, [0, request, 0, 0, 0, 0], EPERM);
        check(CLOSED, libc::SYS_ioctl, [0, request | 7 << 32, 0, 0, 0, 0], EPERM);
    }
    check(CLOSED, libc::SYS_ioctl, [0, 0x5413, 0, 0, 0, 0], ALLOW);
    check(CLOSED, libc::SYS_clone, [0x1000_0011, 0, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_clone, [0x4111, 0, 0, 0, 0, 0], ALLOW);
    check(CLOSED, libc::SYS_memfd_create, [0, 1, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_memfd_create, [0, 9, 0, 0, 0, 0], ALLOW);
    check(CLOSED, libc::SYS_seccomp, [1, 8, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_seccomp, [1, 0, 0, 0, 0, 0], ALLOW);
    check(CLOSED, libc::SYS_personality, [0x004_0000, 0, 0, 0, 0, 0], EPERM);
    check(CLOSED, libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0], ALLOW);
}

#[test]
fn the_filter_fits_the_kernel_and_every_jump_stays_inside() {
    for surface in [CLOSED, OPEN] {
        let code = compile(surface);
        assert!(code.len() < 4096);
        for (at, step) in code.iter().enumerate() {
            if step.code & 7 == 5 {
                let far = if step.code == JUMP { step.k as usize } else { 0 };
                assert!(at + 1 + far.max(usize::from(step.jt.max(step.jf))) < code.len());
            }
        }
    }
}
