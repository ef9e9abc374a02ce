//! Ways round the checks of this room: for tests against a local server, and for an operator who
//! says so in so many words.

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;

use super::{AddressRules, Roots};

/// Returns `rules` that also let the addresses in `networks` through.
///
/// # Security
/// A guest with a grant for a name that resolves into `networks` reaches services there, and secrets
/// are sent to them without TLS too.
#[must_use]
pub fn also(rules: AddressRules, networks: impl IntoIterator<Item = IpNet>) -> AddressRules {
    let mut rules = rules;
    rules.also.extend(networks);
    rules
}

/// Returns the default roots and one more authority, given as DER.
///
/// # Errors
/// When it is no certificate.
///
/// # Security
/// Whoever holds that authority's key can stand in for every server.
pub fn trust_also(certificate: Vec<u8>) -> Result<Roots, rustls::Error> {
    Roots::with(CertificateDer::from(certificate))
}
