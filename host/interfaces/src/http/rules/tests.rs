//! Cases of the request check.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use ringfence_capability::{Grant, Origin};

fn rules(grants: &[(&str, Port, MethodClass)]) -> HttpRules {
    let grant = |(host, port, methods): &(&str, Port, MethodClass)| {
        let host = host.parse().unwrap();
        Grant::new(Capability::Http { host, port: *port, methods: *methods }, Origin::BuiltIn)
    };
    HttpRules::from_grants(&GrantSet::new(grants.iter().map(grant).collect()))
}

fn check(rules: &HttpRules, method: &str, uri: &str) -> Result<Admitted, Refusal> {
    rules.check(&method.parse().unwrap(), &uri.parse().unwrap())
}

const READ: MethodClass = MethodClass::Read;
const WRITE: MethodClass = MethodClass::Write;

#[test]
fn what_a_grant_covers_is_admitted_and_the_rest_refused_with_its_reason() {
    let granted = rules(&[
        ("example.com", Port::Default, READ),
        ("*.example.org", Port::Number(8443), READ),
        ("api.example.net", Port::Default, WRITE),
    ]);
    for (method, uri, reason) in [
        ("GET", "https://example.com/", None),
        ("HEAD", "http://example.com/", None),
        ("OPTIONS", "https://EXAMPLE.com.:443/", None),
        ("GET", "https://a.example.org:8443/x", None),
        ("PATCH", "https://api.example.net/", None),
        ("POST", "https://example.com/", Some(Reason::MethodNotGranted)),
        ("QUERY", "https://example.com/", Some(Reason::MethodNotGranted)),
        ("get", "https://example.com/", Some(Reason::MethodNotGranted)),
        ("GET", "https://example.com:80/", Some(Reason::PortNotGranted)),
        ("GET", "http://example.com:443/", Some(Reason::PortNotGranted)),
        ("GET", "https://a.example.org/", Some(Reason::PortNotGranted)),
        ("GET", "https://example.org:8443/", Some(Reason::HostNotGranted)),
        ("GET", "https://evil-example.com/", Some(Reason::HostNotGranted)),
        ("GET", "https://example.com.evil.org/", Some(Reason::HostNotGranted)),
        ("GET", "https://127.0.0.1/", Some(Reason::HostNotGranted)),
        ("CONNECT", "https://api.example.net/", Some(Reason::Method)),
        ("TRACE", "https://api.example.net/", Some(Reason::Method)),
    ] {
        let refused = check(&granted, method, uri).err().map(|refusal| refusal.reason);
        assert_eq!(refused, reason, "{method} {uri}");
    }
}

#[test]
fn a_uri_that_can_be_read_in_two_ways_is_refused() {
    let all = rules(&[("*", Port::Default, WRITE)]);
    let long = format!("https://example.com/{}", "a".repeat(MOST_URI_BYTES));
    for (uri, reason) in [
        ("ftp://example.com/", Reason::Scheme),
        ("ws://example.com/", Reason::Scheme),
        ("/path", Reason::Scheme),
        ("https://user@example.com/", Reason::UserInfo),
        ("https://example.com@evil.org/", Reason::UserInfo),
        ("https://example.com:pass@evil.org/", Reason::UserInfo),
        ("https://example.com:99999/", Reason::Uri),
        ("https://example.com:/", Reason::Uri),
        ("https://example.com:0/", Reason::Uri),
        ("https://2130706433/", Reason::Uri),
        ("https://0x7f.1/", Reason::Uri),
        ("https://127.1/", Reason::Uri),
        (&long, Reason::Uri),
    ] {
        assert_eq!(check(&all, "GET", uri).unwrap_err().reason, reason, "{uri}");
    }
    assert_eq!(check(&all, "GET", "https://example.com/").unwrap().target(), "example.com:443");
}

#[test]
fn no_grant_covers_nothing() {
    let refused = check(&HttpRules::default(), "GET", "https://example.com/").unwrap_err();
    assert_eq!(refused.reason, Reason::HostNotGranted);
}

#[test]
fn a_refusal_names_the_grant_that_would_allow_it() {
    let granted = rules(&[("example.com", Port::Default, READ)]);
    for (method, uri, missing) in [
        ("GET", "https://example.org/", Some("http.read:example.org")),
        ("GET", "https://example.com:8443/", Some("http.read:example.com:8443")),
        ("POST", "https://example.com/", Some("http.write:example.com")),
        ("GET", "ftp://example.com/", None),
    ] {
        let refusal = check(&granted, method, uri).unwrap_err();
        assert_eq!(refusal.missing.map(|missing| missing.to_string()).as_deref(), missing);
    }
}

#[test]
fn the_named_grant_really_allows_it() {
    for (method, uri) in [
        ("GET", "https://example.org/"),
        ("DELETE", "http://example.com:8443/"),
        ("GET", "https://[2606:4700::1111]/"),
    ] {
        let missing = check(&HttpRules::default(), method, uri).unwrap_err().missing.unwrap();
        let grants = GrantSet::new(vec![Grant::new(missing, Origin::BuiltIn)]);
        check(&HttpRules::from_grants(&grants), method, uri).unwrap();
    }
}

#[test]
fn only_a_grant_to_write_allows_a_body_on_a_read() {
    let read = rules(&[("example.com", Port::Default, READ)]);
    assert_eq!(check(&read, "GET", "https://example.com/").unwrap().body(), BodyRule::None);
    let both = rules(&[("example.com", Port::Default, READ), ("*", Port::Default, WRITE)]);
    assert_eq!(check(&both, "GET", "https://example.com/").unwrap().body(), BodyRule::Allowed);
}

#[test]
fn the_host_header_has_the_port_only_where_it_says_something() {
    let all = rules(&[("*", Port::Default, READ), ("*", Port::Number(8080), READ)]);
    for (uri, authority) in [
        ("https://example.com/", "example.com"),
        ("https://example.com:443/", "example.com"),
        ("http://example.com:8080/", "example.com:8080"),
        ("http://[2606:4700::1111]/", "[2606:4700::1111]"),
    ] {
        assert_eq!(check(&all, "GET", uri).unwrap().authority(), authority);
    }
}

#[test]
fn a_tunnel_needs_a_grant_to_write_its_host_and_port() {
    let granted = rules(&[
        ("example.com", Port::Default, READ),
        ("api.example.net", Port::Default, WRITE),
        ("*.example.org", Port::Number(8443), WRITE),
    ]);
    for (target, reason) in [
        ("api.example.net:443", None),
        ("API.example.net.:443", None),
        ("a.example.org:8443", None),
        ("example.com:443", Some(Reason::MethodNotGranted)),
        ("api.example.net:80", Some(Reason::PortNotGranted)),
        ("a.example.org:443", Some(Reason::PortNotGranted)),
        ("example.org:8443", Some(Reason::HostNotGranted)),
        ("api.example.net", Some(Reason::Uri)),
        ("api.example.net:", Some(Reason::Uri)),
        ("/api.example.net:443", Some(Reason::Uri)),
        ("https://api.example.net:443/", Some(Reason::Uri)),
        ("user@api.example.net:443", Some(Reason::UserInfo)),
    ] {
        let refused = granted.check_tunnel(&target.parse().unwrap()).err();
        assert_eq!(refused.map(|refusal| refusal.reason), reason, "{target}");
    }
    // It is not a way in for guests.
    let all = rules(&[("*", Port::Default, WRITE)]);
    assert_eq!(check(&all, "CONNECT", "a.org:443").unwrap_err().reason, Reason::Scheme);
}
