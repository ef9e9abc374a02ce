//! One request to a model's server and its answer, within bounds: no redirect is followed, nothing of
//! the key leaves but in its header, and every wait ends.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::{Api, Model, anthropic};

/// The most bytes of the status line and headers.
const HEADER_BYTES: usize = 64 * 1024;
/// The most lines of headers.
const HEADERS: usize = 128;
/// The most bytes of an error that are read: enough for its kind.
const ERROR_BYTES: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The server cannot be reached, with what failed.
    Unreachable(&'static str),
    /// It stopped in the middle.
    Cut,
    /// It could not be reached in time: nothing was asked.
    NoConnection,
    /// It took too long.
    Late,
    /// It sent more than is taken.
    TooLarge,
    /// What it sent is not of the form it should be.
    Malformed(&'static str),
}

/// An answer of which the head is there.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Incoming,
    between: Duration,
    end: Instant,
    /// Drives the connection; aborted when this is dropped.
    _driver: Driver,
}

struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Model {
    /// Sends `body` to `path` and returns the head of the answer, before `end`.
    pub(super) async fn send(&self, path: &str, body: &Value, end: Instant) -> Result<Head, Lost> {
        let request = self.request(path, body)?;
        let connect = end.min(Instant::now() + self.config.timeouts.connect);
        let stream = timeout_at(connect, self.dial()).await.map_err(|_| Lost::NoConnection)??;
        let head = end.min(Instant::now() + self.config.timeouts.first_byte);
        let (response, driver) = if self.encrypted {
            let secured = self.config.roots.connect(&self.host, stream);
            let secured = timeout_at(connect, secured).await.map_err(|_| Lost::NoConnection)?;
            let stream = secured.map_err(|_| Lost::Unreachable("its certificate or TLS"))?;
            converse(stream, request, head).await?
        } else {
            converse(stream, request, head).await?
        };
        let (parts, body) = response.into_parts();
        Ok(Head {
            status: parts.status,
            headers: parts.headers,
            body,
            between: self.config.timeouts.between_bytes,
            end,
            _driver: driver,
        })
    }

    fn request(&self, path: &str, body: &Value) -> Result<Request<Full<Bytes>>, Lost> {
        let bad = || Lost::Unreachable("its address");
        let path = format!("{}{path}", self.path);
        let mut request = Request::post(Uri::try_from(path).map_err(|_| bad())?)
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| bad())?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&self.authority).map_err(|_| bad())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(USER_AGENT, HeaderValue::from_static("ringfence"));
        if self.config.api == Api::Anthropic {
            let version = HeaderName::from_static("anthropic-version");
            headers.insert(version, HeaderValue::from_static(anthropic::VERSION));
        }
        if let Some((name, line)) = &self.key_line {
            headers.insert(name.clone(), line.clone());
        }
        Ok(request)
    }

    async fn dial(&self) -> Result<TcpStream, Lost> {
        let addresses: Vec<IpAddr> = if let Ok(address) = self.host.parse::<IpAddr>() {
            vec![address]
        } else {
            let found = self.resolver.resolve(&self.host).await;
            found.map_err(|_| Lost::Unreachable("its name has no address"))?
        };
        // A name that was to be this machine must be: the key, and what is asked, go there in clear.
        let here = |address: &IpAddr| address.to_canonical().is_loopback();
        if self.only_here && !addresses.iter().all(here) {
            return Err(Lost::Unreachable("its name does not lead to this machine"));
        }
        for address in addresses {
            if let Ok(stream) = TcpStream::connect((address, self.port)).await {
                return Ok(stream);
            }
        }
        Err(Lost::Unreachable("nobody listens there"))
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    end: Instant,
) -> Result<(Response<Incoming>, Driver), Lost> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEADER_BYTES).max_headers(HEADERS);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|_| Lost::Cut)?;
    let driver = Driver(tokio::spawn(async move {
        // Whoever waits for the answer is told.
        let _ = connection.await;
    }));
    let response = timeout_at(end, sender.send_request(request)).await.map_err(|_| Lost::Late)?;
    Ok((response.map_err(|_| Lost::Cut)?, driver))
}

impl Head {
    /// Tells whether the answer comes in events.
    pub(super) fn is_stream(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
    }

    /// Returns the next piece of the body.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Lost> {
        loop {
            let end = self.end.min(Instant::now() + self.between);
            let frame = timeout_at(end, self.body.frame()).await.map_err(|_| Lost::Late)?;
            let Some(frame) = frame else { return Ok(None) };
            // What is no data is a trailer.
            if let Ok(bytes) = frame.map_err(|_| Lost::Cut)?.into_data() {
                return Ok(Some(bytes));
            }
        }
    }

    /// Returns the whole body as JSON.
    pub(super) async fn json(mut self, most: usize) -> Result<Value, Lost> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > most {
                return Err(Lost::TooLarge);
            }
            all.extend_from_slice(&piece);
        }
        serde_json::from_slice(&all).map_err(|_| Lost::Malformed("the answer is no JSON"))
    }

    /// Returns the body of an error, as far as it can be read.
    pub(super) async fn error(self) -> Value {
        self.json(ERROR_BYTES).await.unwrap_or(Value::Null)
    }
}
