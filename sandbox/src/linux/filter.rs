//! The system call filter: which calls a sandboxed program may make, and the small program for the
//! kernel that checks it.
//!
//! Everything is allowed but for what is named here: `ENOSYS` for what a run-time library probes
//! and can do without, `EPERM` for what it reports. Calls newer than the list do not exist. Another
//! architecture's entry points (`int 0x80`, x32) kill. Only the low half of an argument is
//! compared where the kernel itself reads an `int`.

mod rules;

pub(super) use rules::Surface;

use libc::sock_filter;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_NOT_LESS: u16 = 0x35;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;

const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Bit 30 of a number marks the x32 entry points of x86-64; no real call has it anywhere.
const X32: u32 = 0x4000_0000;

/// What happens to one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It fails with this error.
    Fails(i32),
    /// It fails with `EPERM` when the argument has one of the bits.
    FailsWithBits { argument: u32, bits: u32 },
    /// It fails with `EPERM` when the argument has none of the bits.
    FailsWithoutBits { argument: u32, bits: u32 },
    /// It fails with `EPERM` when the argument is one of these.
    FailsWith { argument: u32, values: &'static [u32] },
    /// It fails with `EPERM` unless the argument is one of these.
    FailsUnless { argument: u32, values: &'static [u32] },
    /// It fails with `EPERM` when it creates a file whose mode has one of the bits.
    FailsCreating { flags: u32, mode: u32, bits: u32 },
    /// It fails with `EPERM` unless it makes a pair of connected Unix sockets, which can never
    /// reach a third one.
    FailsUnlessPair,
}

/// Returns the filter for the kernel.
pub(super) fn compile(surface: Surface) -> Vec<sock_filter> {
    let mut code = vec![
        load(ARCH_AT),
        jump(JUMP_EQUAL, ARCH, 1, 0),
        give(KILL),
        load(NUMBER_AT),
        jump(JUMP_NOT_LESS, X32, 0, 1),
        give(KILL),
    ];
    code.extend([jump(JUMP_GREATER, rules::NEWEST, 0, 1), fail(libc::ENOSYS)]);
    code.extend(search(&ranges(rules::rules(surface))));
    code
}

/// Neighbouring numbers with one verdict.
struct Range {
    first: u32,
    last: u32,
    verdict: Verdict,
}

fn ranges(mut rules: Vec<(u32, Verdict)>) -> Vec<Range> {
    rules.sort_by_key(|(number, _)| *number);
    let mut ranges: Vec<Range> = Vec::with_capacity(rules.len());
    for (number, verdict) in rules {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == number && range.verdict == verdict => {
                range.last = number;
            }
            _ => ranges.push(Range { first: number, last: number, verdict }),
        }
    }
    ranges
}

/// Returns a search by halves. The kernel compiles the filter at each start, which takes longer the
/// longer it is; then it runs it for every call number once, and at every call for the ones whose
/// arguments matter.
fn search(ranges: &[Range]) -> Vec<sock_filter> {
    /// Few enough to compare one by one.
    const FEW: usize = 8;
    let (left, right) = ranges.split_at(ranges.len() / 2);
    let Some(first) = right.first().filter(|_| ranges.len() > FEW) else {
        return compare(ranges);
    };
    let (left, right) = (search(left), search(right));
    let over = u32::try_from(left.len()).unwrap_or(u32::MAX);
    let mut code = vec![jump(JUMP_NOT_LESS, first.first, 0, 1), instruction(JUMP, over, 0, 0)];
    code.extend(left);
    code.extend(right);
    code
}

