//! The loop of the tests called `fuzz_smoke_…`, which a stable toolchain can run.
//!
//! Every input follows from its number, so each run tries the same ones in the same order. A sample
//! is cut into the pieces of its format (lines, sections); pieces are dropped, doubled, moved and
//! taken from other samples, and bytes inside them are damaged or replaced by words of the format.
#![allow(clippy::panic, clippy::disallowed_methods, reason = "tests; the time comes from outside")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How long each test looks for a failure, in seconds; without it, a fixed number of rounds.
const SECONDS: &str = "RINGFENCE_FUZZ_SECONDS";
/// The largest input that is made. Larger than what the formats refuse by size alone.
const MAX_INPUT_BYTES: usize = 512 * 1024;

/// A xorshift generator: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `end`, 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from((self.0 >> 16) % end).unwrap_or_default()
    }

    /// Returns one of `items`, if there are any.
    pub(crate) fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len()))
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }
}

/// What the mutations know about a format.
pub(crate) struct Format {
    /// What means something in it.
    pub(crate) words: &'static [&'static str],
    /// Cuts a sample into pieces.
    pub(crate) cut: fn(&[u8]) -> Vec<Vec<u8>>,
    /// Puts pieces together again.
    pub(crate) join: fn(&[Vec<u8>]) -> Vec<u8>,
}

impl Format {
    /// Returns one of `samples`, changed.
    pub(crate) fn mutate(&self, random: &mut Random, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut pieces = self.take(random, samples);
        for _ in 0..=random.below(4) {
            if random.below(2) == 0 {
                self.rearrange(random, &mut pieces, samples);
            } else if !pieces.is_empty() {
                let at = random.below(pieces.len());
                self.damage(random, &mut pieces[at]);
            }
        }
        let mut bytes = (self.join)(&pieces);
        if random.below(8) == 0 {
            self.damage(random, &mut bytes);
        }
        bytes.truncate(MAX_INPUT_BYTES);
        bytes
    }

    fn take(&self, random: &mut Random, samples: &[Vec<u8>]) -> Vec<Vec<u8>> {
        random.pick(samples).map(|sample| (self.cut)(sample)).unwrap_or_default()
    }

    fn rearrange(&self, random: &mut Random, pieces: &mut Vec<Vec<u8>>, samples: &[Vec<u8>]) {
        let at = random.below(pieces.len());
        let other = random.below(pieces.len());
        match random.below(6) {
            0 => pieces.truncate(at),
            1 if !pieces.is_empty() => drop(pieces.remove(at)),
            2 if !pieces.is_empty() => pieces.swap(at, other),
            3 if !pieces.is_empty() => {
                // Once in a while often enough to meet the limits on how many there may be.
                let times = if random.below(200) == 0 { 3_000 } else { 1 };
                let piece = pieces[other].clone();
                pieces.splice(at..at, std::iter::repeat_n(piece, times));
            }
            4 => {
                let theirs = self.take(random, samples);
                if let Some(piece) = random.pick(&theirs) {
                    pieces.insert(at, piece.clone());
                }
            }
            _ => {
                let mut theirs = self.take(random, samples);
                let from = random.below(theirs.len());
                pieces.truncate(at);
                pieces.extend(theirs.drain(from..));
            }
        }
    }

    fn damage(&self, random: &mut Random, bytes: &mut Vec<u8>) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.byte()),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let times = if random.below(100) == 0 { 4_000 } else { 1 };
                let piece = bytes[at..end].repeat(times);
                bytes.splice(at..at, piece);
            }
            4 if at < end => bytes[at] ^= 1 << random.below(8),
            5 if at < end => bytes[at] = random.byte(),
            6 => {
                let word = random.pick(self.words).copied().unwrap_or_default();
                bytes.splice(at..at, word.bytes());
            }
            _ => {
                let word = random.pick(self.words).copied().unwrap_or_default();
                bytes.splice(token(bytes, at), word.bytes());
            }
        }
    }
}

/// Returns where the word around `at` begins and ends.
fn token(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let start = bytes[..at].iter().rposition(|byte| !part(byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !part(byte)).map_or(bytes.len(), |n| at + n);
    start..end
}

/// Gives inputs made by `make` to `check`, which tells whether the input was accepted and panics
/// when a promise is broken.
pub(crate) fn run(
    rounds: u64,
    make: impl Fn(&mut Random) -> Vec<u8>,
    check: impl Fn(&[u8]) -> bool,
) {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut accepted, mut refused) = (0_u64, 0_u64);
    for seed in 0.. {
        if until.map_or(seed >= rounds, |until| Instant::now() >= until) {
            break;
        }
        let input = make(&mut Random::new(seed));
        match catch_unwind(AssertUnwindSafe(|| check(&input))) {
            Ok(true) => accepted += 1,
            Ok(false) => refused += 1,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                let text = text.unwrap_or("a panic without a text");
                panic!("seed {seed}: {text}\ninput: b\"{}\"", input.escape_ascii());
            }
        }
    }
    // With one of them missing the test would only ever see the first check.
    assert!(accepted > 0 && refused > 0, "accepted {accepted}, refused {refused}");
}
