//! One request and its response: check, record, dial, send, count.
//!
//! Used for guests ([`HttpHooks`](super::HttpHooks)) and for native programs
//! ([`Proxy`](crate::proxy::Proxy)): start with [`Call::admit`], then [`Call::send`].

use futures::FutureExt as _;
use futures::future::Fuse;
use http::header::HeaderName;
use http::{Method, Request, Response, StatusCode, Uri, request};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ringfence_capability::{Kind, Limit};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::address::CheckedAddress;
use super::body::{Failure, RequestBody, ResponseBody};
use super::rules::{Admitted, BodyRule, Reason, Refusal};
use super::{HttpConfig, headers, secret};
use crate::Effect;

/// Drives the connection until the response body is read; must be polled, aborts when dropped.
pub type Connection = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The most bytes of a response's status line and headers, well above what servers send.
const MOST_HEADER_BYTES: usize = 64 * 1024;
/// The most lines of response headers.
const MOST_HEADERS: usize = 128;
/// A method's name can be anything; the log shows its beginning.
const MOST_METHOD_CHARS: usize = 32;

/// Sends `request` and returns the response with what drives its connection.
pub(super) async fn exchange(
    config: Arc<HttpConfig>,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<(Response<WasiBody>, Connection), Error> {
    let (parts, body) = request.into_parts();
    let call = Call::admit(&config, &parts)?;
    Ok(call.send(parts, body, options).await?)
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// It was refused; the refusal is recorded, unless recording is what failed.
    Refused(Refusal),
    /// It failed.
    Failed(Error),
}

impl From<Error> for Unsent {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Unsent> for Error {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Refused(refusal) => refusal.reason.as_wasi(),
            Unsent::Failed(error) => error,
        }
    }
}

/// Completes when the guest's body, which must be empty, ends; fails when it is not empty.
/// Never completes twice, so it can be asked again after it has.
type Stray = Fuse<Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>>;

/// One admitted request.
pub(crate) struct Call<'a> {
    config: &'a HttpConfig,
    admitted: Admitted,
    method: String,
}

impl<'a> Call<'a> {
    /// Checks method and URI; a refusal is recorded.
    pub(crate) fn admit(config: &'a HttpConfig, parts: &request::Parts) -> Result<Self, Unsent> {
        Self::checked(config, &parts.method, config.rules.check(&parts.method, &parts.uri))
    }

    /// Checks the target of a CONNECT request; a refusal is recorded.
    ///
    /// # Security
    /// Not for guests: whoever calls this checks what is said in the tunnel.
    pub(crate) fn admit_tunnel(
        config: &'a HttpConfig,
        parts: &request::Parts,
    ) -> Result<Self, Unsent> {
        Self::checked(config, &parts.method, config.rules.check_tunnel(&parts.uri))
    }

    fn checked(
        config: &'a HttpConfig,
        method: &Method,
        checked: Result<Admitted, Refusal>,
    ) -> Result<Self, Unsent> {
        let name: String = method.as_str().chars().take(MOST_METHOD_CHARS).collect();
        match checked {
            Ok(admitted) => Ok(Self { config, admitted, method: name }),
            Err(refusal) => {
                let reads = headers::only_reads(method);
                let kind = if reads { Kind::HttpRead } else { Kind::HttpWrite };
                Err(refuse(config, kind, name, refusal))
            }
        }
    }

    /// Returns what was admitted.
    pub(crate) fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    /// Records the refusal of this request and returns it.
    pub(crate) fn refuse(&self, reason: Reason) -> Unsent {
        let refusal = self.admitted.refuse(reason);
        refuse(self.config, self.admitted.kind(), self.method.clone(), refusal)
    }

    /// Records that the request is about to be sent.
    pub(crate) fn record_sent(&self) -> Result<(), Unsent> {
        self.record(Effect::done(self.admitted.kind(), &self.method, self.admitted.target()))
    }

    fn record(&self, effect: Effect) -> Result<(), Unsent> {
        let unrecorded = |_| Unsent::Refused(self.admitted.refuse(Reason::NotRecorded));
        self.config.effects.record(effect).map_err(unrecorded)
    }

