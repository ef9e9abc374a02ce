//! TLS towards the servers that guests talk to: Mozilla's roots, the name the guest asked for.

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_http::Error;

/// The certificate authorities a server's certificate is checked against.
#[derive(Clone, Default)]
pub struct Roots {
    /// Nothing means Mozilla's list alone.
    config: Option<Arc<ClientConfig>>,
}

impl Roots {
    /// Returns the roots with one more authority; for [`danger`](super::danger).
    pub(super) fn with(certificate: CertificateDer<'static>) -> Result<Self, rustls::Error> {
        let mut store = mozilla();
        store.add(certificate)?;
        Ok(Self { config: Some(client(store)?) })
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        // Parsing the list takes about a millisecond: done once per process, and only if needed.
        static MOZILLA: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
        let default = || MOZILLA.get_or_init(|| client(mozilla()).ok()).clone();
        self.config.clone().or_else(default).ok_or(Error::ConfigurationError)
    }

    /// Returns `stream` with TLS on it, the server having proved to be `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        // Takes an address too, which is then looked for in the certificate.
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| Error::HttpRequestUriInvalid)?;
        let connector = TlsConnector::from(self.config()?);
        connector.connect(name, stream).await.map_err(|error| as_wasi(&error))
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.config.is_some() {
            "Roots(Mozilla and one more)"
        } else {
            "Roots(Mozilla)"
        })
    }
}

fn mozilla() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    // Named, not the process default: whoever embeds the host may have set another or none.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn as_wasi(error: &io::Error) -> Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: None }
        }
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}
