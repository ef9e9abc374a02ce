//! Where a bundle is in a registry: `HOST[:PORT]/PATH[:TAG][@DIGEST]`.
//!
//! The registry is always named: a name without one would mean whichever registry a tool thinks of.

use ringfence_capability::{Digest, text};
use std::fmt;
use std::str::FromStr;

use super::error::{OciError, ReferenceProblem};

/// The most characters of a repository's path, as the distribution specification has it.
const MAX_PATH: usize = 255;
/// The most characters of a tag.
const MAX_TAG: usize = 128;
/// The most characters of a host name.
const MAX_HOST: usize = 253;

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: Registry,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the path of the repository.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest of the artifact.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Returns the same repository at exactly this artifact.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = OciError;

    fn from_str(given: &str) -> Result<Self, OciError> {
        let fail =
            |problem| OciError::Reference { reference: text::brief(given, MAX_PATH), problem };
        let rest = given.strip_prefix("oci://").unwrap_or(given);
        if rest.contains("://") {
            return Err(fail(ReferenceProblem::Scheme));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| fail(ReferenceProblem::Digest))?))
            }
            None => (rest, None),
        };
        let (host, path) = rest.split_once('/').ok_or_else(|| fail(ReferenceProblem::NoHost))?;
        let registry = Registry::parse(host).map_err(fail)?;
        let (repository, tag) = match path.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        if repository.len() > MAX_PATH || !repository.split('/').all(is_component) {
            return Err(fail(ReferenceProblem::Path));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(fail(ReferenceProblem::Tag));
        }
        let (repository, tag) = (repository.to_owned(), tag.map(str::to_owned));
        Ok(Self { registry, repository, tag, digest })
    }
}

/// A registry: a host and, unless it is the usual one, a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registry {
    host: String,
    port: Option<u16>,
}

impl Registry {
    /// Reads a registry as it stands in a reference.
    fn parse(given: &str) -> Result<Self, ReferenceProblem> {
        let (host, port) = match given.rfind(':') {
            Some(at) if !given[at..].contains(']') => (&given[..at], Some(&given[at + 1..])),
            _ => (given, None),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = digits.parse().ok().filter(|port| *port != 0);
                Some(number.ok_or(ReferenceProblem::Port)?)
            }
            Some(_) => return Err(ReferenceProblem::Port),
            None => None,
        };
        let host = host.to_ascii_lowercase();
        // `tools/word-count` would be a registry called `tools`.
        if port.is_none() && host != "localhost" && !host.contains(['.', '[']) {
            return Err(ReferenceProblem::NoHost);
        }
        if !is_host(&host) {
            return Err(ReferenceProblem::Host);
        }
        Ok(Self { host, port })
    }

    /// Returns the host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port that is named.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Tells whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns the host that is spoken to, which for one well-known registry is not the one in references.
    pub(super) fn api_host(&self) -> &str {
        if self.is_docker_hub() { "registry-1.docker.io" } else { &self.host }
    }

    pub(super) fn is_docker_hub(&self) -> bool {
        self.host == "docker.io" && self.port.is_none()
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Tells whether `host`, as it stands in a URL, means this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        let inner = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        inner && edge(bytes.first()) && edge(bytes.last()) && bytes.len() <= 63
    };
    host.len() <= MAX_HOST && host.split('.').all(is_label)
}

/// One part of a path: runs of `a-z0-9`, with `.`, `_`, `__` or hyphens between them.
fn is_component(part: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let between = |run: &[u8]| {
        matches!(run, [] | [b'.' | b'_'] | [b'_', b'_']) || run.iter().all(|byte| *byte == b'-')
    };
    word(*first) && word(*last) && bytes.split(|byte| word(*byte)).all(between)
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = tag.as_bytes();
    bytes.first().is_some_and(|byte| word(*byte))
        && bytes.len() <= MAX_TAG
        && bytes.iter().all(|byte| word(*byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn check(given: &str) -> Result<String, ReferenceProblem> {
        match given.parse::<Reference>() {
            Ok(reference) => Ok(reference.to_string()),
            Err(OciError::Reference { problem, .. }) => Err(problem),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_reference_is_read_and_written_back() {
        let hex = "0".repeat(64);
        for text in [
            "registry.example.com/tools/word-count:0.1.0",
            "localhost:5000/a:latest",
            "127.0.0.1:5000/a/b__c/d.e-f--g",
            "[::1]:5000/a:b",
            "localhost/a",
            &format!("registry.example.com/a:1@sha256:{hex}"),
            &format!("registry.example.com/a@sha256:{hex}"),
        ] {
            assert_eq!(check(text).as_deref(), Ok(text));
            assert_eq!(check(&format!("oci://{text}")).as_deref(), Ok(text));
        }
        assert_eq!(check("Registry.Example.COM/a:B").unwrap(), "registry.example.com/a:B");
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        use ReferenceProblem as P;
        let long = format!("h.example/{}", "a".repeat(256));
        let tag = format!("h.example/a:{}", "a".repeat(129));
        for (text, problem) in [
            ("", P::NoHost),
            ("word-count", P::NoHost),
            ("tools/word-count:1", P::NoHost),
            ("https://registry.example.com/a:1", P::Scheme),
            ("h.example/a:1@sha256:00", P::Digest),
            ("h.example/a:1@", P::Digest),
            ("h.example:0/a", P::Port),
            ("h.example:99999/a", P::Port),
            ("h.example:+1/a", P::Port),
            ("h.example:/a", P::Port),
            ("user@h.example/a", P::Digest),
            ("-h.example/a", P::Host),
            ("h..example/a", P::Host),
            ("h.example\u{202e}/a", P::Host),
            ("[::1/a", P::Host),
            ("h.example/", P::Path),
            ("h.example/A", P::Path),
            ("h.example/a//b", P::Path),
            ("h.example/../v2/b", P::Path),
            ("h.example/a..b", P::Path),
            ("h.example/a?b", P::Path),
            ("h.example/a%2fb", P::Path),
            ("h.example/a b", P::Path),
            (&long, P::Path),
            ("h.example/a:", P::Tag),
            ("h.example/a:-b", P::Tag),
            ("h.example/a:b/c", P::Tag),
            ("h.example/a:b#", P::Tag),
            (&tag, P::Tag),
        ] {
            assert_eq!(check(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "128.0.0.1", "[::2]", "0.0.0.0", "127.0.0.1.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