    /// Counts one connection.
    pub(crate) fn charge(&self) -> Result<(), Unsent> {
        let charged = self.config.meter.charge(Limit::Connections, 1);
        charged.map_err(|_| self.refuse(Reason::Limit))
    }

    /// Checks headers and body, looks up, records, dials, sends; returns the response with what
    /// drives its connection.
    pub(crate) async fn send(
        self,
        mut parts: request::Parts,
        body: WasiBody,
        options: RequestOptions,
    ) -> Result<(Response<WasiBody>, Connection), Unsent> {
        let config = self.config;
        let declared = headers::check(&parts.headers, self.admitted.body());
        let declared = declared.map_err(|reason| self.refuse(reason))?;
        self.charge()?;

        let (body, mut stray) = self.split(body, declared);
        // A body that is already there is refused before anything is sent.
        if let Some(Err(error)) = (&mut stray).now_or_never() {
            return Err(self.stray(error));
        }

        let deadline = Instant::now() + cap(options.connect_timeout, config.timeouts.connect);
        let addresses = self.locate(deadline).await?;
        self.prepare(&mut parts, &addresses)?;
        self.record_sent()?;
        let stream = dial(&addresses, self.admitted.port(), deadline).await?;

        let request = Request::from_parts(parts, body);
        let patience = cap(options.first_byte_timeout, config.timeouts.first_byte);
        let between = cap(options.between_bytes_timeout, config.timeouts.between_bytes);
        let (mut response, connection) = if self.admitted.is_tls() {
            let secured = config.roots.connect(self.admitted.host(), stream);
            let stream =
                timeout_at(deadline, secured).await.map_err(|_| Error::ConnectionTimeout)??;
            self.converse(stream, request, stray, patience).await?
        } else {
            self.converse(stream, request, stray, patience).await?
        };
        self.clean(response.headers_mut());
        let secrets = Arc::clone(&config.secrets);
        let meter = Arc::clone(&config.meter);
        let response =
            response.map(|body| ResponseBody::new(body, meter, secrets, between).boxed_unsync());
        Ok((response, connection))
    }

    /// Looks the host up, checks the addresses and dials one of them, all before `deadline`.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<TcpStream, Unsent> {
        let addresses = self.locate(deadline).await?;
        self.record_sent()?;
        Ok(dial(&addresses, self.admitted.port(), deadline).await?)
    }

    /// Returns the body to send and the watch over the one that must stay empty.
    fn split(&self, body: WasiBody, declared: Option<u64>) -> (RequestBody, Stray) {
        let meter = Arc::clone(&self.config.meter);
        match self.admitted.body() {
            BodyRule::Allowed => {
                (RequestBody::new(Some(body), declared, meter), Fuse::terminated())
            }
            // The guest's body is not even given to the connection.
            BodyRule::None => {
                (RequestBody::new(None, None, meter), stays_empty(body).boxed().fuse())
            }
        }
    }

    fn stray(&self, error: Error) -> Unsent {
        match error {
            Error::HttpRequestDenied => self.refuse(Reason::BodyOnRead),
            other => Unsent::Failed(other),
        }
    }

    /// Finds and checks the addresses.
    async fn locate(&self, deadline: Instant) -> Result<Vec<CheckedAddress>, Unsent> {
        let host = self.admitted.host();
        let found = if let Ok(address) = host.parse::<IpAddr>() {
            vec![address]
        } else {
            // A name can carry data to whoever answers for its domain: looking it up is an effect.
            self.record(Effect::done(self.admitted.kind(), "resolve", host))?;
            let answer = timeout_at(deadline, self.config.resolver.resolve(host)).await;
            let unresolved = |_| Error::DnsError {
                rcode: Some("address not available".into()),
                info_code: None,
            };
            answer.map_err(|_| Error::DnsTimeout)?.map_err(unresolved)?
        };
        if found.is_empty() {
            return Err(Error::DestinationNotFound.into());
        }
        let checked = self.config.addresses.check_all(&found);
        checked.map_err(|_| self.refuse(Reason::AddressNotPublic))
    }

    /// Turns the guest's head into what goes on the wire.
    fn prepare(&self, parts: &mut request::Parts, to: &[CheckedAddress]) -> Result<(), Unsent> {
        headers::complete(&mut parts.headers, &self.admitted)
            .map_err(|reason| self.refuse(reason))?;
        let private = self.admitted.is_tls() || to.iter().all(|address| address.is_by_operator());
        let host = self.admitted.host();
        for secret in self.config.secrets.iter().filter(|_| private) {
            if secret.host().matches(host) && self.config.rules.allows_secret(secret.name(), host) {
                secret.attach(&mut parts.headers);
            }
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        parts.uri = Uri::try_from(path).map_err(|_| self.refuse(Reason::Uri))?;
        parts.version = http::Version::HTTP_11;
        parts.extensions.clear();
        Ok(())
    }

    /// Sends the request over `stream` and waits for the head of the response.
    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<RequestBody>,
        mut stray: Stray,
        patience: Duration,
    ) -> Result<(Response<hyper::body::Incoming>, Connection), Unsent> {
        let failure = request.body().failure();
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MOST_HEADER_BYTES).max_headers(MOST_HEADERS);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| from_hyper(&error))?;
        let mut connection: Connection = Box::pin(drive(connection, failure.clone()));
        let mut open = true;
        let mut response = pin!(timeout(patience, sender.send_request(request)));
        let response = loop {
            tokio::select! {
                biased;
                answer = &mut response => break answer,
                ended = &mut stray => ended.map_err(|error| self.stray(error))?,
                closed = &mut connection, if open => {
                    open = false;
                    closed?;
                }
            }
        };
        let response = response.map_err(|_| Error::ConnectionReadTimeout)?;
        let response =
            response.map_err(|error| failure.take().unwrap_or_else(|| from_hyper(&error)))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpUpgradeFailed.into());
        }
        Ok((response, if open { connection } else { Box::pin(async { Ok(()) }) }))
    }

    /// Drops from the response what is not for the guest.
    fn clean(&self, headers: &mut http::HeaderMap) {
        let connection: Vec<HeaderName> =
            headers.keys().filter(|name| headers::is_forbidden(name)).cloned().collect();
        for name in connection {
            headers.remove(name);
        }
        secret::scrub(headers, &self.config.secrets);
    }
}

