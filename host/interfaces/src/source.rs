//! Clocks and random numbers that are the same in every run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::ChaCha12Rng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Where a deterministic wall clock starts: 2000-01-01T00:00:00Z.
const START: Duration = Duration::from_hours(262_968);
/// How far a deterministic clock moves each time it is read.
const STEP_NANOS: u64 = 1_000_000;
/// The seed of deterministic random numbers.
const SEED: u64 = 0x72_69_6e_67;

/// A clock that starts at a fixed time and moves by one millisecond each time it is read.
#[derive(Default)]
pub(crate) struct SteppingClock(AtomicU64);

impl SteppingClock {
    fn next(&self) -> u64 {
        self.0.fetch_add(STEP_NANOS, Ordering::Relaxed)
    }
}

impl HostWallClock for SteppingClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(STEP_NANOS)
    }

    fn now(&self) -> Duration {
        START + Duration::from_nanos(self.next())
    }
}

impl HostMonotonicClock for SteppingClock {
    fn resolution(&self) -> u64 {
        STEP_NANOS
    }

    fn now(&self) -> u64 {
        self.next()
    }
}

/// Returns random numbers from a fixed seed. They are not secret and must not protect anything.
pub(crate) fn fixed_numbers() -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(SEED)
}

/// Returns the fixed seed as `wasi:random/insecure-seed` hands it out.
pub(crate) const fn fixed_seed() -> u128 {
    SEED as u128
}
