//! Connections to a registry and to where it leads: dialled, checked, timed, used again.
//!
//! Invariants: without TLS only this machine is spoken to, or the one registry that was named for it;
//! every wait has a limit; a connection has an owner that closes it.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::Progress;
use super::error::{OciError, RegistryProblem, broken};
use super::url::{Origin, Url};

/// The most bytes of a response's status line and headers.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The most lines of response headers.
const MAX_HEADERS: usize = 128;
/// How many bytes of an upload are handed over at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// How long each part may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Looking a name up, connecting, TLS.
    pub connect: Duration,
    /// Until an answer begins, or until more of an upload is taken.
    pub answer: Duration,
    /// Between two pieces of an answer.
    pub between: Duration,
    /// A whole push or pull.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            answer: seconds(60),
            between: seconds(30),
            whole: seconds(15 * 60),
        }
    }
}

/// The content of a request, handed over in pieces so that one sees how far it is.
pub(super) struct Content {
    left: Bytes,
    taken: Arc<AtomicU64>,
    progress: Option<Progress>,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.left.len().min(CHUNK_BYTES);
        let piece = self.left.split_to(size);
        self.taken.fetch_add(size as u64, Ordering::Relaxed);
        if let Some(progress) = &self.progress {
            progress.add(size as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// An open connection.
pub(super) struct Line {
    sender: SendRequest<Content>,
    driver: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Makes connections and keeps those that can be used again.
pub(super) struct Transport {
    tls: Arc<rustls::ClientConfig>,
    /// The one origin that may be spoken to without TLS wherever it is.
    plain: Option<Origin>,
    /// Whether the registry is this machine; if not, nothing it says leads to this machine.
    local: bool,
    pub(super) timeouts: Timeouts,
    idle: Mutex<HashMap<Origin, Vec<Line>>>,
}

/// How one came to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is the registry that a person named.
    Named,
    /// The registry said so.
    Led,
}

impl Transport {
    pub(super) fn new(
        tls: Arc<rustls::ClientConfig>,
        registry: &Origin,
        timeouts: Timeouts,
    ) -> Self {
        let plain = (!registry.encrypted).then(|| registry.clone());
        let local = registry.is_loopback();
        Self { tls, plain, local, timeouts, idle: Mutex::default() }
    }

    /// Says why what the registry leads to is not followed, by its name.
    pub(super) fn may_lead(&self, to: &Origin) -> Result<(), &'static str> {
        if to.is_loopback() && !self.local {
            return Err("this machine is not where the registry is");
        }
        match &self.plain {
            _ if to.encrypted => Ok(()),
            Some(plain) if plain == to || to.is_loopback() => Ok(()),
            _ => Err("it is not encrypted"),
        }
    }

    /// Sends a request and waits until its answer begins.
    ///
    /// # Cancellation
    /// Closes the connection.
    pub(super) async fn send(
        &self,
        url: &Url,
        way: Way,
        parts: &http::request::Parts,
        content: (&Bytes, Option<&Progress>),
    ) -> Result<(http::Response<hyper::body::Incoming>, Line), OciError> {
        let (content, progress) = content;
        loop {
            let kept = self.kept(&url.origin).await;
            let used_before = kept.is_some();
            let mut line = match kept {
                Some(line) => line,
                None => self.dial(&url.origin, way).await?,
            };
            let taken = Arc::new(AtomicU64::new(0));
            let (left, taken_here) = (content.clone(), Arc::clone(&taken));
            let body = Content { left, taken: taken_here, progress: progress.cloned() };
            let request = http::Request::from_parts(parts.clone(), body);
            match self.answer(&mut line, request, &taken, url).await? {
                Ok(response) => return Ok((response, line)),
                // The server may have closed it while it was not used.
                Err(_) if used_before => {}
                Err(error) => return Err(unreachable(&url.origin, error)),
            }
        }
    }

    /// Waits for the head of the answer; an upload may take long while it goes on.
    async fn answer(
        &self,
        line: &mut Line,
        request: http::Request<Content>,
        taken: &AtomicU64,
        url: &Url,
    ) -> Result<Result<http::Response<hyper::body::Incoming>, hyper::Error>, OciError> {
        let limit = self.timeouts.answer;
        let mut answer = std::pin::pin!(line.sender.send_request(request));
        let mut before = None;
        loop {
            if let Ok(answer) = timeout(limit, &mut answer).await {
                return Ok(answer);
            }
            let now = taken.load(Ordering::Relaxed);
            if before.replace(now) == Some(now) || now == 0 {
                let what = format!("the answer of `{}`", url.origin.authority());
                return Err(OciError::TimedOut { what, limit });
            }
        }
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, origin: &Origin, line: Line) {
        if !line.sender.is_closed() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.entry(origin.clone()).or_default().push(line);
        }
    }

    /// Returns a connection that can be used again.
    async fn kept(&self, origin: &Origin) -> Option<Line> {
        loop {
            let mut line = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.get_mut(origin)?.pop()?
            };
            // Its driver may still be busy with the end of the last answer, or find that it is closed.
            if timeout(self.timeouts.connect, line.sender.ready())
                .await
                .is_ok_and(|end| end.is_ok())
            {
                return Some(line);
            }
        }
    }