/// Logs a refusal and returns it.
fn refuse(config: &HttpConfig, kind: Kind, method: String, refusal: Refusal) -> Unsent {
    tracing::debug!(target = %refusal.target, reason = refusal.reason.name(), "request refused");
    let effect = Effect::refused(kind, method, &refusal.target, refusal.reason.name());
    // It is refused either way; a log that cannot be written does not make it worse.
    let _ = config.effects.record(effect);
    Unsent::Refused(refusal)
}

async fn stays_empty(mut body: WasiBody) -> Result<(), Error> {
    while let Some(frame) = body.frame().await {
        if frame?.data_ref().is_some_and(|data| !data.is_empty()) {
            return Err(Error::HttpRequestDenied);
        }
    }
    Ok(())
}

async fn drive<S>(
    connection: http1::Connection<TokioIo<S>, RequestBody>,
    failure: Failure,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    connection.await.map_err(|error| failure.take().unwrap_or_else(|| from_hyper(&error)))
}

/// Connects to the first address that answers. Each has an equal share of the time that is left.
async fn dial(addresses: &[CheckedAddress], port: u16, end: Instant) -> Result<TcpStream, Error> {
    let mut last = Error::ConnectionTimeout;
    for (index, checked) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()) / left;
        let address = SocketAddr::new(checked.address(), port);
        last = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                _ => Error::DestinationUnavailable,
            },
            Err(_) => Error::ConnectionTimeout,
        };
    }
    Err(last)
}

/// The guest may ask for less patience than the host has, never for more.
fn cap(asked: Option<Duration>, most: Duration) -> Duration {
    asked.map_or(most, |asked| asked.min(most))
}

/// Returns what the guest sees of a failed exchange.
pub(crate) fn from_hyper(error: &hyper::Error) -> Error {
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_timeout() {
        return Error::HttpResponseTimeout;
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    if error.is_closed() || error.is_canceled() {
        return Error::ConnectionTerminated;
    }
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    match cause.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::UnexpectedEof) => Error::HttpResponseIncomplete,
        Some(_) => Error::ConnectionTerminated,
        None => Error::HttpProtocolError,
    }
}

#[cfg(test)]
mod tests;
