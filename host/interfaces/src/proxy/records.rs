//! The records of one proxy, bounded, and its sums.

use http::Method;
use ringfence_capability::Kind;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::{Admitted, Reason};
use crate::{Effect, EffectSink, Effects, Moved, NotRecorded, Verdict};

/// What one proxy has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxySummary {
    /// Lookups, requests and tunnels that were let through.
    pub allowed: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Those of them that are past the limit on records and so not in the log.
    pub unlisted: u64,
    /// Bytes of bodies and tunnels.
    pub moved: Moved,
}

/// A sink that hands a bounded number of records on.
pub(super) struct Records {
    sink: Effects,
    left: AtomicU64,
    allowed: AtomicU64,
    refused: AtomicU64,
    unlisted: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Records {
    pub(super) fn new(sink: Effects, most: u64) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            sink,
            left: AtomicU64::new(most),
            allowed: zero(),
            refused: zero(),
            unlisted: zero(),
            sent: zero(),
            received: zero(),
        }
    }

    pub(super) fn summary(&self) -> ProxySummary {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProxySummary {
            allowed: of(&self.allowed),
            refused: of(&self.refused),
            unlisted: of(&self.unlisted),
            moved: Moved { sent_bytes: of(&self.sent), received_bytes: of(&self.received) },
        }
    }

    fn count(&self, effect: &Effect) {
        let add = |count: &AtomicU64, more| count.fetch_add(more, Ordering::Relaxed);
        match (&effect.verdict, effect.moved) {
            (Verdict::Refused(_), _) => add(&self.refused, 1),
            (Verdict::Done, None) => add(&self.allowed, 1),
            (Verdict::Done, Some(_)) => 0,
        };
        if let Some(moved) = effect.moved {
            add(&self.sent, moved.sent_bytes);
            add(&self.received, moved.received_bytes);
        }
    }
}

impl EffectSink for Records {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        let one_less = |left: u64| left.checked_sub(1);
        let fits = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        let refused = matches!(effect.verdict, Verdict::Refused(_));
        if fits {
            if refused || effect.moved.is_some() {
                self.count(&effect);
                return self.sink.record(effect);
            }
            // Counted as allowed only when it may really happen.
            self.sink.record(effect.clone())?;
            self.count(&effect);
            return Ok(());
        }
        if !refused && effect.moved.is_none() {
            return Err(NotRecorded::new());
        }
        self.unlisted.fetch_add(u64::from(refused), Ordering::Relaxed);
        self.count(&effect);
        Ok(())
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

/// The bytes of one request or tunnel.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

/// Records, when it is dropped, how much a request or tunnel moved.
pub(super) struct End {
    records: Arc<Records>,
    tally: Arc<Tally>,
    kind: Kind,
    method: Method,
    target: String,
    started: bool,
    refused: Option<Reason>,
}

impl End {
    pub(super) fn new(
        records: &Arc<Records>,
        admitted: &Admitted,
        method: &Method,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            records: Arc::clone(records),
            tally,
            kind: admitted.kind(),
            method: method.clone(),
            target: admitted.target(),
            started: false,
            refused: None,
        }
    }

    /// Says that there is an end to record even if nothing was moved.
    pub(super) fn started(&mut self) {
        self.started = true;
    }

    /// Says that it ends because it is refused from here on.
    pub(super) fn refuse(&mut self, reason: Reason) {
        self.refused = Some(reason);
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Tells whether the response to its method has a body.
    pub(super) fn has_body(&self) -> bool {
        self.method != Method::HEAD
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sent_bytes, received_bytes) = (of(&self.tally.sent), of(&self.tally.received));
        if !self.started && sent_bytes == 0 {
            return;
        }
        let effect = match self.refused {
            Some(reason) => {
                let method: String = self.method.as_str().chars().take(32).collect();
                Effect::refused(self.kind, method, &self.target, reason.name())
            }
            None => Effect::done(self.kind, "end", &self.target),
        };
        // It has happened; a log that cannot be written any more stops the next one.
        let _ = self.records.record(effect.after(Moved { sent_bytes, received_bytes }));
    }
}
