//! Registrable domains, by the public suffix list (its private section included).

use std::collections::BTreeMap;

use super::suffix;

/// Longest host name (RFC 1035).
const MAX_HOST_BYTES: usize = 253;
/// Longest address that is looked at.
const MAX_ADDRESS_BYTES: usize = 8 << 10;

/// Domains that one organisation runs under several names: the other name, then the one that counts.
const ALIASES: [(&str, &str); 14] = [
    ("youtu.be", "youtube.com"),
    ("youtube-nocookie.com", "youtube.com"),
    ("x.com", "twitter.com"),
    ("t.co", "twitter.com"),
    ("redd.it", "reddit.com"),
    ("fb.com", "facebook.com"),
    ("fb.watch", "facebook.com"),
    ("bbc.com", "bbc.co.uk"),
    ("ar5iv.org", "arxiv.org"),
    ("nyti.ms", "nytimes.com"),
    ("githubusercontent.com", "github.com"),
    ("rfc-editor.org", "ietf.org"),
    ("wikimedia.org", "wikipedia.org"),
    ("pubmed.gov", "nih.gov"),
];

/// The parts of an address that say where a source comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    path: String,
}

impl Address {
    /// Reads a URL or a host, or returns nothing where there is no host that could be one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_ADDRESS_BYTES {
            return None;
        }
        let rest = match text.split_once("://") {
            Some((scheme, rest)) => {
                scheme.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(rest)?
            }
            None => text.strip_prefix("//").unwrap_or(text),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at_checked(end)?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = without_port(host).trim_end_matches('.').to_lowercase();
        let path = after.split(['?', '#']).next().unwrap_or_default().trim_matches('/').to_owned();
        is_host(&host).then_some(Self { host, path })
    }

    /// Returns the host, in lower case, without a port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the path without slashes around it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the registrable domain: the public suffix and one label. An IP address, and a host that is
    /// itself a public suffix, stand for themselves.
    pub fn domain(&self) -> &str {
        let literal = self.host.starts_with('[') || self.host.parse::<std::net::IpAddr>().is_ok();
        if literal { &self.host } else { suffix::registrable(&self.host).unwrap_or(&self.host) }
    }
}

/// Which names stand for one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, String>);

impl Default for Aliases {
    fn default() -> Self {
        Self(
            ALIASES.iter().map(|(other, name)| ((*other).to_owned(), (*name).to_owned())).collect(),
        )
    }
}

impl Aliases {
    /// Adds a name, which replaces a rule for the same domain.
    pub fn add(&mut self, other: &str, name: &str) {
        self.0.insert(other.to_lowercase(), name.to_lowercase());
    }

    /// Returns the domain an address counts for.
    pub fn domain<'a>(&'a self, address: &'a Address) -> &'a str {
        let domain = address.domain();
        // A name below a public suffix of its owner, such as `raw.githubusercontent.com`.
        let parent = domain.split_once('.').map_or(domain, |(_, parent)| parent);
        self.0.get(domain).or_else(|| self.0.get(parent)).map_or(domain, String::as_str)
    }
}

fn without_port(host: &str) -> &str {
    if let Some(end) = host.find(']').filter(|_| host.starts_with('[')) {
        return host.get(..=end).unwrap_or(host);
    }
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || visible(c);
        !label.is_empty() && label.chars().all(good)
    };
    let visible_length = !host.is_empty() && host.len() <= MAX_HOST_BYTES;
    visible_length && host.split('.').all(label)
}

/// Whether a character outside ASCII can stand in a name.
fn visible(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::{Address, Aliases};

    #[track_caller]
    fn check(address: &str, expected: Option<&str>) {
        let aliases = Aliases::default();
        let parsed = Address::parse(address);
        assert_eq!(parsed.as_ref().map(|a| aliases.domain(a)), expected, "{address}");
    }

    #[test]
    fn a_domain_is_what_somebody_registered() {
        check("https://news.example.co.uk/a?b#c", Some("example.co.uk"));
        check("http://user:pass@WWW.Example.COM.:8080/", Some("example.com"));
        check("https://alice.github.io/post", Some("alice.github.io"));
        check("bbc.com/news", Some("bbc.co.uk"));
        check("https://pubmed.ncbi.nlm.nih.gov/1/", Some("nih.gov"));
        check("https://raw.githubusercontent.com/a/b", Some("github.com"));
        check("https://www.gov.cn/", Some("www.gov.cn"));
        check("https://例え.jp/", Some("例え.jp"));
        check("//example.org", Some("example.org"));
        check("http://192.0.2.7/x", Some("192.0.2.7"));
        check("http://[2001:DB8::1]:80/x", Some("[2001:db8::1]"));
        check("localhost", Some("localhost"));
    }

    #[test]
    fn what_is_no_address_has_no_domain() {
        for address in
            ["", " ", "https://", "https:///x", "a b.com", "exa\u{7}mple.com", "[::1", "..", "a..b"]
        {
            check(address, None);
        }
        check(&"a".repeat(254), None);
        check(&format!("https://example.com/{}", "a".repeat(9000)), None);
    }

    #[test]
    fn an_alias_can_be_added_and_replaced() {
        let mut aliases = Aliases::default();
        aliases.add("X.com", "x.com");
        let address = Address::parse("https://x.com/a");
        assert_eq!(address.as_ref().map(|a| aliases.domain(a)), Some("x.com"));
    }
}
