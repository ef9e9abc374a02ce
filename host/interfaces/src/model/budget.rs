//! What a run that is no agent may spend on models.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{ModelBudget, Spent};

/// A budget of one run alone.
#[derive(Debug)]
pub struct OwnBudget {
    left: Mutex<Left>,
    end: Instant,
}

#[derive(Debug)]
struct Left {
    calls: u32,
    tokens: u64,
}

impl OwnBudget {
    /// Returns a budget of so many calls and tokens, for this long.
    pub fn new(calls: u32, tokens: u64, time: Duration) -> Self {
        Self { left: Mutex::new(Left { calls, tokens }), end: Instant::now() + time }
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ModelBudget for OwnBudget {
    fn take(&self, wanted: u32) -> Result<u32, Spent> {
        let mut left = self.left();
        let most = u32::try_from(left.tokens).unwrap_or(u32::MAX);
        if left.calls == 0 || (wanted > 0 && most == 0) {
            return Err(Spent);
        }
        let taken = wanted.min(most);
        left.calls -= 1;
        left.tokens -= u64::from(taken);
        Ok(taken)
    }

    fn settle(&self, taken: u32, used: u64) {
        let mut left = self.left();
        left.tokens = (left.tokens + u64::from(taken)).saturating_sub(used);
    }

    fn time_left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Never: whoever drops the run drops the call.
    fn cancelled(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
