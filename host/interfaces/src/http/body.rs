//! Bodies, counted while they pass.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use ringfence_capability::Limit;
use ringfence_engine::{LimitExceeded, Meter};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::exchange::from_hyper;
use super::secret::{self, AttachedSecret};

/// The guest's body on its way out. Trailers are dropped.
pub(super) struct RequestBody {
    guest: Option<WasiBody>,
    meter: Arc<Meter>,
    declared: Option<u64>,
    sent: u64,
    failure: Failure,
}

/// Why a request body stopped. Kept beside the connection, which only knows *that* it did.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    /// Returns the reason, once.
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, error: Error) -> Stopped {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Stopped
    }
}

/// The request body stopped early.
#[derive(Debug, thiserror::Error)]
#[error("the request body stopped early")]
pub(super) struct Stopped;

impl RequestBody {
    /// Returns the guest's body, or an empty one.
    pub(super) fn new(guest: Option<WasiBody>, declared: Option<u64>, meter: Arc<Meter>) -> Self {
        Self { guest, meter, declared, sent: 0, failure: Failure::default() }
    }

    /// Returns where the reason of a failure will be.
    pub(super) fn failure(&self) -> Failure {
        self.failure.clone()
    }

    fn count(&mut self, data: &Bytes) -> Result<(), Error> {
        let length = length(data);
        self.sent = self.sent.saturating_add(length);
        if self.declared.is_some_and(|declared| self.sent > declared) {
            return Err(Error::HttpRequestBodySize(Some(self.sent)));
        }
        let too_much = |over: LimitExceeded| Error::HttpRequestBodySize(Some(over.most));
        self.meter.charge(Limit::RequestBytes, length).map_err(too_much)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        let this = self.get_mut();
        loop {
            let Some(guest) = this.guest.as_mut() else { return Poll::Ready(None) };
            match ready!(Pin::new(guest).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let counted = this.count(&data).map_err(|error| this.failure.keep(error));
                    return Poll::Ready(Some(counted.map(|()| Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(this.failure.keep(error)))),
                None => {
                    this.guest = None;
                    if this.declared.is_some_and(|declared| declared != this.sent) {
                        let short = Error::HttpRequestBodySize(Some(this.sent));
                        return Poll::Ready(Some(Err(this.failure.keep(short))));
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let ended = self.guest.as_ref().is_none_or(Body::is_end_stream);
        ended && self.declared.is_none_or(|declared| declared == self.sent)
    }

    fn size_hint(&self) -> SizeHint {
        self.guest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The server's body on its way in.
pub(super) struct ResponseBody {
    server: Option<Incoming>,
    meter: Arc<Meter>,
    secrets: Arc<[AttachedSecret]>,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// Returns the body, which fails when nothing comes for `patience`.
    pub(super) fn new(
        server: Incoming,
        meter: Arc<Meter>,
        secrets: Arc<[AttachedSecret]>,
        patience: Duration,
    ) -> Self {
        Self { server: Some(server), meter, secrets, patience, waiting: None }
    }

    fn received(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        if let Some(data) = frame.data_ref() {
            let too_much = |over: LimitExceeded| Error::HttpResponseBodySize(Some(over.most));
            self.meter.charge(Limit::ResponseBytes, length(data)).map_err(too_much)?;
            return Ok(frame);
        }
        match frame.into_trailers() {
            Ok(mut trailers) => {
                secret::scrub(&mut trailers, &self.secrets);
                Ok(Frame::trailers(trailers))
            }
            Err(frame) => Ok(frame),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let Some(server) = this.server.as_mut() else { return Poll::Ready(None) };
        let result = match Pin::new(server).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => this.received(frame),
            Poll::Ready(Some(Err(error))) => Err(from_hyper(&error)),
            Poll::Ready(None) => {
                this.server = None;
                return Poll::Ready(None);
            }
            Poll::Pending => {
                let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(this.patience)));
                ready!(waiting.as_mut().poll(cx));
                Err(Error::ConnectionReadTimeout)
            }
        };
        match &result {
            Ok(_) => {
                if let Some(waiting) = this.waiting.as_mut() {
                    waiting.as_mut().reset(Instant::now() + this.patience);
                }
            }
            // Nothing more is read from a server after a failure.
            Err(_) => this.server = None,
        }
        Poll::Ready(Some(result))
    }

    fn is_end_stream(&self) -> bool {
        self.server.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.server.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
