//! The proxy through which a native program in the sandbox reaches the network.
//!
//! The sandbox has no network of its own. Its program is given one listening socket, made inside its
//! own network namespace and handed to the host, and this proxy accepts on it: whatever connects is
//! the program. Each request is checked against the same rules as a guest's ([`HttpRules`]), its name
//! resolved once, every address checked, and exactly a checked address dialled; it is counted on the
//! run's meter and recorded before it is sent.
//!
//! | the program sends | under a `read` grant | under a `write` grant |
//! |---|---|---|
//! | `GET http://host/` (also HEAD, OPTIONS) | sent, without a body | sent |
//! | `POST http://host/`, any other method | refused | sent |
//! | `GET https://host/` to the proxy, in the clear | the host makes the TLS connection and sends it | the same |
//! | `POST https://host/` to the proxy, in the clear | refused | the host makes the TLS connection and sends it |
//! | `CONNECT host:port` | refused | a tunnel for TLS to that host |
//! | an upgrade (WebSocket, h2c), TRACE | refused | refused |
//!
//! Redirects are followed by the program, if at all: each is a new request and checked as one.
//!
//! A refusal is answered with 403, a failure with 502 or 504; the header [`DENIED`] or [`FAILED`]
//! holds a stable reason, and the body says in one line what would have to be granted. A server
//! cannot forge these headers: they are removed from what it sends. What is no HTTP at all is
//! answered by the parser with a bare 400, 414 or 431, and recorded as `unreadable`.
//!
//! # Security
//! - **`read` is kept because the method is seen.** Inside a tunnel it is not, so no tunnel is opened
//!   under a grant that only reads. A program that has to use `https` there sends the proxy the whole
//!   address in the clear (`GET https://…`), which goes no further than the socket to this host.
//! - **A tunnel carries TLS for its own host.** The first message must be a `ClientHello` whose
//!   server name is the host that was asked for; a tunnel to an address that was granted as such must
//!   have none. Until that is checked no byte is sent to the server.
//! - **Not prevented:** what is said inside TLS. A server that serves several hosts on one address
//!   can be asked, inside the tunnel, for another than the granted one (a `Host` header that differs
//!   from the server name, or a second `ClientHello` after a retry, which honest servers refuse). With
//!   Encrypted Client Hello the outer name is what is seen and what must be granted: the inner one is
//!   for the server that holds its key. Names and paths of granted requests can carry data out, up to
//!   the limits on connections and request bytes.
//! - Secrets are attached as for guests; never in a tunnel, which the host cannot see into.
//!
//! Start with [`Proxy::serve`].

use ringfence_capability::{Class, Diagnostic};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::HttpConfig;

#[cfg(doc)]
use crate::http::HttpRules;

mod answer;
mod forward;
mod hello;
mod records;
mod serve;
mod stall;
mod tunnel;

pub use answer::{DENIED, FAILED};
pub use records::ProxySummary;

use records::Records;
use serve::Shared;

/// What one proxy may hold at any one time, and its longest waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states limits with `..::default()`")]
pub struct ProxyLimits {
    /// Connections served at once. The next ones wait until one is done.
    pub connections: usize,
    /// For the head of a request to be there, and for the next request on an idle connection.
    pub head: Duration,
    /// For the first message of TLS in a tunnel.
    pub hello: Duration,
    /// Without a byte in either direction in a tunnel, and for the program to take what is sent.
    pub idle: Duration,
    /// For open connections to end once the proxy is being shut down.
    pub grace: Duration,
    /// Records handed to the effect sink. Past them nothing is let through, and what is refused is
    /// only counted.
    pub records: u64,
}

impl Default for ProxyLimits {
    fn default() -> Self {
        Self {
            connections: 128,
            head: Duration::from_secs(30),
            hello: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            grace: Duration::from_secs(1),
            records: 10_000,
        }
    }
}

/// A proxy that serves. Dropping it stops it at once: its connections, tunnels and tasks end.
#[derive(Debug)]
pub struct Proxy {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    records: Arc<Records>,
}

/// The proxy could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The socket cannot be used.
    #[error("the proxy's socket cannot be used")]
    Socket {
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It was started outside of an asynchronous runtime.
    #[error("the proxy was started outside of an asynchronous runtime")]
    NoRuntime,
}

impl Diagnostic for ProxyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Socket { .. } => "interfaces::proxy-socket",
            Self::NoRuntime => "interfaces::proxy-runtime",
        }
    }

    fn class(&self) -> Class {
        Class::Internal
    }
}

impl Proxy {
    /// Serves whatever connects to `listener`, under the rules, limits, waits and effect sink of
    /// `config`. It is the same configuration that the run's guests have; a clone of the meter makes
    /// them share their budgets.
    ///
    /// # Errors
    /// When there is no runtime with input and output, or `listener` cannot be used.
    ///
    /// # Security
    /// Nobody is asked who they are: only the sandboxed program may be able to connect to `listener`.
    /// That holds for a socket made inside its network namespace, on that namespace's loopback.
    pub fn serve(
        listener: TcpListener,
        config: HttpConfig,
        limits: ProxyLimits,
    ) -> Result<Self, ProxyError> {
        let runtime = Handle::try_current().map_err(|_| ProxyError::NoRuntime)?;
        let socket = |source| ProxyError::Socket { source };
        listener.set_nonblocking(true).map_err(socket)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(socket)?;
        let records = Arc::new(Records::new(Arc::clone(&config.effects), limits.records));
        let config = HttpConfig { effects: Arc::clone(&records) as _, ..config };
        let shared = Arc::new(Shared { config, limits, records: Arc::clone(&records) });
        let (stop, stopped) = watch::channel(false);
        let task = runtime.spawn(serve::accept(listener, shared, stopped));
        Ok(Self { task, stop, records })
    }

    /// Returns what it has done so far.
    pub fn summary(&self) -> ProxySummary {
        self.records.summary()
    }

    /// Stops accepting, lets open requests end within [`ProxyLimits::grace`], ends the rest, and
    /// returns what it has done. Nothing of it runs any more then.
    ///
    /// # Cancellation
    /// Dropping the future stops the proxy at once.
    pub async fn shut_down(mut self) -> ProxySummary {
        self.stop.send_replace(true);
        // It only fails when it was aborted or panicked; either way it is over.
        let _ = (&mut self.task).await;
        self.records.summary()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
