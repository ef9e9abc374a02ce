//! What one run has used, counted against its limits. Shared by everything that serves the run.

use ringfence_capability::{Class, Diagnostic, Limit, Limits};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Counts what one run uses. The first limit reached is remembered, so that a guest that swallows
/// the refusal is still reported as having reached it.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    used: Vec<AtomicU64>,
    reached: OnceLock<Limit>,
    /// One bit for each limit that was reached, by its place in `Limit::ALL`.
    all_reached: AtomicU64,
    person: Mutex<Person>,
}

/// How long the run waited for a person, which is not its own time.
#[derive(Debug, Default)]
struct Person {
    total: Duration,
    since: Option<Instant>,
}

/// A wait for a person, which ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct WaitsForPerson(Arc<Meter>);

impl Drop for WaitsForPerson {
    fn drop(&mut self) {
        let mut person = self.0.person.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = person.since.take() {
            person.total += since.elapsed();
        }
    }
}

impl Meter {
    /// Returns a meter with nothing used yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        let used = Limit::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            limits,
            used,
            reached: OnceLock::new(),
            all_reached: AtomicU64::new(0),
            person: Mutex::default(),
        })
    }

    /// Returns the limits counted against.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Adds `amount` to what is used of `limit`.
    ///
    /// # Errors
    /// When that would pass the limit; nothing is added then.
    pub fn charge(&self, limit: Limit, amount: u64) -> Result<(), LimitExceeded> {
        let most = self.limits.of(limit);
        let add = |used: u64| used.checked_add(amount).filter(|sum| *sum <= most);
        let cell = &self.used[limit as usize];
        match cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.reach(limit)),
        }
    }

    /// Gives `amount` back, for what is bounded at any one time rather than in total.
    pub fn release(&self, limit: Limit, amount: u64) {
        let less = |used: u64| Some(used.saturating_sub(amount));
        let _ = self.used[limit as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Returns how much of `limit` is used.
    pub fn used(&self, limit: Limit) -> u64 {
        self.used[limit as usize].load(Ordering::Relaxed)
    }

    /// Sets how much of `limit` is used, for what is measured from outside, such as time.
    pub fn set(&self, limit: Limit, used: u64) {
        self.used[limit as usize].store(used, Ordering::Relaxed);
    }

    /// Returns how much of `limit` is left.
    pub fn remaining(&self, limit: Limit) -> u64 {
        self.limits.of(limit).saturating_sub(self.used(limit))
    }

    /// Marks `limit` as reached and returns the error that says so.
    pub fn reach(&self, limit: Limit) -> LimitExceeded {
        let _ = self.reached.set(limit);
        self.all_reached.fetch_or(1 << limit as u32, Ordering::Relaxed);
        LimitExceeded { limit, most: self.limits.of(limit) }
    }

    /// Tells whether `limit` was reached, first or not.
    pub fn was_reached(&self, limit: Limit) -> bool {
        self.all_reached.load(Ordering::Relaxed) & (1 << limit as u32) != 0
    }

    /// Says that the run waits for a person from now on. The wall-time limit stands still meanwhile.
    pub fn waits_for_person(self: &Arc<Self>) -> WaitsForPerson {
        let mut person = self.person.lock().unwrap_or_else(PoisonError::into_inner);
        person.since.get_or_insert_with(Instant::now);
        drop(person);
        WaitsForPerson(Arc::clone(self))
    }

    /// Returns how long the run waited for a person until now.
    pub fn waited_for_person(&self) -> Duration {
        let person = self.person.lock().unwrap_or_else(PoisonError::into_inner);
        person.total + person.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Returns the first limit that was reached, if any.
    pub fn reached(&self) -> Option<LimitExceeded> {
        let limit = *self.reached.get()?;
        Some(LimitExceeded { limit, most: self.limits.of(limit) })
    }
}

/// A run reached one of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plugin reached its limit `{limit}` of {}", limit.format(*most))]
#[non_exhaustive]
pub struct LimitExceeded {
    /// The limit.
    pub limit: Limit,
    /// Its number.
    pub most: u64,
}

impl Diagnostic for LimitExceeded {
    fn code(&self) -> &'static str {
        "engine::limit"
    }

    fn class(&self) -> Class {
        Class::LimitReached
    }

    fn hint(&self) -> Option<String> {
        let twice = self.limit.format(self.most.saturating_mul(2));
        Some(format!(
            "it bounds {}; if the work is expected to need more, run with `--limit {}={twice}`",
            self.limit.description(),
            self.limit
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_last_unit_fits_and_the_next_does_not() {
        let meter = Meter::new(Limits { connections: 2, ..Limits::default() });
        meter.charge(Limit::Connections, 2).unwrap();
        let refused = meter.charge(Limit::Connections, 1).unwrap_err();
        assert_eq!((refused.limit, refused.most), (Limit::Connections, 2));
        meter.release(Limit::Connections, 1);
        meter.charge(Limit::Connections, 1).unwrap();
        assert_eq!(meter.reached().unwrap().limit, Limit::Connections, "a past refusal is kept");
    }

    #[test]
    fn an_amount_that_overflows_is_refused() {
        let meter = Meter::new(Limits::default());
        meter.charge(Limit::Log, 1).unwrap();
        assert!(meter.charge(Limit::Log, u64::MAX).is_err());
        assert_eq!(meter.used(Limit::Log), 1);
    }
}
