//! What goes on the wire for addresses that no test can dial.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::http::{AddressRules, AttachedSecret, HttpRules, SecretValue, danger};
use crate::{EffectSink, NotRecorded};
use ringfence_capability::{Capability, Grant, GrantSet, Limits, MethodClass, Origin, Port};
use ringfence_engine::Meter;

struct Deaf;

impl EffectSink for Deaf {
    fn record(&self, _: Effect) -> Result<(), NotRecorded> {
        Ok(())
    }
}

fn config() -> HttpConfig {
    let host = || "example.com".parse().unwrap();
    let http = Capability::Http { host: host(), port: Port::Default, methods: MethodClass::Read };
    let secret = Capability::Secret { name: "TOKEN".parse().unwrap(), host: host() };
    let grants = [http, secret].map(|capability| Grant::new(capability, Origin::BuiltIn));
    let rules = HttpRules::from_grants(&GrantSet::new(grants.into()));
    let mut config = HttpConfig::new(rules, Meter::new(Limits::default()), Arc::new(Deaf));
    let (header, value) = (HeaderName::from_static("x-token"), SecretValue::new("hunter2"));
    let secret = AttachedSecret::new("TOKEN".parse().unwrap(), host(), header, "{}", value);
    config.secrets = Arc::new([secret.unwrap()]);
    config
}

fn prepared(uri: &str, addresses: &[CheckedAddress]) -> request::Parts {
    let config = config();
    let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
    let call = Call::admit(&config, &parts).unwrap();
    call.prepare(&mut parts, addresses).unwrap();
    parts
}

#[test]
fn a_secret_is_not_sent_in_the_clear_over_the_internet() {
    let public = AddressRules::public_only().check([1, 1, 1, 1].into()).unwrap();
    let loopback = danger::also(AddressRules::public_only(), ["127.0.0.0/8".parse().unwrap()]);
    let local = loopback.check([127, 0, 0, 1].into()).unwrap();
    for (uri, addresses, sent) in [
        ("http://example.com/", vec![public], false),
        ("http://example.com/", vec![local, public], false),
        ("http://example.com/", vec![local], true),
        ("https://example.com/", vec![public], true),
    ] {
        let parts = prepared(uri, &addresses);
        assert_eq!(parts.headers.contains_key("x-token"), sent, "{uri} {addresses:?}");
    }
}

#[test]
fn the_request_line_is_a_path_of_the_checked_host() {
    let public = [AddressRules::public_only().check([1, 1, 1, 1].into()).unwrap()];
    for (uri, line) in [
        ("https://example.com", "/"),
        ("https://example.com?a=b", "/?a=b"),
        ("https://example.com//evil.org/", "//evil.org/"),
        ("https://example.com/http://evil.org/", "/http://evil.org/"),
    ] {
        let parts = prepared(uri, &public);
        assert_eq!(parts.uri.path_and_query().unwrap().as_str(), line, "{uri}");
        assert_eq!((parts.uri.authority(), parts.uri.scheme()), (None, None), "{uri}");
        assert_eq!(parts.headers["host"], "example.com");
    }
}
