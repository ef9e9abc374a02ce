//! Talks to clients over HTTP: one path, a bearer token, and nothing that a web page could reach.
//!
//! A request of the newest revision stands alone; one of an older revision belongs to a session, which
//! begins with `initialize`. What is answered at once is answered as JSON; what has something to say
//! before its answer, or takes long, is a stream of events. Who may ask is settled in `guard`, before a
//! byte of the body is read; `post` has what a message leads to.

mod body;
mod guard;
mod headers;
mod post;
mod session;
mod timed;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::Shared;
use crate::wire::{MAX_LINE, WRITE_TIME};
pub use guard::{Token, TokenError};
use session::Sessions;

/// The one path that is served.
pub const PATH: &str = "/mcp";
/// How long a client may take for the head of a request, and between two requests of a connection.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The most bytes of the head of a request.
const HEAD_BYTES: usize = 64 * 1024;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long a client may take to send the body of a request.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The most bytes of bodies that are being read at once: a few of the largest.
const BODIES: usize = 4 * MAX_LINE;
/// Open connections; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long requests may go on once the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Who may ask over HTTP.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the operator says both")]
pub struct HttpOptions {
    /// What every request has to bear.
    pub token: Token,
    /// The names of this server beside those of loopback. A request for another is refused: a web page
    /// can make its own name lead here, and cannot change what it is called.
    pub hosts: Vec<String>,
}

/// What every connection shares.
struct Http {
    shared: Arc<Shared>,
    options: HttpOptions,
    sessions: Sessions,
    /// Bytes of bodies that may still be read.
    bodies: Arc<Semaphore>,
    /// Turns true when the end was asked for: what waits for changes ends.
    closing: watch::Receiver<bool>,
}

/// Serves `listener` until `end` is ready.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    listener: TcpListener,
    options: HttpOptions,
    end: impl Future<Output = ()>,
) {
    let (close, closing) = watch::channel(false);
    let http = Arc::new(Http {
        shared: Arc::clone(shared),
        options,
        sessions: Sessions::default(),
        bodies: Arc::new(Semaphore::new(BODIES)),
        closing,
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (graceful, mut tasks) = (GracefulShutdown::new(), JoinSet::new());
    let mut end = std::pin::pin!(end);
    loop {
        let place = tokio::select! {
            () = &mut end => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => connect(&http, stream, place, &graceful, &mut tasks),
            // A client that is gone again, or no descriptors left: others may still come.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = close.send(true);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    tasks.shutdown().await;
}

fn connect(
    http: &Arc<Http>,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
    tasks: &mut JoinSet<()>,
) {
    // Events are small, and whoever waits for one waits for it now.
    let _ = stream.set_nodelay(true);
    let http = Arc::clone(http);
    let service = service_fn(move |request| {
        let http = Arc::clone(&http);
        async move { Ok::<_, Infallible>(http.respond(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    builder.max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let stream = TokioIo::new(timed::Timed::new(stream, WRITE_TIME));
    let connection = graceful.watch(builder.serve_connection(stream, service));
    tasks.spawn(async move {
        let _place = place;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_bounds_are_the_defaults() {
        assert_eq!((HEAD_TIME, BODY_TIME), (Duration::from_secs(30), Duration::from_secs(30)));
        assert_eq!((HEAD_BYTES, HEADERS, CONNECTIONS), (65_536, 64, 256));
        assert_eq!((BODIES, GRACE), (64 * 1024 * 1024, Duration::from_secs(5)));
        assert_eq!((session::SESSIONS, session::IDLE), (64, Duration::from_mins(30)));
        assert_eq!((body::QUIET, body::BEAT), (Duration::from_secs(5), Duration::from_secs(15)));
    }
}
