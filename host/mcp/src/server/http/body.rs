//! What goes back: one answer as JSON, or a stream of events that ends with it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use super::session::Open;
use crate::message::{self, Id, RpcError};

/// How long an answer may take before it becomes a stream, so that whoever waits sees that it goes on.
pub(super) const QUIET: Duration = Duration::from_secs(5);
/// How often a stream with nothing to say says so: a client that is gone is noticed.
pub(super) const BEAT: Duration = Duration::from_secs(15);

/// What goes back.
pub(super) enum Body {
    /// Everything at once.
    Whole(Option<Bytes>),
    /// Events.
    Events(Box<Events>),
}

/// Events, one for each message, until what makes them ends.
pub(super) struct Events {
    first: Option<Value>,
    from: mpsc::Receiver<Value>,
    beat: Interval,
    /// What makes them. It ends with whoever hears them.
    _running: Running,
}

/// What runs for a client, and ends when it goes away.
pub(super) struct Running {
    pub(super) task: JoinHandle<()>,
    /// What remembers that it runs.
    pub(super) _open: Option<Open>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Events(events) => events.next(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}

impl Events {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(event(&first)));
        }
        match self.from.poll_recv(context) {
            Poll::Ready(message) => Poll::Ready(message.map(|message| event(&message))),
            Poll::Pending => {
                self.beat.poll_tick(context).map(|_| Some(Bytes::from_static(b":\n\n")))
            }
        }
    }
}

/// A message has no line end outside its texts, and inside them none that is not escaped.
fn event(message: &Value) -> Bytes {
    Bytes::from(format!("event: message\ndata: {message}\n\n"))
}

/// Returns a stream of events.
pub(super) fn events(
    first: Option<Value>,
    from: mpsc::Receiver<Value>,
    running: Running,
) -> Response<Body> {
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events { first, from, beat, _running: running };
    let mut response = Response::new(Body::Events(Box::new(events)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    response
}

/// Returns one message.
pub(super) fn json(status: StatusCode, message: &Value) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Some(Bytes::from(message.to_string()))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns an error about a request, or about something that is none.
pub(super) fn error(status: StatusCode, id: Option<&Id>, error: RpcError) -> Response<Body> {
    json(status, &message::answer(id, Err(error)))
}

/// Returns an answer without a word.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Whole(None));
    *response.status_mut() = status;
    response
}

/// Has the connection end after this: the rest of what is on it is not read.
pub(super) fn last(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