    async fn dial(&self, origin: &Origin, way: Way) -> Result<Line, OciError> {
        let limit = self.timeouts.connect;
        let what = || format!("connecting to `{}`", origin.authority());
        let end = Instant::now() + limit;
        let addresses = timeout_at(end, self.locate(origin, way));
        let late = |_| OciError::TimedOut { what: what(), limit };
        let addresses = addresses.await.map_err(late)??;
        let stream = timeout_at(end, connect(&addresses)).await.map_err(late)?;
        let stream = stream.map_err(|error| unreachable(origin, error))?;
        let _ = stream.set_nodelay(true);
        if !origin.encrypted {
            return handshake(stream).await.map_err(|error| unreachable(origin, error));
        }
        let name = ServerName::try_from(origin.bare_host().to_owned());
        let name = name.map_err(|error| unreachable(origin, error))?;
        let secured = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream);
        let stream = timeout_at(end, secured).await.map_err(late)?;
        let stream = stream.map_err(|error| unreachable(origin, error))?;
        handshake(stream).await.map_err(|error| unreachable(origin, error))
    }

    /// Finds the addresses of a host, and refuses those it may not have.
    async fn locate(&self, origin: &Origin, way: Way) -> Result<Vec<SocketAddr>, OciError> {
        let found = tokio::net::lookup_host((origin.bare_host(), origin.port)).await;
        let found = found.map_err(|error| unreachable(origin, error))?;
        let addresses: Vec<_> = found.collect();
        let here = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
        let named = self.plain.as_ref() == Some(origin) && !origin.is_loopback();
        if !origin.encrypted && !named && !addresses.iter().all(here) {
            let error = io::Error::other("the name does not lead to this machine");
            return Err(unreachable(origin, error));
        }
        if way == Way::Led && !self.local && addresses.iter().any(here) {
            let why = "this machine is not where the registry is";
            let problem = RegistryProblem::Redirect { to: origin.to_string(), why };
            return Err(broken("what was asked for", problem));
        }
        if addresses.is_empty() {
            return Err(unreachable(origin, io::Error::other("the name has no address")));
        }
        Ok(addresses)
    }
}

async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn handshake<S>(stream: S) -> Result<Line, hyper::Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEADER_BYTES).max_headers(MAX_HEADERS);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(async move {
        // Whoever waits for an answer is told.
        let _ = connection.await;
    });
    Ok(Line { sender, driver })
}

/// Returns the error of a connection that failed.
pub(super) fn unreachable(
    origin: &Origin,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> OciError {
    OciError::Unreachable { host: origin.authority(), source: source.into() }
}

/// Returns the TLS configuration: Mozilla's authorities, and those a person names.
pub(super) fn tls(
    authorities: &[rustls::pki_types::CertificateDer<'static>],
) -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    // Named, not the process default: whoever embeds the host may have set another or none.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Tells whether a registry at one origin may lead to another.
    fn check(from: &str, to: &str) -> Result<(), &'static str> {
        let origin = |text: &str| Url::parse(text, None).unwrap().origin;
        let tls = tls(&[]).unwrap();
        let transport = Transport::new(tls, &origin(from), Timeouts::default());
        transport.may_lead(&origin(to))
    }

    #[test]
    fn a_registry_leads_to_encrypted_places_and_to_this_machine_only_from_it() {
        let elsewhere = Err("this machine is not where the registry is");
        let clear = Err("it is not encrypted");
        for (from, to, expected) in [
            ("https://r.example", "https://storage.example", Ok(())),
            ("https://r.example", "http://storage.example", clear),
            ("https://r.example", "http://r.example", clear),
            ("https://r.example", "https://localhost", elsewhere),
            ("https://r.example", "http://127.0.0.1:80", elsewhere),
            ("https://r.example", "https://[::1]", elsewhere),
            ("http://r.example", "https://storage.example", Ok(())),
            ("http://r.example", "http://r.example", Ok(())),
            ("http://r.example", "http://r.example:81", clear),
            ("http://r.example", "http://localhost", elsewhere),
            ("http://localhost:5000", "http://127.0.0.1:6000", Ok(())),
            ("http://localhost:5000", "http://storage.example", clear),
            ("https://localhost:5000", "http://localhost:5000", clear),
            ("https://localhost:5000", "https://localhost:6000", Ok(())),
        ] {
            assert_eq!(check(from, to), expected, "{from} {to}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_followed_from_elsewhere() {
        let origin = |text: &str| Url::parse(text, None).unwrap().origin;
        let tls = tls(&[]).unwrap();
        let far = Transport::new(tls.clone(), &origin("https://r.example"), Timeouts::default());
        // An address in another spelling than the ones known by name.
        let disguised = origin("https://[::ffff:127.0.0.1]:9");
        let error = far.locate(&disguised, Way::Led).await.unwrap_err();
        assert!(matches!(error, OciError::Registry { .. }), "{error:?}");
        assert!(far.locate(&disguised, Way::Named).await.is_ok());
        let near = Transport::new(tls, &origin("https://localhost"), Timeouts::default());
        assert!(near.locate(&disguised, Way::Led).await.is_ok());
    }
}
