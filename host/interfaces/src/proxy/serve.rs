//! Accepts, and serves each connection in one task that the accepting one owns.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ringfence_capability::Kind;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ProxyLimits;
use super::forward;
use super::records::Records;
use super::stall::Impatient;
use super::tunnel::Tunnel;
use crate::http::HttpConfig;
use crate::{Effect, EffectSink as _};

/// The most bytes of a request's line and headers. Its address alone may have 16 KiB.
const MOST_HEAD_BYTES: usize = 48 * 1024;
/// The most bytes held for one connection; more than a head, so that one is told from its body.
const MOST_BUFFER_BYTES: usize = 64 * 1024;
/// The most lines of request headers.
const MOST_HEADERS: usize = 128;
/// Before the next try when the system has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections of one proxy share.
pub(super) struct Shared {
    pub(super) config: HttpConfig,
    pub(super) limits: ProxyLimits,
    pub(super) records: Arc<Records>,
}

/// Where a granted tunnel waits until its connection has left HTTP.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Tunnel>>>);

impl Slot {
    pub(super) fn put(&self, tunnel: Tunnel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
    }

    fn take(&self) -> Option<Tunnel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Accepts until told to stop. Dropping the future ends every connection.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = told(&mut stopped) => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            accepted = listener.accept(), if tasks.len() < shared.limits.connections => {
                match accepted {
                    Ok((stream, _)) => {
                        tasks.spawn(connection(Arc::clone(&shared), stream, stopped.clone()));
                    }
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                }
            }
        }
    }
    drop(listener);
    let ending = async { while tasks.join_next().await.is_some() {} };
    let _ = timeout(shared.limits.grace, ending).await;
    tasks.shutdown().await;
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    // Only a matter of speed.
    let _ = stream.set_nodelay(true);
    let slot = Slot::default();
    let service = service_fn(|request| {
        let (shared, slot) = (Arc::clone(&shared), slot.clone());
        async move { Ok::<_, Infallible>(forward::answer(&shared, &slot, request).await) }
    });
    let stream = TokioIo::new(Impatient::new(stream, shared.limits.idle));
    let mut serving =
        pin!(builder(&shared.limits).serve_connection(stream, service).with_upgrades());
    let served = tokio::select! {
        biased;
        served = serving.as_mut() => served,
        () = told(&mut stopped) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if served.is_err_and(|error| error.is_parse()) {
        // What it was is not known, only that nothing of it was let through.
        let effect = Effect::refused(Kind::HttpWrite, "request", "(unreadable)", "unreadable");
        let _ = shared.records.record(effect);
    }
    if let Some(tunnel) = slot.take() {
        tunnel.run(&shared).await;
    }
}

/// Returns when the proxy is to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that its owner is gone.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn builder(limits: &ProxyLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_header_size(MOST_HEAD_BYTES)
        .max_buf_size(MOST_BUFFER_BYTES)
        .max_headers(MOST_HEADERS)
        .auto_date_header(false);
    builder
}
