//! Whether a run that failed is tried again, and when.

use std::time::Duration;

use crate::Failure;

/// How often a run is tried again, each time after a longer wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct Restart {
    /// How many times it is tried again.
    pub most: u32,
    /// The first wait; each later one is twice as long.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Restart {
    /// Nothing is tried again.
    fn default() -> Self {
        Self { most: 0, first: Duration::from_millis(100), longest: Duration::from_secs(10) }
    }
}

impl Restart {
    /// Returns how long to wait before the next try, after `failed` tries of which the last ended with
    /// `failure`; nothing when there is none. Only a crash and the failure of something outside are worth
    /// one: what was refused, cancelled or used up ends the same way again.
    pub fn after(&self, failed: u32, failure: &Failure) -> Option<Duration> {
        let passing = match failure {
            Failure::Trapped(_) | Failure::Tool(_) | Failure::Model(_) => true,
            Failure::Cancelled(_)
            | Failure::Timeout
            | Failure::Budget(_)
            | Failure::Denied(_)
            | Failure::InvalidTask(_)
            | Failure::Other(_) => false,
        };
        if !passing || failed == 0 || failed > self.most {
            return None;
        }
        let doubled = 2u32.checked_pow(failed - 1).and_then(|times| self.first.checked_mul(times));
        Some(doubled.unwrap_or(self.longest).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let restart =
            Restart { most: 5, longest: Duration::from_millis(500), ..Restart::default() };
        let crash = Failure::Trapped("x".into());
        let waits: Vec<_> = (1..=6)
            .map(|failed| restart.after(failed, &crash).map(|wait| wait.as_millis()))
            .collect();
        assert_eq!(waits, [Some(100), Some(200), Some(400), Some(500), Some(500), None]);
        let endless = Restart { most: u32::MAX, ..restart };
        assert_eq!(endless.after(u32::MAX, &crash), Some(restart.longest), "no overflow");
    }

    #[test]
    fn what_ends_the_same_way_again_is_not_tried_again() {
        let restart = Restart { most: 9, ..Restart::default() };
        for failure in [
            Failure::Timeout,
            Failure::Denied("x".into()),
            Failure::Budget("x".into()),
            Failure::Cancelled("x".into()),
            Failure::InvalidTask("x".into()),
        ] {
            assert_eq!(restart.after(1, &failure), None, "{failure}");
        }
    }
}
