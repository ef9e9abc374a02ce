//! Offers a registry of tools to clients of the protocol.
//!
//! Revisions 2026-07-28, 2025-11-25, and the older ones that begin like the latter. A call is held
//! against its schemas on both sides, has a deadline, and ends when the client withdraws it or goes
//! away. Start with [`Server`]; `dispatch` has every request by name.

mod asks;
mod call;
mod convert;
mod dispatch;
pub mod http;
mod lines;
mod listen;
mod pages;
mod person;
mod seal;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::Registry;
use seal::Seal;
pub(crate) use talk::{LEGACY, MODERN};

/// How tools are offered.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct ServerOptions {
    /// The name the server gives itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What a model is told about the tools as a whole.
    pub instructions: Option<String>,
    /// The most calls that run at once; others wait.
    pub concurrency: usize,
    /// How long one call may take, with all waiting.
    pub call_time: Duration,
    /// The most bytes of one answer, as text and as structure.
    pub answer_bytes: usize,
    /// The most tools, or other entries, of one page of a list.
    pub page: usize,
    /// Whom tools may ask through the client.
    pub may_ask: MayAsk,
}

/// Whom tools may ask through the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the operator names each")]
pub struct MayAsk {
    /// The person at the client, by a form that names the tool that asks.
    pub person: bool,
    /// The model of the client: its tokens are somebody's, and its words depend on what else it reads.
    pub model: bool,
    /// The client, which directories it works in.
    pub roots: bool,
}

impl Default for MayAsk {
    /// Returns the person alone.
    fn default() -> Self {
        Self { person: true, model: false, roots: false }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            name: "ringfence".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: None,
            concurrency: 32,
            call_time: Duration::from_mins(15),
            answer_bytes: 4 * 1024 * 1024,
            page: 100,
            may_ask: MayAsk::default(),
        }
    }
}

/// Offers one registry. Cheap to clone; all clones share the bound on calls at once.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

/// What every connection shares.
pub(crate) struct Shared {
    registry: Arc<dyn Registry>,
    options: ServerOptions,
    places: Semaphore,
    seal: Seal,
    /// Calls that wait for a person away from their client.
    parked: Arc<person::Parked>,
}

impl Server {
    /// Returns a server for `registry`.
    pub fn new(registry: Arc<dyn Registry>, options: ServerOptions) -> Self {
        let places = Semaphore::new(options.concurrency.max(1));
        Self {
            shared: Arc::new(Shared {
                registry,
                options,
                places,
                seal: Seal::new(),
                parked: Arc::default(),
            }),
        }
    }

    /// Talks to one client over two streams of lines until it goes away or `end` is ready.
    ///
    /// # Cancellation
    /// Dropping the future ends every call.
    pub async fn lines(
        &self,
        input: impl AsyncRead + Unpin + Send,
        output: impl AsyncWrite + Unpin + Send + 'static,
        end: impl Future<Output = ()>,
    ) {
        lines::serve(&self.shared, input, output, end, lines::Bounds::default()).await;
    }

    /// Talks to clients over HTTP until `end` is ready, then lets requests finish for a few seconds.
    ///
    /// # Security
    /// Nothing is encrypted: what `listener` listens at is to be loopback, or reached through something
    /// that encrypts.
    ///
    /// # Cancellation
    /// Dropping the future closes every connection and ends every call.
    pub async fn http(
        &self,
        listener: TcpListener,
        options: http::HttpOptions,
        end: impl Future<Output = ()>,
    ) {
        http::serve(&self.shared, listener, options, end).await;
    }
}
