//! A tunnel for TLS: opened by CONNECT, checked by its first message, counted, never looked into.

use http::header;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ringfence_capability::{HostPattern, Limit};
use ringfence_engine::Meter;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use wasmtime_wasi_http::WasiBody;

use super::forward::{check_connection, check_host};
use super::hello::{self, Hello};
use super::records::{End, Tally};
use super::serve::{Shared, Slot};
use crate::http::{Admitted, Call, Reason, Unsent};

/// Moved at once in each direction.
const CHUNK_BYTES: usize = 16 * 1024;
/// A fatal alert, `access_denied`: what a client of TLS understands of a refusal.
const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

/// A granted tunnel whose server is connected and has been sent nothing.
pub(super) struct Tunnel {
    program: OnUpgrade,
    server: TcpStream,
    admitted: Admitted,
}

/// Checks and records a CONNECT request, dials, and leaves the tunnel in `slot`.
pub(super) async fn open(
    shared: &Shared,
    slot: &Slot,
    mut request: Request<Incoming>,
) -> Result<Response<WasiBody>, Unsent> {
    let program = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let call = Call::admit_tunnel(&shared.config, &parts)?;
    // Not sent on, so a `Host` without a port does no harm.
    check_host(&parts.headers, call.admitted(), call.admitted().port())
        .and_then(|()| check_connection(&parts.headers))
        .and_then(|()| check_bare(&parts.headers))
        .map_err(|reason| call.refuse(reason))?;
    call.charge()?;
    let server = call.connect(Instant::now() + shared.config.timeouts.connect).await?;
    slot.put(Tunnel { program, server, admitted: call.admitted().clone() });
    let body = Empty::new().map_err(|never| match never {});
    Ok(Response::new(body.boxed_unsync()))
}

/// Checks that nothing but the tunnel follows the head of the request.
fn check_bare(headers: &http::HeaderMap) -> Result<(), Reason> {
    let empty = |length: &http::HeaderValue| length.as_bytes() == b"0";
    if headers.contains_key(header::UPGRADE) {
        return Err(Reason::Upgrade);
    }
    let bare = !headers.contains_key(header::TRANSFER_ENCODING)
        && headers.get_all(header::CONTENT_LENGTH).iter().all(empty);
    if bare { Ok(()) } else { Err(Reason::ForbiddenHeader) }
}

impl Tunnel {
    /// Checks the first message and moves bytes until either side is done.
    pub(super) async fn run(self, shared: &Shared) {
        let Self { program, server, admitted } = self;
        let tally = Arc::new(Tally::default());
        let mut end = End::new(&shared.records, &admitted, &Method::CONNECT, Arc::clone(&tally));
        end.started();
        let Ok(program) = program.await else { return };
        let mut program = TokioIo::new(program);
        let greeted = timeout(shared.limits.hello, greet(&mut program, admitted.host())).await;
        match greeted.unwrap_or(Err(Some(Reason::TunnelNotTls))) {
            Ok(first) => {
                let relay = Relay {
                    meter: &shared.config.meter,
                    tally: &tally,
                    last: Mutex::new(Instant::now()),
                    idle: shared.limits.idle,
                };
                if let Err(Cut::Limit) = relay.run(program, server, first).await {
                    end.refuse(Reason::Limit);
                }
            }
            Err(reason) => {
                let Some(reason) = reason else { return };
                end.refuse(reason);
                drop(end);
                if reason != Reason::TunnelNotTls {
                    let answer = async {
                        let _ = program.write_all(&ACCESS_DENIED).await;
                        let _ = program.shutdown().await;
                    };
                    let _ = timeout(shared.limits.hello, answer).await;
                }
            }
        }
    }
}

/// Reads the first message and checks whom it is for; returns it with what came with it. The error
/// is nothing when the program left without a byte.
async fn greet(program: &mut TokioIo<Upgraded>, host: &str) -> Result<Vec<u8>, Option<Reason>> {
    let mut first = Vec::with_capacity(4 * 1024);
    loop {
        match hello::read(&first) {
            Hello::NotTls => return Err(Some(Reason::TunnelNotTls)),
            Hello::Tls(name) => return judge(name.as_deref(), host).map(|()| first).map_err(Some),
            Hello::Partial => {}
        }
        match program.read_buf(&mut first).await {
            Ok(0) | Err(_) if first.is_empty() => return Err(None),
            Ok(0) | Err(_) => return Err(Some(Reason::TunnelNotTls)),
            Ok(_) => {}
        }
    }
}

/// Checks the server name of a first message against the host of its tunnel.
fn judge(name: Option<&str>, host: &str) -> Result<(), Reason> {
    match name {
        Some(name) if HostPattern::canonical(name).is_ok_and(|name| name == host) => Ok(()),
        Some(_) => Err(Reason::TunnelNameMismatch),
        // A name is never sent for an address (RFC 6066 §3), which was granted as such.
        None if host.parse::<IpAddr>().is_ok() => Ok(()),
        None => Err(Reason::TunnelNameMissing),
    }
}

/// Why a tunnel ended before both sides were done.
enum Cut {
    /// A limit of the run is reached.
    Limit,
    /// Nothing moved for too long, or a side broke off.
    Gone,
}

struct Relay<'a> {
    meter: &'a Meter,
    tally: &'a Tally,
    last: Mutex<Instant>,
    idle: Duration,
}

impl Relay<'_> {
    async fn run(
        &self,
        program: TokioIo<Upgraded>,
        mut server: TcpStream,
        first: Vec<u8>,
    ) -> Result<(), Cut> {
        // Only a matter of speed.
        let _ = server.set_nodelay(true);
        let (from_server, to_server) = server.split();
        let (from_program, to_program) = tokio::io::split(program);
        let out = self.pump(Limit::RequestBytes, &self.tally.sent, first, from_program, to_server);
        let back = self.pump(
            Limit::ResponseBytes,
            &self.tally.received,
            Vec::new(),
            from_server,
            to_program,
        );
        tokio::select! {
            done = futures::future::try_join(out, back) => done.map(|_| ()),
            () = self.idles() => Err(Cut::Gone),
        }
    }

    /// Moves `first` and then everything that comes, counted before it is passed on.
    async fn pump(
        &self,
        limit: Limit,
        count: &AtomicU64,
        first: Vec<u8>,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Cut> {
        let mut chunk = first;
        loop {
            if !chunk.is_empty() {
                let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                self.meter.charge(limit, length).map_err(|_| Cut::Limit)?;
                to.write_all(&chunk).await.map_err(|_| Cut::Gone)?;
                count.fetch_add(length, Ordering::Relaxed);
                self.touch();
            }
            chunk.clear();
            chunk.reserve(CHUNK_BYTES);
            let read = from.read_buf(&mut chunk).await.map_err(|_| Cut::Gone)?;
            self.touch();
            if read == 0 {
                return to.shutdown().await.map_err(|_| Cut::Gone);
            }
        }
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns when nothing has moved for too long.
    async fn idles(&self) {
        loop {
            let until = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + self.idle;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}
