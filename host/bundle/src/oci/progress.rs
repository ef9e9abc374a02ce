//! How far a push or pull is, for whoever wants to show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes moved and bytes to move. A clone counts the same; read it while the transfer goes on.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    /// Returns how many bytes were moved, and how many there are as far as is known: 0 at first.
    pub fn bytes(&self) -> (u64, u64) {
        let total = self.counts.total.load(Ordering::Relaxed);
        // What was sent twice, because a connection broke, is not more than there is.
        (self.counts.done.load(Ordering::Relaxed).min(total), total)
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.counts.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add(&self, bytes: u64) {
        self.counts.done.fetch_add(bytes, Ordering::Relaxed);
    }
}
