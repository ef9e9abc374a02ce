//! Processor time of the thread a run is polled on.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ringfence_capability::Limit;

use crate::{LimitExceeded, Meter};

/// Counts the processor time of one run over the polls of its future, whichever thread polls it.
///
/// The figure includes host calls that run on the polling thread and excludes waiting. It is never too
/// small: a poll of less than [`SHORT`] counts as long as it took, which saves two questions to the system
/// for each of the many polls of a guest that waits for messages.
#[derive(Debug, Default)]
pub(crate) struct CpuClock {
    /// What earlier polls used, and how the running one began.
    spent: std::sync::Mutex<(Duration, Option<Begun>)>,
}

/// A poll below this counts by its time on the wall, which is at least its processor time.
const SHORT: Duration = Duration::from_micros(100);
/// How old the time of a thread may be from which a longer poll is counted.
const FRESH: Duration = Duration::from_millis(1);

/// How a poll began.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    /// What its thread had used by then, or a little before.
    thread: Duration,
}

impl Begun {
    fn now() -> Self {
        thread_local! {
            static LAST: Cell<Option<Begun>> = const { Cell::new(None) };
        }
        let at = Instant::now();
        let last = LAST.get().filter(|last| at.saturating_duration_since(last.at) < FRESH);
        let thread = last.map_or_else(thread_time, |last| last.thread);
        if last.is_none() {
            LAST.set(Some(Self { at, thread }));
        }
        Self { at, thread }
    }

    /// Returns at least the processor time used since then, on the same thread.
    fn used(&self) -> Duration {
        let wall = self.at.elapsed();
        if wall < SHORT { wall } else { wall.min(thread_time().saturating_sub(self.thread)) }
    }
}

impl CpuClock {
    fn begin(&self) {
        if let Ok(mut spent) = self.spent.lock() {
            spent.1 = Some(Begun::now());
        }
    }

    fn end(&self) {
        if let Ok(mut spent) = self.spent.lock()
            && let Some(begun) = spent.1.take()
        {
            spent.0 += begun.used();
        }
    }

    /// Returns the time used so far, the running poll included.
    pub(crate) fn used(&self) -> Duration {
        let Ok(spent) = self.spent.lock() else { return Duration::MAX };
        spent.0 + spent.1.map_or(Duration::ZERO, |begun| begun.used())
    }

    /// Writes the time used into `meter`.
    ///
    /// # Errors
    /// When it passes the run's limit.
    pub(crate) fn check(&self, meter: &Meter) -> Result<(), LimitExceeded> {
        let used = self.used();
        meter.set(Limit::CpuTime, u64::try_from(used.as_millis()).unwrap_or(u64::MAX));
        if used > meter.limits().cpu_time() { Err(meter.reach(Limit::CpuTime)) } else { Ok(()) }
    }
}

#[cfg(unix)]
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(not(unix))]
fn thread_time() -> Duration {
    // No thread clock: wall time of the polls, an upper bound of the processor time.
    use std::sync::OnceLock;
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// A future whose polls are counted.
pub(crate) struct Counted<F> {
    pub(crate) inner: Pin<Box<F>>,
    pub(crate) clock: Arc<CpuClock>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.clock.begin();
        let result = self.inner.as_mut().poll(cx);
        self.clock.end();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_never_less_than_what_was_used() {
        let clock = CpuClock::default();
        let mut real = Duration::ZERO;
        // Short polls, polls one after the other on a time that is a little old, and a long one.
        for work in [1_u32, 50, 2_000, 2_000, 1, 400_000, 1, 3_000_000] {
            let before = thread_time();
            clock.begin();
            let inside = thread_time();
            let mut sum = 0_u64;
            for number in 0..u64::from(work) {
                sum = std::hint::black_box(sum.wrapping_add(number));
            }
            let used = thread_time().saturating_sub(inside);
            clock.end();
            real += used;
            assert!(clock.used() >= real, "{work}: {:?} of {real:?}", clock.used());
            assert!(thread_time() >= before);
        }
        // And little more: what is old is at most that old.
        assert!(
            clock.used() <= real + 8 * (FRESH + SHORT) + real,
            "{:?} for {real:?}",
            clock.used()
        );
    }
}
