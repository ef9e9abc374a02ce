//! Where a request or a tunnel can go, whatever name it was given.

use crate::program::{serve, serve_with};
use crate::support::{Fixed, all_hosts, ok, server};
use ringfence_capability::{Limits, MethodClass};
use ringfence_interfaces::http::AddressRules;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const WRITE: MethodClass = MethodClass::Write;

#[tokio::test]
async fn a_granted_name_that_leads_inside_is_refused_and_reached_with_the_protection_off() {
    let (port, inbox) = server(ok("")).await;
    for answer in [
        &["127.0.0.1"][..],
        &["169.254.169.254"],
        &["10.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["1.1.1.1", "127.0.0.1"],
    ] {
        for line in
            [format!("GET http://example.test:{port}/"), format!("CONNECT example.test:{port}")]
        {
            let served = serve_with(all_hosts(WRITE, port), Limits::default(), |config, _| {
                config.addresses = AddressRules::public_only();
                config.resolver = Fixed::new(&[answer]);
            });
            let seen = served.ask(&line, &[]).await;
            assert_eq!(seen, "403 address-not-public", "{line} {answer:?}");
            served.logged("address-not-public").await;
        }
    }
    assert!(inbox.texts().is_empty());
    let open = serve(all_hosts(WRITE, port));
    assert_eq!(open.ask(&format!("GET http://example.test:{port}/"), &[]).await, "200");
}

#[tokio::test]
async fn every_spelling_of_an_inside_address_is_refused() {
    for (host, reason) in [
        ("127.0.0.1", "address-not-public"),
        ("[::1]", "address-not-public"),
        ("[::ffff:127.0.0.1]", "address-not-public"),
        ("[::ffff:a9fe:a9fe]", "address-not-public"),
        ("[64:ff9b::7f00:1]", "address-not-public"),
        ("169.254.169.254", "address-not-public"),
        ("0.0.0.0", "address-not-public"),
        ("2130706433", "uri"),
        ("0x7f.1", "uri"),
        ("0177.0.0.1", "uri"),
    ] {
        for line in [format!("GET http://{host}/"), format!("CONNECT {host}:443")] {
            let served = serve_with(all_hosts(WRITE, 80), Limits::default(), |config, _| {
                config.addresses = AddressRules::public_only();
            });
            assert_eq!(served.ask(&line, &[]).await, format!("403 {reason}"), "{line}");
        }
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_so_a_second_answer_changes_nothing() {
    let (port, inbox) = server(ok("")).await;
    let resolver = Fixed::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |config, _| {
        config.resolver = Arc::clone(&resolver) as _;
    });
    let line = format!("GET http://example.test:{port}/");
    assert_eq!(served.ask(&line, &[]).await, "200");
    assert_eq!((resolver.asked.load(Ordering::Relaxed), inbox.texts().len()), (1, 1));
    // The next request asks anew, and its answer is checked anew.
    assert_eq!(served.ask(&line, &[]).await, "403 address-not-public");
}
