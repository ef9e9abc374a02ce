//! Serves HTTP with a plugin: a fresh store for every request, a bound on how many at once, and an
//! end that lets running requests finish.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ringfence_bundle::inspect::PluginKind;
use ringfence_engine::EngineError;
use ringfence_interfaces::http::serve::{HttpCall, HttpHandler};
use ringfence_interfaces::{HostState, LinkError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::prepared::{Prepared, Running};
use crate::{RunError, Stdio, Usage};

type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The most bytes the head of a request may hold.
const HEAD_BYTES: usize = 64 * 1024;
/// Open connections for each request that runs: the rest wait to be accepted.
const CONNECTIONS_PER_RUN: usize = 8;
/// How long a request waits for a place before it is turned away.
const QUEUE_TIME: Duration = Duration::from_secs(5);

/// How a plugin is served.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct ServeOptions {
    /// The most requests that run at once.
    pub concurrency: u32,
    /// How long running requests may take to finish once the end was asked for.
    pub grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { concurrency: 32, grace: Duration::from_secs(10) }
    }
}

/// What was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Requests the plugin answered.
    pub answered: u64,
    /// Requests that got an error in its place.
    pub failed: u64,
    /// Requests that were not finished when the end came.
    pub aborted: u64,
}

struct Server {
    prepared: Arc<Prepared>,
    handler: HttpHandler<HostState>,
    places: Arc<Semaphore>,
    answered: AtomicU64,
    failed: AtomicU64,
    aborted: AtomicU64,
    /// Requests that are being answered.
    open: AtomicU64,
    /// What is open now will not be finished.
    over: AtomicBool,
}

impl Prepared {
    /// Serves requests from `listener` until `end` is ready, then lets running ones finish.
    ///
    /// # Errors
    /// As [`Prepared::serve_until`].
    ///
    /// # Cancellation
    /// Dropping the future closes every connection and ends every run.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        options: ServeOptions,
        end: impl Future<Output = ()>,
    ) -> Result<Served, RunError> {
        self.serve_until(listener, options, end, |_| std::future::pending()).await
    }

    /// Serves requests from `listener` until `end` is ready, then lets running ones finish for as
    /// long as `options` give them or until what `at_once` returns is ready. `at_once` hears how
    /// many there are.
    ///
    /// # Errors
    /// When the plugin is no HTTP handler, the host has no room for so many runs at once, or
    /// connections can no longer be accepted.
    ///
    /// # Cancellation
    /// Dropping the future closes every connection and ends every run.
    pub async fn serve_until<N: Future<Output = ()>>(
        self: Arc<Self>,
        listener: TcpListener,
        options: ServeOptions,
        end: impl Future<Output = ()>,
        at_once: impl FnOnce(u64) -> N,
    ) -> Result<Served, RunError> {
        self.need(PluginKind::HttpHandler)?;
        self.engine.holds(options.concurrency)?;
        let runs = usize::try_from(options.concurrency.max(1)).unwrap_or(1);
        let server = Arc::new(Server {
            handler: HttpHandler::new(self.pre.clone())
                .map_err(|source| LinkError::Mismatch { plugin: self.display.clone(), source })?,
            prepared: self,
            places: Arc::new(Semaphore::new(runs)),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let connections = Arc::new(Semaphore::new(runs.saturating_mul(CONNECTIONS_PER_RUN)));
        let (graceful, mut tasks) = (GracefulShutdown::new(), tokio::task::JoinSet::new());
        let mut end = std::pin::pin!(end);
        loop {
            let place = tokio::select! {
                () = &mut end => break,
                place = Arc::clone(&connections).acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                () = &mut end => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => server.connect(stream, place, &graceful, &mut tasks),
                // A client that is gone again, or no descriptors left: others may still come.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            while tasks.try_join_next().is_some() {}
        }
        drop(listener);
        tokio::select! {
            _ = tokio::time::timeout(options.grace, graceful.shutdown()) => {}
            () = at_once(server.open.load(Ordering::Relaxed)) => {}
        }
        server.over.store(true, Ordering::Relaxed);
        tasks.shutdown().await;
        Ok(Served {
            answered: server.answered.load(Ordering::Relaxed),
            failed: server.failed.load(Ordering::Relaxed),
            aborted: server.aborted.load(Ordering::Relaxed),
        })
    }
}

impl Server {
    fn connect(
        self: &Arc<Self>,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        graceful: &GracefulShutdown,
        tasks: &mut tokio::task::JoinSet<()>,
    ) {
        let server = Arc::clone(self);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.respond(request).await) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tasks.spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }

    async fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let mut open = Open::new(self);
        match self.answer(request).await {
            Ok(response) => {
                open.answered = true;
                // With the body, so that an answer counts once nothing of it is left to send.
                response.map(|body| Counted { body, _open: open }.boxed_unsync())
            }
            Err(status) => {
                open.failed = true;
                plain(status)
            }
        }
    }

    /// Runs the plugin for one request. What went wrong is logged here; the client sees a status.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, StatusCode> {
        let waiting = tokio::time::timeout(QUEUE_TIME, Arc::clone(&self.places).acquire_owned());
        let Ok(Ok(place)) = waiting.await else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
        let running = self.prepared.start("http request", Stdio::captured(), &[]);
        let mut running = running.map_err(|error| {
            tracing::error!(%error, "a request could not be started");
            StatusCode::INTERNAL_SERVER_ERROR
        })?;
        let meter = Arc::clone(&running.meter);
        let most = usize::try_from(meter.limits().request_bytes).unwrap_or(usize::MAX);
        let request = request.map(|body| Limited::new(body, most).map_err(too_large));
        let run = move |call: HttpCall<HostState>| async move {
            let _place = place;
            let Running { store, bounds, meter, log } = &mut running;
            let done = bounds.hold(call.run(&mut *store)).await;
            log.ended(done.map_err(|error| EngineError::from_run(error, meter)), Usage::of(meter))
        };
        let answered = self.handler.answer(request, meter, run).await;
        match answered {
            Ok(response) => Ok(response.map(|body| body.map_err(Into::into).boxed_unsync())),
            Err(error) => {
                tracing::warn!(%error, "a request got no answer");
                Err(error.status())
            }
        }
    }
}

/// One request while it is being answered. Counts it when it is dropped.
struct Open {
    server: Arc<Server>,
    answered: bool,
    failed: bool,
}

impl Open {
    fn new(server: &Arc<Server>) -> Self {
        server.open.fetch_add(1, Ordering::Relaxed);
        Self { server: Arc::clone(server), answered: false, failed: false }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let server = &self.server;
        server.open.fetch_sub(1, Ordering::Relaxed);
        let count = if self.failed {
            &server.failed
        } else if server.over.load(Ordering::Relaxed) {
            &server.aborted
        } else if self.answered {
            &server.answered
        } else {
            // Whoever asked went away before there was an answer.
            return;
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A body that says when it is gone.
struct Counted {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// Turns what ends a request body early into what the guest sees.
fn too_large(_: Box<dyn std::error::Error + Send + Sync>) -> wasmtime_wasi_http::Error {
    wasmtime_wasi_http::Error::HttpRequestBodySize(None)
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = format!("{}\n", status.canonical_reason().unwrap_or("error"));
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
