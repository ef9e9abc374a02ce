//! What is admitted, what is recorded, what goes on the wire.

use crate::support::{Log, all_hosts, error, fetch, fetch_with, get, ok, post, run, server};
use ringfence_capability::{Capability, MethodClass, Port};
use ringfence_interfaces::http::{Resolve, Timeouts};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi_http::RequestOptions;

const MOMENT: Duration = Duration::from_millis(50);

fn one_host(methods: MethodClass, port: u16) -> Vec<Capability> {
    let host = "example.test".parse().unwrap();
    vec![Capability::Http { host, port: Port::Number(port), methods }]
}

#[tokio::test]
async fn a_granted_request_goes_out_and_is_recorded_first() {
    let (port, inbox) = server(ok("hello")).await;
    let run = run(one_host(MethodClass::Read, port), |_| {});
    let response = fetch(&run, get(&format!("http://example.test:{port}/a?b=c"))).await.unwrap();
    assert_eq!(response.body(), "hello");
    let sent = inbox.only();
    assert!(sent.starts_with("get /a?b=c http/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("host: example.test:{port}\r\n")), "{sent}");
    assert_eq!(
        run.log.lines(),
        ["http.read resolve example.test done", "http.read GET example.test done"]
    );
}

#[tokio::test]
async fn a_refused_request_is_typed_recorded_and_never_sent() {
    let (port, inbox) = server(ok("")).await;
    let granted = || one_host(MethodClass::Read, port);
    let wide = || all_hosts(MethodClass::Write, port);
    for (method, host, grants, seen, reason) in [
        ("GET", "other.test", granted(), "HttpRequestDenied", "host-not-granted"),
        ("POST", "example.test", granted(), "HttpRequestDenied", "method-not-granted"),
        ("DELETE", "example.test", granted(), "HttpRequestDenied", "method-not-granted"),
        ("CONNECT", "example.test", wide(), "HttpRequestMethodInvalid", "method"),
        ("TRACE", "example.test", wide(), "HttpRequestMethodInvalid", "method"),
    ] {
        let run = run(grants, |_| {});
        let uri = format!("http://{host}:{port}/");
        let mut request = get(&uri);
        *request.method_mut() = method.parse().unwrap();
        assert_eq!(error(fetch(&run, request).await), seen, "{method} {host}");
        let kind = if method == "GET" { "http.read" } else { "http.write" };
        assert_eq!(run.log.lines(), [format!("{kind} {method} {host} {reason}")]);
        assert_eq!(inbox.texts(), Vec::<String>::new());
    }
    for (method, host) in [("GET", "other.test"), ("POST", "example.test"), ("DELETE", "x.test")] {
        let mut request = get(&format!("http://{host}:{port}/"));
        *request.method_mut() = method.parse().unwrap();
        assert_eq!(error(fetch(&run(wide(), |_| {}), request).await), "status 200", "{method}");
    }
}

#[tokio::test]
async fn a_request_for_an_upgrade_is_refused_and_one_without_is_sent() {
    let (port, inbox) = server(ok("")).await;
    for (header, value, reason) in [
        ("upgrade", "websocket", "upgrade"),
        ("connection", "upgrade", "forbidden-header"),
        ("transfer-encoding", "chunked", "forbidden-header"),
        ("proxy-authorization", "x", "forbidden-header"),
    ] {
        let run = run(all_hosts(MethodClass::Write, port), |_| {});
        let mut request = get(&format!("http://example.test:{port}/"));
        request.headers_mut().insert(header, value.parse().unwrap());
        assert_eq!(error(fetch(&run, request).await), "HttpRequestDenied", "{header}");
        assert_eq!(run.log.lines(), [format!("http.read GET example.test {reason}")]);
    }
    assert!(inbox.texts().is_empty());
    let run = run(all_hosts(MethodClass::Write, port), |_| {});
    let fine = fetch(&run, get(&format!("http://example.test:{port}/"))).await;
    assert_eq!(error(fine), "status 200");
}

#[tokio::test]
async fn the_host_header_is_the_address_and_not_what_the_guest_says() {
    let (port, inbox) = server(ok("")).await;
    let run = run(one_host(MethodClass::Read, port), |_| {});
    let mut request = get(&format!("http://EXAMPLE.test.:{port}/"));
    request.headers_mut().insert("host", "internal.test".parse().unwrap());
    request.headers_mut().insert("x-forwarded-for", "kept".parse().unwrap());
    fetch(&run, request).await.unwrap();
    let sent = inbox.only();
    assert!(sent.contains(&format!("host: example.test:{port}\r\n")), "{sent}");
    assert!(!sent.contains("internal.test") && sent.contains("x-forwarded-for: kept"), "{sent}");
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let (port, inbox) = server(ok("")).await;
    let uri = format!("http://127.0.0.1:{port}/");
    let broken = Arc::new(Log { broken: true, ..Log::default() });
    let refused = run(all_hosts(MethodClass::Read, port), |config| config.effects = broken);
    assert_eq!(error(fetch(&refused, get(&uri)).await), "HttpRequestDenied");
    assert!(inbox.texts().is_empty());
    let recorded = run(all_hosts(MethodClass::Read, port), |_| {});
    assert_eq!(error(fetch(&recorded, get(&uri)).await), "status 200");
}

#[tokio::test]
async fn a_redirect_is_shown_to_the_guest_and_its_target_is_checked_anew() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    let (port, inbox) = server(redirect).await;
    let run = run(one_host(MethodClass::Read, port), |_| {});
    let first = fetch(&run, get(&format!("http://example.test:{port}/"))).await.unwrap();
    assert_eq!((first.status().as_u16(), inbox.texts().len()), (302, 1));
    let target = first.headers()["location"].to_str().unwrap();
    assert_eq!(error(fetch(&run, get(target)).await), "HttpRequestDenied");
    // Even where every host is granted, the address stays refused.
    let wide = crate::support::run(all_hosts(MethodClass::Read, port), |_| {});
    assert_eq!(error(fetch(&wide, get(target)).await), "DestinationIpProhibited");
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let (port, _) = server("").await;
    let uri = format!("http://example.test:{port}/");
    let run = run(all_hosts(MethodClass::Write, port), |config| {
        config.timeouts = Timeouts { first_byte: MOMENT, ..Timeouts::default() };
    });
    // A guest cannot ask for more patience than the host has.
    let hour = Some(Duration::from_hours(1));
    let options = RequestOptions { first_byte_timeout: hour, ..RequestOptions::default() };
    assert_eq!(error(fetch_with(&run, get(&uri), options).await), "ConnectionReadTimeout");
    assert_eq!(error(fetch(&run, post(&uri, "x")).await), "ConnectionReadTimeout");
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_is_not_waited_for() {
    let (port, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbeginning...").await;
    let run = run(all_hosts(MethodClass::Read, port), |_| {});
    let options =
        RequestOptions { between_bytes_timeout: Some(MOMENT), ..RequestOptions::default() };
    let request = get(&format!("http://example.test:{port}/"));
    assert_eq!(error(fetch_with(&run, request, options).await), "ConnectionReadTimeout");
}

#[tokio::test]
async fn a_resolver_that_does_not_answer_is_not_waited_for() {
    struct Silent;
    impl Resolve for Silent {
        fn resolve<'a>(
            &'a self,
            _: &'a str,
        ) -> futures::future::BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let run = run(all_hosts(MethodClass::Read, 1), |config| {
        config.resolver = Arc::new(Silent);
        config.timeouts = Timeouts { connect: MOMENT, ..Timeouts::default() };
    });
    assert_eq!(error(fetch(&run, get("https://example.test/")).await), "DnsTimeout");
}

#[tokio::test]
async fn a_hostile_head_of_a_response_is_an_error() {
    let flood = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(128 * 1024));
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    for (answer, seen) in [
        (flood.as_str(), "HttpResponseHeaderSectionSize(None)"),
        (switch, "HttpUpgradeFailed"),
        ("nonsense\r\n\r\n", "HttpProtocolError"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole", "status 200"),
    ] {
        let (port, _) = server(answer).await;
        let run = run(all_hosts(MethodClass::Read, port), |_| {});
        let request = get(&format!("http://example.test:{port}/"));
        let seen_instead = error(fetch(&run, request).await);
        assert_eq!(seen_instead, seen, "{}", &answer[..answer.len().min(60)]);
    }
}
