//! How a registry is spoken to.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::sync::Arc;

use super::credentials::Credential;
use super::error::OciError;
use super::reference::Registry;
use super::transport::{self, Timeouts};

/// How a registry is spoken to, and as whom. Holding this is the right to use the network and the
/// credential.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) own_authorities: bool,
    pub(super) plain_http: bool,
    pub(super) credential: Credential,
    pub(super) token_hosts: Vec<String>,
    pub(super) timeouts: Timeouts,
    pub(super) guards: Guards,
}

/// Which checks are made: all, unless [`danger`](super::danger) says otherwise.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each check, so that each can be shown to matter"
)]
pub(super) struct Guards {
    pub(super) digests: bool,
    pub(super) sizes: bool,
    pub(super) redirects: bool,
    pub(super) credentials: bool,
    pub(super) layers: bool,
    pub(super) media_types: bool,
    pub(super) whole_file: bool,
    pub(super) moved: bool,
}

impl Options {
    /// Returns the options for asking as nobody: TLS with Mozilla's authorities, without TLS only on this
    /// machine.
    ///
    /// # Errors
    /// [`OciError::Authority`] when the TLS library refuses its own defaults.
    pub fn new() -> Result<Self, OciError> {
        let all = Guards {
            digests: true,
            sizes: true,
            redirects: true,
            credentials: true,
            layers: true,
            media_types: true,
            whole_file: true,
            moved: true,
        };
        Ok(Self {
            tls: tls(&[], "the built-in authorities")?,
            own_authorities: false,
            plain_http: false,
            credential: Credential::Anonymous,
            token_hosts: Vec::new(),
            timeouts: Timeouts::default(),
            guards: all,
        })
    }

    /// Asks as somebody.
    #[must_use]
    pub fn credential(self, credential: Credential) -> Self {
        Self { credential, ..self }
    }

    /// Speaks to the registry without TLS, credentials included.
    #[must_use]
    pub fn plain_http(self) -> Self {
        Self { plain_http: true, ..self }
    }

    /// Believes the certificate authorities in `pem` too, and speaks TLS to this machine as well.
    ///
    /// # Errors
    /// [`OciError::Authority`] when there is none in it.
    pub fn authorities(self, pem: &[u8], display: &str) -> Result<Self, OciError> {
        let fail = || OciError::Authority { file: display.to_owned() };
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|_| fail())?;
        if found.is_empty() {
            return Err(fail());
        }
        Ok(Self { tls: tls(&found, display)?, own_authorities: true, ..self })
    }

    /// Lets the credential be sent to this host (`HOST` or `HOST:PORT`) when the registry says that its
    /// tokens are there.
    #[must_use]
    pub fn token_host(mut self, host: &str) -> Self {
        self.token_hosts.push(host.to_ascii_lowercase());
        self
    }

    /// Sets how long each part may take.
    #[must_use]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Tells whether a registry is spoken to with TLS.
    pub fn encrypts(&self, registry: &Registry) -> bool {
        !(self.plain_http || registry.is_loopback() && !self.own_authorities)
    }
}

fn tls(
    authorities: &[CertificateDer<'static>],
    display: &str,
) -> Result<Arc<rustls::ClientConfig>, OciError> {
    transport::tls(authorities).map_err(|_| OciError::Authority { file: display.to_owned() })
}
