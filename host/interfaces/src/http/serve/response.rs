//! The response of a guest on its way out, and what ties it to the run that makes it.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use ringfence_capability::Limit;
use ringfence_engine::Meter;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::watch;
use wasmtime_wasi_http::{Error, WasiBody};

/// The body of a guest's response. Dropping it before its end ends the guest's run.
pub struct ServedBody {
    /// Stands before the guest's end: when both are dropped the run first learns that nobody waits.
    waiter: Waiter,
    guest: Option<WasiBody>,
    failed: bool,
    /// What the client still expects, when its length is known from the head.
    expected: Option<u64>,
    left: u64,
    meter: Arc<Meter>,
}

/// Held by whoever waits for the response.
pub(super) struct Waiter {
    passed: watch::Sender<bool>,
    broken: Arc<AtomicBool>,
}

/// The run's end of it.
#[derive(Clone)]
pub(super) struct Waiting {
    passed: watch::Receiver<bool>,
    broken: Arc<AtomicBool>,
}

/// Marks the response as broken when it is dropped before the run is [`done`](Self::done).
pub(super) struct Finishing(Option<Arc<AtomicBool>>);

/// Returns the two ends.
pub(super) fn tie() -> (Waiter, Waiting) {
    let (sender, receiver) = watch::channel(false);
    let broken = Arc::new(AtomicBool::new(false));
    (Waiter { passed: sender, broken: Arc::clone(&broken) }, Waiting { passed: receiver, broken })
}

impl Waiting {
    /// Returns when the response has passed, or nobody waits for it.
    pub(super) async fn passed(mut self) {
        let _ = self.passed.wait_for(|passed| *passed).await;
    }

    /// Returns when nobody waits for the response and it has not passed; else never.
    pub(super) async fn abandoned(mut self) {
        if self.passed.wait_for(|passed| *passed).await.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn finishing(&self) -> Finishing {
        Finishing(Some(Arc::clone(&self.broken)))
    }
}

impl Finishing {
    pub(super) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        if let Some(broken) = &self.0 {
            broken.store(true, Ordering::Release);
        }
    }
}

impl ServedBody {
    /// Returns the body, of which the client expects `expected` bytes if that is known.
    pub(super) fn new(
        guest: WasiBody,
        expected: Option<u64>,
        meter: Arc<Meter>,
        waiter: Waiter,
    ) -> Self {
        let left = meter.limits().of(Limit::Output);
        Self { waiter, guest: Some(guest), failed: false, expected, left, meter }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.failed = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ServedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let Some(guest) = this.guest.as_mut().filter(|_| !this.failed) else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(guest).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return this.fail(error),
            None if this.waiter.broken.load(Ordering::Acquire) => {
                // The guest died in the middle: the client must not take this for the whole.
                return this.fail(Error::HttpResponseIncomplete);
            }
            None => {
                this.guest = None;
                this.waiter.passed.send_replace(true);
                return Poll::Ready(None);
            }
        };
        let length =
            frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        let Some(left) = this.left.checked_sub(length) else {
            let over = this.meter.reach(Limit::Output);
            return this.fail(Error::HttpResponseBodySize(Some(over.most)));
        };
        this.left = left;
        this.expected = this.expected.map(|expected| expected.saturating_sub(length));
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        // Only the end itself is one: before it, it is not known whether the guest finishes.
        self.guest.is_none() || self.failed
    }

    fn size_hint(&self) -> SizeHint {
        self.guest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ServedBody {
    fn drop(&mut self) {
        // A server does not ask for the end of a body whose length it knows.
        let ended =
            |guest: &WasiBody| guest.is_end_stream() || guest.size_hint().exact() == Some(0);
        let ended = self.expected == Some(0) || self.guest.as_ref().is_some_and(ended);
        if ended && !self.failed {
            self.waiter.passed.send_replace(true);
        }
    }
}
