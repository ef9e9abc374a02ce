//! Which requests the grants cover, decided from method and URI before anything is looked up.

use http::uri::{Authority, Scheme};
use http::{Method, Uri};
use ringfence_capability::{
    Capability, Class, Diagnostic, GrantSet, HostPattern, Kind, MethodClass, Name, Port,
};
use std::fmt;
use std::net::Ipv6Addr;
use wasmtime_wasi_http::Error;

use super::headers;

/// Longer ones are refused; servers rarely take more.
const MOST_URI_BYTES: usize = 16 * 1024;

/// The `http` and `secret` grants of one run.
#[derive(Debug, Clone, Default)]
pub struct HttpRules {
    http: Vec<(HostPattern, Port, MethodClass)>,
    secrets: Vec<(Name, HostPattern)>,
}

/// A request that the grants cover. Can only be made by [`HttpRules::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    host: String,
    port: u16,
    tls: bool,
    class: MethodClass,
    body: BodyRule,
}

/// Whether an admitted request may have a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "sending must handle both")]
pub enum BodyRule {
    /// It reads under a grant that only reads.
    None,
    /// A grant to write covers it.
    Allowed,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What it was sent to, as `host:port`, when that could be read.
    pub target: String,
    /// What would have to be granted for it, when a grant is all that is missing.
    pub missing: Option<Capability>,
}

/// Why a request was refused. The name is stable and is what the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Neither `http` nor `https`.
    #[error("only `http` and `https` can be used")]
    Scheme,
    /// It cannot be read in one way only, or is too long.
    #[error("its address cannot be read")]
    Uri,
    /// A user name or password stands in it.
    #[error("a user name or password in the address is not allowed")]
    UserInfo,
    /// CONNECT asks for a tunnel; TRACE shows the headers that the host added.
    #[error("the method is never allowed")]
    Method,
    /// It asks to leave HTTP.
    #[error("upgrades are not allowed")]
    Upgrade,
    /// It sets a header that is the host's.
    #[error("it sets a header that belongs to the host")]
    ForbiddenHeader,
    /// Its declared length is no number, or there are several.
    #[error("its content length cannot be read")]
    ContentLength,
    /// No grant names the host.
    #[error("no grant covers the host")]
    HostNotGranted,
    /// A grant names the host, but another port.
    #[error("no grant covers the port")]
    PortNotGranted,
    /// The grants for the host only read.
    #[error("the grants for the host only read")]
    MethodNotGranted,
    /// It reads, and only that is granted, and it has a body.
    #[error("a request that only reads has no body")]
    BodyOnRead,
    /// The name leads to an address that is not public.
    #[error("the host's address is not public")]
    AddressNotPublic,
    /// Its `Host` header names another host than its address does, or there are several.
    #[error("its `Host` header and its address do not agree")]
    HostMismatch,
    /// What was sent into a tunnel is not the beginning of TLS.
    #[error("only TLS can be sent through a tunnel")]
    TunnelNotTls,
    /// The TLS in a tunnel does not say which host it is for.
    #[error("the TLS in the tunnel does not name its host")]
    TunnelNameMissing,
    /// The TLS in a tunnel is for another host than the tunnel.
    #[error("the TLS in the tunnel is for another host")]
    TunnelNameMismatch,
    /// A limit of the run is reached.
    #[error("a limit of the run is reached")]
    Limit,
    /// The audit log cannot be written.
    #[error("the audit log cannot be written")]
    NotRecorded,
}

impl HttpRules {
    /// Returns the rules that stand in the grants.
    pub fn from_grants(grants: &GrantSet) -> Self {
        let mut rules = Self::default();
        for grant in grants.iter() {
            match &grant.capability {
                Capability::Http { host, port, methods } => {
                    rules.http.push((host.clone(), *port, *methods));
                }
                Capability::Secret { name, host } => {
                    rules.secrets.push((name.clone(), host.clone()));
                }
                _ => {}
            }
        }
        rules
    }

