//! HTTP for guests: requests out (`wasi:http` 0.2 and 0.3), and calls in (see [`serve`]).
//!
//! A guest's request is checked against the grants ([`HttpRules`]), its name resolved once, every
//! address checked ([`AddressRules`]), and exactly a checked address dialled; TLS verifies the name.
//! Bodies are counted both ways, waits are bounded, and each request is recorded before it is sent.
//!
//! Invariants:
//! - nothing is sent that was not admitted and recorded; a refusal is a typed error, never a trap;
//! - a request under a grant that only reads sends no byte of the guest's body;
//! - redirects are not followed here: the guest sees them, and what it sends then is checked anew;
//! - the guest never holds a secret that is attached ([`AttachedSecret`]).
//!
//! Start with [`HttpHooks`].

use http::header::HeaderName;
use http::uri::Scheme;
use ringfence_engine::Meter;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::Effects;

mod address;
mod body;
pub mod danger;
mod exchange;
mod headers;
mod resolve;
mod rules;
mod secret;
pub mod serve;
pub(crate) mod texts;
mod tls;

pub(crate) use exchange::{Call, Unsent, from_hyper};
pub(crate) use headers::is_forbidden;
pub(crate) use rules::host_and_port;

pub use address::{AddressRules, CheckedAddress, NotPublic};
pub use exchange::Connection;
pub use resolve::{Resolve, SystemResolver};
pub use rules::{Admitted, BodyRule, HttpRules, Reason, Refusal};
pub use secret::{AttachedSecret, SecretError, SecretValue};
pub use tls::Roots;

/// What one run's requests are checked against and counted on.
#[expect(clippy::exhaustive_structs, reason = "a caller changes parts with `..HttpConfig::new(…)`")]
pub struct HttpConfig {
    /// Which requests are admitted.
    pub rules: HttpRules,
    /// Which addresses are dialled.
    pub addresses: AddressRules,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolve>,
    /// What the host adds to requests. One that no grant names is not added.
    pub secrets: Arc<[AttachedSecret]>,
    /// Whom servers' certificates are checked against.
    pub roots: Roots,
    /// The longest waits.
    pub timeouts: Timeouts,
    /// What counts connections and bytes.
    pub meter: Arc<Meter>,
    /// What records each request before it is sent.
    pub effects: Effects,
}

impl HttpConfig {
    /// Returns the configuration with public addresses only, the system's resolver, no secrets,
    /// Mozilla's roots and the default waits.
    pub fn new(rules: HttpRules, meter: Arc<Meter>, effects: Effects) -> Self {
        Self {
            rules,
            addresses: AddressRules::public_only(),
            resolver: Arc::new(SystemResolver),
            secrets: Arc::new([]),
            roots: Roots::default(),
            timeouts: Timeouts::default(),
            meter,
            effects,
        }
    }
}

/// The longest waits of one request. A guest can ask for shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states waits with `..Timeouts::default()`")]
pub struct Timeouts {
    /// For resolving, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From the request to the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of the response body.
    pub between_bytes: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(1),
            between_bytes: Duration::from_secs(30),
        }
    }
}

/// Serves the outgoing requests of one run.
#[derive(Clone)]
pub struct HttpHooks {
    config: Arc<HttpConfig>,
}

impl HttpHooks {
    /// Returns the hooks of one run.
    pub fn new(config: HttpConfig) -> Self {
        Self { config: Arc::new(config) }
    }

    /// Sends one request. The returned [`Connection`] must be polled while the body is read.
    ///
    /// # Errors
    /// When it is refused, fails or takes too long; what of it happened before is recorded.
    ///
    /// # Cancellation
    /// Dropping the future or the [`Connection`] closes the connection.
    pub fn send(
        &self,
        request: http::Request<WasiBody>,
        options: RequestOptions,
    ) -> impl Future<Output = Result<(http::Response<WasiBody>, Connection), Error>> + Send + 'static
    {
        exchange::exchange(Arc::clone(&self.config), request, options)
    }
}

/// The future of an outgoing request, as `wasmtime-wasi-http` takes it.
type Sent = dyn Future<Output = Result<(http::Response<WasiBody>, Box<Driven>), Error>> + Send;
/// What drives the connection, as `wasmtime-wasi-http` takes it.
type Driven = dyn Future<Output = Result<(), Error>> + Send;

impl WasiHttpHooks for HttpHooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(headers::is_forbidden)
    }

    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        headers::is_forbidden(name)
    }

    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        // The check of the whole request refuses the others, so that the log has them.
        true
    }

    fn set_host_header(&mut self) -> bool {
        // Set when sending, from the checked authority.
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<Driven>,
    ) -> Box<Sent> {
        let sent = self.send(request, options.unwrap_or_default());
        Box::new(async move {
            let (response, connection) = sent.await?;
            Ok((response, Box::new(connection) as Box<Driven>))
        })
    }
}
