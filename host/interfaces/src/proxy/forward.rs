//! One request of the program: what belongs to its connection is taken off, and the rest goes the
//! way of every guest's request.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::uri::Authority;
use http::{Method, Request, Response, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::records::{End, Tally};
use super::serve::{Shared, Slot};
use super::{answer, tunnel};
use crate::http::{
    Admitted, BodyRule, Call, Connection, Reason, Unsent, from_hyper, host_and_port, is_forbidden,
};

/// How much of a refused request's body is read, so that the program gets to see the answer instead
/// of a broken connection.
const MOST_DRAINED_BYTES: usize = 256 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// Answers one request.
pub(super) async fn answer(
    shared: &Shared,
    slot: &Slot,
    request: Request<Incoming>,
) -> Response<WasiBody> {
    let method = request.method().clone();
    let answered = if method == Method::CONNECT {
        tunnel::open(shared, slot, request).await
    } else {
        forward(shared, request).await
    };
    answered.unwrap_or_else(|unsent| answer::unsent(&method, &unsent))
}

async fn forward(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<WasiBody>, Unsent> {
    let (mut parts, body) = request.into_parts();
    let waits = parts.headers.contains_key(header::EXPECT);
    let call = match admit(shared, &mut parts) {
        Ok(call) => call,
        Err(unsent) => {
            if !waits {
                drain(body).await;
            }
            return Err(unsent);
        }
    };
    let tally = Arc::new(Tally::default());
    let mut end = End::new(&shared.records, call.admitted(), &parts.method, Arc::clone(&tally));
    let body = Sending { program: body, tally }.boxed_unsync();
    let sent = call.send(parts, body, RequestOptions::default()).await;
    let (response, connection) = sent.inspect_err(|unsent| {
        if let Unsent::Failed(Error::HttpRequestBodySize(_)) = unsent {
            end.refuse(Reason::Limit);
        }
    })?;
    end.started();

    let (mut parts, body) = response.into_parts();
    answer::remove_own(&mut parts.headers);
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    // An answer without a body may say how long one would be; one with a body is as long as it was
    // read to be, whatever else the server said about that.
    let known = body.size_hint().exact().filter(|length| *length > 0);
    if end.has_body() && known.is_none_or(|length| !declares(&parts.headers, length)) {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    let body = Passing { server: body, end, _driver: Driver::new(connection) };
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

/// Checks the target and what belongs to the connection, and takes that off.
fn admit<'a>(shared: &'a Shared, parts: &mut request::Parts) -> Result<Call<'a>, Unsent> {
    let call = Call::admit(&shared.config, parts)?;
    let default = if call.admitted().is_tls() { 443 } else { 80 };
    check_host(&parts.headers, call.admitted(), default)
        .and_then(|()| take_off(&mut parts.headers, call.admitted().body()))
        .map_err(|reason| call.refuse(reason))?;
    Ok(call)
}

/// Checks that the `Host` header, if there is one, says the same as the target. It is replaced when
/// the request is sent; one that differs is meant for somebody who reads requests in another way.
pub(super) fn check_host(
    headers: &HeaderMap,
    admitted: &Admitted,
    default: u16,
) -> Result<(), Reason> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else { return Ok(()) };
    let same = Authority::try_from(host.as_bytes())
        .ok()
        .and_then(|authority| host_and_port(&authority, Some(default)).ok())
        .is_some_and(|(host, port)| host == admitted.host() && port == admitted.port());
    if same && hosts.next().is_none() { Ok(()) } else { Err(Reason::HostMismatch) }
}

/// Removes the headers that are between the program and the proxy. The framing of a body stays where
/// none is allowed, and an upgrade always, for the check of the request to refuse them.
fn take_off(headers: &mut HeaderMap, body: BodyRule) -> Result<(), Reason> {
    check_connection(headers)?;
    let is_chunked = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    if codings.iter().count() > 1 || !codings.iter().all(is_chunked) {
        // The parser takes off the last coding only.
        return Err(Reason::ForbiddenHeader);
    }
    let expected =
        |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if !headers.get_all(header::EXPECT).iter().all(expected) {
        return Err(Reason::ForbiddenHeader);
    }
    let goes = |name: &HeaderName| match *name {
        header::UPGRADE | header::HOST => false,
        header::TRANSFER_ENCODING => body == BodyRule::Allowed,
        _ => is_forbidden(name),
    };
    let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
    Ok(())
}

/// Checks what the program wants done with its connection. It cannot have headers taken off that the
/// server, or the check of the request, goes by.
pub(super) fn check_connection(headers: &HeaderMap) -> Result<(), Reason> {
    let lines = headers.get_all(header::CONNECTION).iter();
    for line in lines.chain(headers.get_all("proxy-connection")) {
        for option in line.as_bytes().split(|byte| *byte == b',') {
            match option.trim_ascii().to_ascii_lowercase().as_slice() {
                b"" | b"close" | b"keep-alive" | b"te" => {}
                b"upgrade" => return Err(Reason::Upgrade),
                _ => return Err(Reason::ForbiddenHeader),
            }
        }
    }
    Ok(())
}

/// Tells whether the headers say this length, once.
fn declares(headers: &HeaderMap, length: u64) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let said = lengths.next().and_then(|said| said.to_str().ok()?.parse().ok());
    said == Some(length) && lengths.next().is_none()
}

/// Reads some of a refused request's body.
async fn drain(mut body: Incoming) {
    let reading = async {
        let mut left = MOST_DRAINED_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(DRAIN_TIME, reading).await;
}

/// The program's body, counted.
struct Sending {
    program: Incoming,
    tally: Arc<Tally>,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.program).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.tally.sent.fetch_add(length(frame), Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| from_hyper(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.program.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.program.size_hint()
    }
}

/// The server's body, counted, with what drives its connection.
struct Passing {
    server: WasiBody,
    end: End,
    _driver: Driver,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.server).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.end.tally().received.fetch_add(length(frame), Ordering::Relaxed);
            }
            Some(Err(Error::HttpResponseBodySize(_))) => self.end.refuse(Reason::Limit),
            Some(Err(_)) | None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.server.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.server.size_hint()
    }
}

/// Drives the connection to the server, beside the response: the program may still be sending while
/// it does not read. Ends with the response.
struct Driver(JoinHandle<()>);

impl Driver {
    fn new(connection: Connection) -> Self {
        // How it ended is seen in the response's body.
        Self(tokio::spawn(async { drop(connection.await) }))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX))
}