    /// Checks a request's method and URI.
    ///
    /// # Errors
    /// When no grant covers it or it is one that is never allowed.
    ///
    /// # Security
    /// Says nothing about addresses, headers or the body; those are checked when it is sent. The
    /// host never follows a redirect: a guest that does sends a new request, which comes here.
    pub fn check(&self, method: &Method, uri: &Uri) -> Result<Admitted, Refusal> {
        let (host, port, tls) =
            target(uri).map_err(|reason| Refusal::new(reason, "(unreadable)"))?;
        let class =
            if headers::only_reads(method) { MethodClass::Read } else { MethodClass::Write };
        let admitted = Admitted { host, port, tls, class, body: BodyRule::None };
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(Refusal::new(Reason::Method, admitted.target()));
        }
        self.decide(admitted)
    }

    /// Checks the target of a CONNECT request, which must be `host:port` and nothing else.
    ///
    /// # Errors
    /// When no grant to write covers it.
    ///
    /// # Security
    /// What is said inside the tunnel cannot be seen: a grant that only reads never covers one. What
    /// the tunnel carries must still be checked to be TLS for that host.
    pub(crate) fn check_tunnel(&self, uri: &Uri) -> Result<Admitted, Refusal> {
        let refuse = |reason| Refusal::new(reason, "(unreadable)");
        let (None, Some(authority), None) = (uri.scheme(), uri.authority(), uri.path_and_query())
        else {
            return Err(refuse(Reason::Uri));
        };
        let (host, port) = host_and_port(authority, None).map_err(refuse)?;
        let class = MethodClass::Write;
        self.decide(Admitted { host, port, tls: true, class, body: BodyRule::None })
    }

    /// Looks for grants that cover the request.
    fn decide(&self, mut admitted: Admitted) -> Result<Admitted, Refusal> {
        let mut reason = Reason::HostNotGranted;
        let mut granted = false;
        for (_, port, methods) in self.http.iter().filter(|g| g.0.matches(&admitted.host)) {
            if !port.covers(admitted.port, admitted.tls) {
                if reason == Reason::HostNotGranted {
                    reason = Reason::PortNotGranted;
                }
            } else if *methods < admitted.class {
                reason = Reason::MethodNotGranted;
            } else {
                granted = true;
                if *methods == MethodClass::Write {
                    admitted.body = BodyRule::Allowed;
                }
            }
        }
        if granted { Ok(admitted) } else { Err(admitted.refuse(reason)) }
    }

    /// Tells whether the secret `name` may be sent to the canonical host `host`.
    pub fn allows_secret(&self, name: &Name, host: &str) -> bool {
        self.secrets.iter().any(|(granted, hosts)| granted == name && hosts.matches(host))
    }
}

impl Admitted {
    /// Returns the host in its canonical form; an IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Tells whether it goes over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Returns whether it may have a body.
    pub fn body(&self) -> BodyRule {
        self.body
    }

    /// Returns the kind of its effect.
    pub fn kind(&self) -> Kind {
        match self.class {
            MethodClass::Read => Kind::HttpRead,
            MethodClass::Write => Kind::HttpWrite,
        }
    }

