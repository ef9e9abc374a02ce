//! Host names and the patterns that cover them.

use crate::ParseError;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A pattern over host names: one host, every host below a domain (`*.example.com`), or all (`*`).
///
/// Names are kept in their ASCII (IDNA) form, lower case and without a trailing dot. `*.example.com`
/// does not cover `example.com` itself. An address is covered only by itself, never by `*.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(Form);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    All,
    Below(String),
    One(String),
}

impl HostPattern {
    /// Tells whether the pattern covers the canonical host name `host` (see [`HostPattern::canonical`]).
    pub fn matches(&self, host: &str) -> bool {
        match &self.0 {
            Form::All => true,
            Form::One(one) => one == host,
            // `.example.com` must be a real end: `evil-example.com` does not have the dot.
            Form::Below(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }

    /// Returns the pattern and the port of `HOST`, `HOST:PORT`, `[::1]` or `[::1]:PORT`.
    ///
    /// # Errors
    /// When the host is no pattern, the port is not a number from 1 to 65535, or it is a URL.
    pub fn with_port(text: &str) -> Result<(Self, Option<u16>), ParseError> {
        let fail = |why| Err(ParseError::new("host and port", text, why));
        if text.contains('/') {
            return fail("name the host alone, without `https://` and without a path");
        }
        let (host, port) = if text.starts_with('[') {
            let Some(end) = text.find(']') else { return fail("the closing bracket is missing") };
            match text.split_at(end + 1) {
                (host, "") => (host, None),
                (host, rest) => match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None => return fail("only `:` and a port follow the bracket"),
                },
            }
        } else {
            match text.split_once(':') {
                // More colons outside brackets are an IPv6 address by itself.
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (text, None),
            }
        };
        let Some(digits) = port else { return Ok((host.parse()?, None)) };
        match digits.parse::<u16>() {
            Ok(number) if number > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok((host.parse()?, Some(number)))
            }
            _ => fail("a port is a number from 1 to 65535"),
        }
    }

    /// Tells whether every host that `other` covers is covered by this pattern.
    pub fn contains(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::All, _) => true,
            (_, Form::All) | (Form::One(_), Form::Below(_)) => false,
            (_, Form::One(host)) => self.matches(host),
            (Form::Below(mine), Form::Below(theirs)) => mine == theirs || self.matches(theirs),
        }
    }

    /// Tells whether some host is covered by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Returns the canonical form of a host name or address: ASCII, lower case, no trailing dot,
    /// addresses in their shortest form. `[::1]` loses its brackets.
    ///
    /// # Errors
    /// When it is neither a host name nor an address. Numbers that some resolvers read as addresses
    /// (`0x7f.1`, `2130706433`) are refused.
    pub fn canonical(host: &str) -> Result<String, ParseError> {
        let fail = |why| Err(ParseError::new("host", host, why));
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if let Some(inside) = bare {
            return match inside.parse::<Ipv6Addr>() {
                Ok(address) => Ok(address.to_string()),
                Err(_) => fail("only an IPv6 address stands in brackets"),
            };
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(address.to_string());
        }
        let Ok(ascii) = idna::domain_to_ascii_strict(host.strip_suffix('.').unwrap_or(host)) else {
            return fail("it is not a domain name");
        };
        if ascii.is_empty() || ascii.len() > 253 {
            return fail("a name has 1 to 253 characters");
        }
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.chars().all(|c| c.is_ascii_digit()) || last.starts_with("0x") {
            return fail("an address is written in its usual form, such as 192.0.2.1");
        }
        Ok(ascii)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::All => f.write_str("*"),
            Form::Below(domain) => write!(f, "*.{domain}"),
            Form::One(host) => f.write_str(host),
        }
    }
}

impl FromStr for HostPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let form = match text.strip_prefix("*.") {
            _ if text == "*" => Form::All,
            Some(domain) => {
                let domain = HostPattern::canonical(domain)?;
                if domain.parse::<IpAddr>().is_ok() {
                    let why = "there is nothing below an address";
                    return Err(ParseError::new("host pattern", text, why));
                }
                Form::Below(domain)
            }
            None => Form::One(HostPattern::canonical(text)?),
        };
        Ok(Self(form))
    }
}

/// The port a host capability covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the request check must handle both")]
pub enum Port {
    /// 443 for `https` and 80 for `http`.
    Default,
    /// This one only.
    Number(u16),
}

impl Port {
    /// Tells whether a request to `port` with the given TLS use is covered.
    pub fn covers(self, port: u16, tls: bool) -> bool {
        match self {
            Self::Default => port == if tls { 443 } else { 80 },
            Self::Number(number) => port == number,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_covers_hosts_by_whole_labels() {
        let below = pattern("*.example.com");
        for (host, covered) in [
            ("a.example.com", true),
            ("a.b.example.com", true),
            ("example.com", false),
            ("evil-example.com", false),
            ("example.com.evil.org", false),
        ] {
            assert_eq!(below.matches(host), covered, "{host}");
        }
        assert!(pattern("*").matches("x.org") && !pattern("x.org").matches("y.org"));
    }

    #[test]
    fn hosts_have_one_spelling() {
        for (given, canonical) in [
            ("EXAMPLE.com.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("[::1]", "::1"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ] {
            assert_eq!(HostPattern::canonical(given).unwrap(), canonical);
        }
    }

    #[test]
    fn doubtful_hosts_are_refused() {
        let long = "a".repeat(300);
        for bad in [
            "",
            ".",
            "a b",
            "a\0.com",
            "user@host",
            "127.1",
            "2130706433",
            "0x7f.1",
            "[::1",
            "*.*",
            "a/b",
            &long,
        ] {
            assert!(HostPattern::canonical(bad).is_err(), "{bad:?}");
        }
        assert!("*.127.0.0.1".parse::<HostPattern>().is_err());
        assert!("a.*.com".parse::<HostPattern>().is_err());
    }

    #[test]
    fn a_host_with_a_port_has_one_meaning_everywhere() {
        for (text, host, port) in [
            ("example.com", "example.com", None),
            ("Example.com:8443", "example.com", Some(8443)),
            ("*.example.com:1", "*.example.com", Some(1)),
            ("*:65535", "*", Some(65535)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:443", "::1", Some(443)),
            ("2001:db8::1:443", "2001:db8::1:443", None),
        ] {
            let read = HostPattern::with_port(text).unwrap();
            assert_eq!((read.0.to_string().as_str(), read.1), (host, port), "{text}");
        }
        let (number, closing) = ("from 1 to 65535", "closing bracket");
        for (text, says) in [
            ("example.com:0", number),
            ("example.com:00", number),
            ("example.com:65536", number),
            ("example.com:+80", number),
            ("example.com:", number),
            ("[::1]:0", number),
            ("[::1:443", closing),
            ("[::1]443", "follow the bracket"),
            ("https://example.com", "host alone"),
            ("example.com/path", "host alone"),
            ("", "not a domain name"),
        ] {
            let error = HostPattern::with_port(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn containing_a_pattern_means_covering_all_it_covers(
            a in "(\\*|(\\*\\.)?([ab]\\.){0,2}org)",
            b in "(\\*|(\\*\\.)?([ab]\\.){0,2}org)",
            host in "([ab]\\.){0,3}org",
        ) {
            let (a, b) = (pattern(&a), pattern(&b));
            if a.contains(&b) && b.matches(&host) {
                prop_assert!(a.matches(&host));
            }
            if a.matches(&host) && b.matches(&host) {
                prop_assert!(a.overlaps(&b));
            }
        }
    }
}
