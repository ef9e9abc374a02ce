//! Processor time of the thread a run is polled on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ringfence_capability::Limit;

use crate::{LimitExceeded, Meter};

/// Counts the processor time of one run over the polls of its future, whichever thread polls it.
///
/// The figure includes host calls that run on the polling thread and excludes waiting.
#[derive(Debug, Default)]
pub(crate) struct CpuClock {
    /// What earlier polls used, and when the running one began.
    spent: std::sync::Mutex<(Duration, Option<Duration>)>,
}

impl CpuClock {
    fn begin(&self) {
        if let Ok(mut spent) = self.spent.lock() {
            spent.1 = Some(thread_time());
        }
    }

    fn end(&self) {
        if let Ok(mut spent) = self.spent.lock()
            && let Some(start) = spent.1.take()
        {
            spent.0 += thread_time().saturating_sub(start);
        }
    }

    /// Returns the time used so far, the running poll included.
    pub(crate) fn used(&self) -> Duration {
        let Ok(spent) = self.spent.lock() else { return Duration::MAX };
        let running = spent.1.map_or(Duration::ZERO, |start| thread_time().saturating_sub(start));
        spent.0 + running
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