    /// Returns what the log calls its target: `host:port`.
    pub fn target(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    /// Returns what the `Host` header says.
    pub(super) fn authority(&self) -> String {
        if Port::Default.covers(self.port, self.tls) { self.bracketed() } else { self.target() }
    }

    /// Returns the refusal of this request for `reason`.
    pub(super) fn refuse(&self, reason: Reason) -> Refusal {
        let methods = match reason {
            Reason::HostNotGranted | Reason::PortNotGranted => Some(self.class),
            Reason::MethodNotGranted | Reason::BodyOnRead => Some(MethodClass::Write),
            _ => None,
        };
        let default = Port::Default.covers(self.port, self.tls);
        let port = if default { Port::Default } else { Port::Number(self.port) };
        let host = self.host.parse().ok();
        let missing =
            methods.zip(host).map(|(methods, host)| Capability::Http { host, port, methods });
        Refusal { reason, target: self.target(), missing }
    }

    fn bracketed(&self) -> String {
        if self.host.parse::<Ipv6Addr>().is_ok() {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

/// Returns canonical host, port and whether TLS is used.
fn target(uri: &Uri) -> Result<(String, u16, bool), Reason> {
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(Reason::Scheme),
    };
    let authority = uri.authority().ok_or(Reason::Uri)?;
    let (host, port) = host_and_port(authority, Some(if tls { 443 } else { 80 }))?;
    let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if length > MOST_URI_BYTES || uri.path() == "*" {
        return Err(Reason::Uri);
    }
    Ok((host, port, tls))
}

/// Returns canonical host and port; `default` is the port when none is named.
pub(crate) fn host_and_port(
    authority: &Authority,
    default: Option<u16>,
) -> Result<(String, u16), Reason> {
    if authority.as_str().contains('@') {
        return Err(Reason::UserInfo);
    }
    // `Authority::port` answers nothing both for no port and for one it cannot read.
    let rest = authority.as_str().strip_prefix(authority.host()).ok_or(Reason::Uri)?;
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => default,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        None | Some(_) => None,
    };
    let port = port.filter(|port| *port != 0).ok_or(Reason::Uri)?;
    let host = HostPattern::canonical(authority.host()).map_err(|_| Reason::Uri)?;
    Ok((host, port))
}

impl Reason {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::Uri => "uri",
            Self::UserInfo => "user-info",
            Self::Method => "method",
            Self::Upgrade => "upgrade",
            Self::ForbiddenHeader => "forbidden-header",
            Self::ContentLength => "content-length",
            Self::HostNotGranted => "host-not-granted",
            Self::PortNotGranted => "port-not-granted",
            Self::MethodNotGranted => "method-not-granted",
            Self::BodyOnRead => "body-on-read",
            Self::AddressNotPublic => "address-not-public",
            Self::HostMismatch => "host-mismatch",
            Self::TunnelNotTls => "tunnel-not-tls",
            Self::TunnelNameMissing => "tunnel-name-missing",
            Self::TunnelNameMismatch => "tunnel-name-mismatch",
            Self::Limit => "limit",
            Self::NotRecorded => "not-recorded",
        }
    }

    /// Returns the error the guest sees. It says what kind of refusal it is, not what is granted.
    pub fn as_wasi(self) -> Error {
        match self {
            Self::Uri => Error::HttpRequestUriInvalid,
            Self::Method => Error::HttpRequestMethodInvalid,
            Self::AddressNotPublic => Error::DestinationIpProhibited,
            Self::Limit => Error::ConnectionLimitReached,
            Self::Scheme
            | Self::UserInfo
            | Self::Upgrade
            | Self::ForbiddenHeader
            | Self::ContentLength
            | Self::HostNotGranted
            | Self::PortNotGranted
            | Self::MethodNotGranted
            | Self::BodyOnRead
            | Self::HostMismatch
            | Self::TunnelNotTls
            | Self::TunnelNameMissing
            | Self::TunnelNameMismatch
            | Self::NotRecorded => Error::HttpRequestDenied,
        }
    }
}

impl Refusal {
    fn new(reason: Reason, target: impl Into<String>) -> Self {
        Self { reason, target: target.into(), missing: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a request to `{}` was refused", self.target)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

impl Diagnostic for Refusal {
    fn code(&self) -> &'static str {
        "interfaces::http"
    }

    fn class(&self) -> Class {
        match self.reason {
            Reason::Limit => Class::LimitReached,
            Reason::NotRecorded => Class::Internal,
            _ => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let missing = self.missing.as_ref()?;
        Some(format!("if it is intended, let the plugin request `{missing}` and grant that"))
    }
}

#[cfg(test)]
mod tests;
