//! Where a request can go, whatever name it was given.

use crate::support::{Fixed, all_hosts, error, fetch, get, ok, run, server};
use ringfence_capability::MethodClass;
use ringfence_interfaces::http::AddressRules;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const READ: MethodClass = MethodClass::Read;

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_reached_with_the_protection_off() {
    let (port, inbox) = server(ok("")).await;
    let uri = format!("http://example.test:{port}/");
    let on = run(all_hosts(READ, port), |config| config.addresses = AddressRules::public_only());
    assert_eq!(error(fetch(&on, get(&uri)).await), "DestinationIpProhibited");
    assert_eq!(
        on.log.lines(),
        ["http.read resolve example.test done", "http.read GET example.test address-not-public"]
    );
    assert!(inbox.texts().is_empty());
    let off = run(all_hosts(READ, port), |_| {});
    assert_eq!(error(fetch(&off, get(&uri)).await), "status 200");
}

#[tokio::test]
async fn every_spelling_of_an_inside_address_is_refused() {
    for (host, seen) in [
        ("127.0.0.1", "DestinationIpProhibited"),
        ("[::1]", "DestinationIpProhibited"),
        ("[::ffff:127.0.0.1]", "DestinationIpProhibited"),
        ("[::7f00:1]", "DestinationIpProhibited"),
        ("[64:ff9b::7f00:1]", "DestinationIpProhibited"),
        ("[2002:7f00:1::]", "DestinationIpProhibited"),
        ("169.254.169.254", "DestinationIpProhibited"),
        ("[fd00:ec2::254]", "DestinationIpProhibited"),
        ("0.0.0.0", "DestinationIpProhibited"),
        ("10.0.0.1", "DestinationIpProhibited"),
        ("2130706433", "HttpRequestUriInvalid"),
        ("0x7f000001", "HttpRequestUriInvalid"),
        ("127.1", "HttpRequestUriInvalid"),
    ] {
        let run = run(all_hosts(READ, 1), |c| c.addresses = AddressRules::public_only());
        assert_eq!(error(fetch(&run, get(&format!("http://{host}/"))).await), seen, "{host}");
    }
}

#[tokio::test]
async fn an_answer_that_mixes_outside_and_inside_is_refused_whole() {
    let (port, inbox) = server(ok("")).await;
    for mixed in [["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"]] {
        let run = run(all_hosts(READ, port), |config| {
            config.addresses = AddressRules::public_only();
            config.resolver = Fixed::new(&[&mixed]);
        });
        let request = get(&format!("http://example.test:{port}/"));
        assert_eq!(error(fetch(&run, request).await), "DestinationIpProhibited");
    }
    assert!(inbox.texts().is_empty());
}

#[tokio::test]
async fn a_name_is_resolved_once_so_a_second_answer_changes_nothing() {
    let (port, inbox) = server(ok("")).await;
    let resolver = Fixed::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let run = run(all_hosts(READ, port), |config| {
        config.resolver = Arc::clone(&resolver) as _;
    });
    let uri = format!("http://example.test:{port}/");
    assert_eq!(error(fetch(&run, get(&uri)).await), "status 200");
    assert_eq!((resolver.asked.load(Ordering::Relaxed), inbox.texts().len()), (1, 1));
    // The next request asks anew, and its answer is checked anew.
    assert_eq!(error(fetch(&run, get(&uri)).await), "DestinationIpProhibited");
}

#[tokio::test]
async fn the_next_address_is_tried_when_the_first_does_not_answer() {
    let (port, _) = server(ok("")).await;
    let run = run(all_hosts(READ, port), |config| {
        // Nothing listens on the second loopback address.
        config.resolver = Fixed::new(&[&["127.0.0.2", "127.0.0.1"]]);
    });
    let request = get(&format!("http://example.test:{port}/"));
    assert_eq!(error(fetch(&run, request).await), "status 200");
}

#[tokio::test]
async fn a_name_without_addresses_is_a_typed_error() {
    for (answers, seen) in [
        (&[][..], "DnsError { rcode: Some(\"address not available\"), info_code: None }"),
        (&[&[][..]][..], "DestinationNotFound"),
    ] {
        let run = run(all_hosts(READ, 1), |config| config.resolver = Fixed::new(answers));
        assert_eq!(error(fetch(&run, get("https://example.test/")).await), seen);
    }
}
