//! The run itself: time, cancellation, progress.

use std::time::Duration;

/// Tells whether the run is to end. An agent that goes on is stopped after a short grace.
pub fn is_cancelled() -> bool {
    imp::cancelled()
}

/// Returns the time left.
pub fn remaining() -> Duration {
    Duration::from_millis(imp::remaining_ms())
}

/// Says how far the work is: `done` steps, of `total` where that is known, and what is being done.
pub fn progress(done: f64, total: Option<f64>, note: &str) {
    imp::progress(done, total, note);
}

/// Returns a time as the host takes it.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(target_family = "wasm")]
use crate::bindings::ringfence::agent::control as imp;

#[cfg(not(target_family = "wasm"))]
mod imp {
    pub(super) fn cancelled() -> bool {
        false
    }

    pub(super) fn remaining_ms() -> u64 {
        u64::MAX
    }

    pub(super) fn progress(_: f64, _: Option<f64>, _: &str) {}
}
