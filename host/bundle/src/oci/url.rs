//! Where requests go: scheme, host, port and path, read from what a registry says.

use http::Uri;
use http::uri::Scheme;
use std::fmt;

use super::reference::{Registry, is_loopback};

/// Whom one speaks to. What is for one origin is for no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) encrypted: bool,
    /// As in a URL: lower case, an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// Returns the origin of a registry's API.
    pub(super) fn of(registry: &Registry, encrypted: bool) -> Self {
        let port = registry.port().unwrap_or(if encrypted { 443 } else { 80 });
        Self { encrypted, host: registry.api_host().to_owned(), port }
    }

    /// Tells whether it is this machine, by name.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns host and port, the port only if it is not the usual one.
    pub(super) fn authority(&self) -> String {
        match (self.encrypted, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// Returns the host without brackets: what is looked up and what a certificate is for.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// One address of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) origin: Origin,
    /// Path and query.
    pub(super) path: String,
}

impl Url {
    /// Reads a URL, or a path that begins with `/` and stays at `base`. Anything else, a name and a
    /// password before the host included, is none.
    pub(super) fn parse(text: &str, base: Option<&Origin>) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let Some(authority) = uri.authority() else {
            // What begins with two is a host to some readers and a path to others.
            let is_path = text.starts_with('/') && !text.starts_with("//");
            let origin = base.filter(|_| is_path && uri.scheme().is_none())?.clone();
            return Some(Self { origin, path });
        };
        let scheme = uri.scheme()?;
        let encrypted = *scheme == Scheme::HTTPS;
        if (!encrypted && *scheme != Scheme::HTTP) || authority.as_str().contains('@') {
            return None;
        }
        let after_host = authority.as_str().strip_prefix(authority.host())?;
        let port = match (after_host, authority.port_u16()) {
            ("", _) if encrypted => 443,
            ("", _) => 80,
            // A number that is no port is not the same as none.
            (_, port) => port.filter(|port| *port != 0)?,
        };
        let host = authority.host().to_ascii_lowercase();
        Some(Self { origin: Origin { encrypted, host, port }, path })
    }

    /// Returns the same with one more parameter; `value` must need no escapes.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(name);
        self.path.push('=');
        self.path.push_str(&escaped(value));
        self
    }
}

/// Returns `text` as it stands in a query or a form.
pub(super) fn escaped(text: &str) -> String {
    use fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Option<String> {
        let base = Origin { encrypted: true, host: "base.example".to_owned(), port: 443 };
        Url::parse(text, Some(&base)).map(|url| format!("{} {}", url.origin, url.path))
    }

    #[test]
    fn a_location_is_read_as_a_url_or_as_a_path_at_the_same_origin() {
        for (text, expected) in [
            ("https://A.example/b?c=d", Some("https://a.example /b?c=d")),
            ("http://a.example:81", Some("http://a.example:81 /")),
            ("https://[::1]:5000/x", Some("https://[::1]:5000 /x")),
            ("https://a.example:443/x", Some("https://a.example /x")),
            ("/v2/x?y", Some("https://base.example /v2/x?y")),
            ("//evil.example/x", None),
            ("x/y", None),
            ("", None),
            ("ftp://a.example/x", None),
            ("file:///etc/passwd", None),
            ("https://user:word@a.example/", None),
            ("https://a.example:0/", None),
            ("https://a.example:99999/", None),
            ("https:///x", None),
            ("https://a.example/ x", None),
        ] {
            assert_eq!(check(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_parameter_is_escaped() {
        let url = Url::parse("https://a.example/t?x=1", None).map(|url| url.with("s", "a b&c=d/é"));
        assert_eq!(url.map(|url| url.path).as_deref(), Some("/t?x=1&s=a%20b%26c%3Dd%2F%C3%A9"));
    }
}