/// Returns comparisons one by one, then what happens if none is met, then each verdict once.
fn compare(ranges: &[Range]) -> Vec<sock_filter> {
    let mut verdicts: Vec<&Verdict> = Vec::new();
    let mut blocks = Vec::new();
    let mut places = Vec::new();
    for range in ranges {
        let known = verdicts.iter().position(|verdict| **verdict == range.verdict);
        places.push(known.unwrap_or(verdicts.len()));
        if known.is_none() {
            verdicts.push(&range.verdict);
            blocks.push(block(&range.verdict));
        }
    }
    let length = |range: &Range| if range.first == range.last { 1 } else { 2 };
    let comparisons: usize = ranges.iter().map(length).sum();
    let mut code = Vec::new();
    for (range, place) in ranges.iter().zip(places) {
        let before: usize = blocks[..place].iter().map(Vec::len).sum();
        // Behind the comparisons comes one instruction that allows.
        let start = comparisons + 1 + before;
        let to = |from: usize| u8::try_from(start - from - 1).unwrap_or(u8::MAX);
        if range.first == range.last {
            code.push(jump(JUMP_EQUAL, range.first, to(code.len()), 0));
        } else {
            code.push(jump(JUMP_NOT_LESS, range.first, 0, 1));
            code.push(jump(JUMP_GREATER, range.last, 0, to(code.len())));
        }
    }
    code.push(give(ALLOW));
    code.extend(blocks.into_iter().flatten());
    code
}

/// Returns the instructions of one verdict; each way through them ends in a return.
fn block(verdict: &Verdict) -> Vec<sock_filter> {
    match verdict {
        Verdict::Fails(errno) => vec![fail(*errno)],
        Verdict::FailsWithBits { argument: at, bits } => {
            vec![argument(*at), jump(JUMP_SET, *bits, 0, 1), fail(libc::EPERM), give(ALLOW)]
        }
        Verdict::FailsWithoutBits { argument: at, bits } => {
            vec![argument(*at), jump(JUMP_SET, *bits, 1, 0), fail(libc::EPERM), give(ALLOW)]
        }
        Verdict::FailsWith { argument: at, values } => {
            choice(*at, values, fail(libc::EPERM), give(ALLOW))
        }
        Verdict::FailsUnless { argument: at, values } => {
            choice(*at, values, give(ALLOW), fail(libc::EPERM))
        }
        Verdict::FailsCreating { flags, mode, bits } => vec![
            argument(*flags),
            jump(JUMP_SET, CREATES, 0, 2),
            argument(*mode),
            jump(JUMP_SET, *bits, 1, 0),
            give(ALLOW),
            fail(libc::EPERM),
        ],
        Verdict::FailsUnlessPair => vec![
            argument(0),
            jump(JUMP_EQUAL, UNIX, 0, 4),
            argument(1),
            instruction(AND, 0xf, 0, 0),
            jump(JUMP_EQUAL, STREAM, 2, 0),
            jump(JUMP_EQUAL, SEQPACKET, 1, 0),
            fail(libc::EPERM),
            give(ALLOW),
        ],
    }
}

/// `O_CREAT` and the bit that marks `O_TMPFILE`.
const CREATES: u32 = 0x40 | 0x40_0000;
const UNIX: u32 = 1;
const STREAM: u32 = 1;
const SEQPACKET: u32 = 5;

fn choice(at: u32, values: &[u32], then: sock_filter, other: sock_filter) -> Vec<sock_filter> {
    let mut code = vec![argument(at)];
    for (index, value) in values.iter().enumerate() {
        let rest = u8::try_from(values.len() - index).unwrap_or(u8::MAX);
        code.push(jump(JUMP_EQUAL, *value, rest, 0));
    }
    code.extend([other, then]);
    code
}

fn argument(index: u32) -> sock_filter {
    // The low half comes first: both architectures are little-endian.
    load(ARGUMENTS_AT + 8 * index)
}

fn load(offset: u32) -> sock_filter {
    instruction(LOAD, offset, 0, 0)
}

fn jump(kind: u16, value: u32, then: u8, other: u8) -> sock_filter {
    instruction(kind, value, then, other)
}

fn give(action: u32) -> sock_filter {
    instruction(RETURN, action, 0, 0)
}

fn fail(errno: i32) -> sock_filter {
    #[expect(clippy::cast_sign_loss, reason = "error numbers are small and positive")]
    give(ERRNO | errno as u32)
}

fn instruction(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests;
