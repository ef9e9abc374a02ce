//! What is let through, what is refused, and what the server sees of it.

use crate::program::{serve, serve_with};
use crate::support::{all_hosts, ok, server, tls_server};
use ringfence_capability::{Capability, Kind, Limits, MethodClass, Port};
use ringfence_interfaces::http::{AttachedSecret, Resolve, SecretValue, Timeouts, danger};
use ringfence_interfaces::{Effect, EffectSink, Moved, NotRecorded};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const READ: MethodClass = MethodClass::Read;
const WRITE: MethodClass = MethodClass::Write;

fn one_host(methods: MethodClass, port: u16) -> Vec<Capability> {
    let host = "example.test".parse().unwrap();
    vec![Capability::Http { host, port: Port::Number(port), methods }]
}

#[tokio::test]
async fn a_granted_request_goes_out_as_one_of_the_server_s_own_and_is_recorded() {
    let (port, inbox) = server(ok("hello")).await;
    let served = serve(one_host(READ, port));
    let host = format!("host: example.test:{port}");
    let answer = served
        .say(crate::program::request(
            &format!("GET http://example.test:{port}/a?b=c"),
            &[&host, "proxy-authorization: Basic eDp5", "te: trailers", "x-mine: 1"],
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"));
    let sent = inbox.only();
    assert!(sent.starts_with("get /a?b=c http/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("{host}\r\n")) && sent.contains("x-mine: 1\r\n"), "{sent}");
    for own in ["proxy-", "te:", "connection:"] {
        assert!(!sent.contains(own), "{own} {sent}");
    }
    served.logged("end example.test done").await;
    assert_eq!(
        served.log.lines(),
        [
            "http.read resolve example.test done",
            "http.read GET example.test done",
            "http.read end example.test done"
        ]
    );
    let summary = served.proxy.shut_down().await;
    assert_eq!((summary.allowed, summary.refused, summary.moved.received_bytes), (2, 0, 5));
}

#[tokio::test]
async fn a_refused_request_is_told_why_recorded_and_never_sent() {
    let (port, inbox) = server(ok("")).await;
    let at = |path: &str| format!("http://example.test:{port}{path}");
    let wide = || all_hosts(WRITE, port);
    let narrow = || one_host(READ, port);
    for (line, headers, grants, seen) in [
        (format!("GET {}", at("/")), vec![], vec![], "403 host-not-granted"),
        (format!("GET http://other.test:{port}/"), vec![], narrow(), "403 host-not-granted"),
        ("GET http://example.test:1/".into(), vec![], narrow(), "403 port-not-granted"),
        (format!("POST {}", at("/")), vec![], narrow(), "403 method-not-granted"),
        (format!("PUT {}", at("/")), vec!["content-length: 0"], narrow(), "403 method-not-granted"),
        (format!("get {}", at("/")), vec![], narrow(), "403 method-not-granted"),
        (format!("GET {}", at("/")), vec!["content-length: 1"], narrow(), "403 body-on-read"),
        (format!("TRACE {}", at("/")), vec![], wide(), "403 method"),
        (
            format!("GET {}", at("/")),
            vec!["upgrade: websocket", "sec-websocket-key: x"],
            narrow(),
            "403 upgrade",
        ),
        (format!("GET {}", at("/")), vec!["upgrade: h2c"], wide(), "403 upgrade"),
        (format!("GET {}", at("/")), vec!["connection: Upgrade"], wide(), "403 upgrade"),
        (format!("GET {}", at("/")), vec!["sec-websocket-key: x"], wide(), "403 upgrade"),
        (
            format!("GET {}", at("/")),
            vec!["connection: authorization"],
            wide(),
            "403 forbidden-header",
        ),
        (
            format!("GET {}", at("/")),
            vec!["connection: close, HOST"],
            wide(),
            "403 forbidden-header",
        ),
        (format!("GET {}", at("/")), vec!["expect: something"], wide(), "403 forbidden-header"),
        (format!("GET {}", at("/")), vec!["host: evil.test"], wide(), "403 host-mismatch"),
        (format!("GET {}", at("/")), vec!["host: example.test"], wide(), "403 host-mismatch"),
        (format!("GET {}", at("/")), vec!["host: "], wide(), "403 host-mismatch"),
        ("GET /".into(), vec!["host: example.test"], wide(), "403 scheme"),
        ("GET ftp://example.test/".into(), vec![], wide(), "403 scheme"),
        ("OPTIONS *".into(), vec![], wide(), "403 scheme"),
    ] {
        let served = serve(grants);
        assert_eq!(served.ask(&line, &headers).await, seen, "{line} {headers:?}");
        let reason = seen.split_once(' ').unwrap().1;
        let lines = served.log.lines();
        assert!(lines.len() == 1 && lines[0].ends_with(reason), "{line} {lines:?}");
        assert_eq!(inbox.texts(), Vec::<String>::new(), "{line}");
        assert_eq!(served.proxy.summary().refused, 1);
    }
}

/// The twin of the test above: nothing is refused for how it is written.
#[tokio::test]
async fn the_same_requests_with_what_was_missing_or_without_what_was_too_much_go_out() {
    let (port, _inbox) = server(ok("")).await;
    let at = |path: &str| format!("http://example.test:{port}{path}");
    let wide = || all_hosts(WRITE, port);
    let narrow = || one_host(READ, port);
    for (line, headers, grants) in [
        (format!("GET {}", at("/")), vec![], narrow()),
        (format!("GET http://other.test:{port}/"), vec![], wide()),
        (format!("POST {}", at("/")), vec!["content-length: 0"], wide()),
        (format!("PUT {}", at("/")), vec!["content-length: 0"], wide()),
        (format!("GET {}", at("/")), vec!["connection: keep-alive, TE"], wide()),
        (format!("OPTIONS {}", at("/")), vec!["expect: 100-continue"], wide()),
    ] {
        assert_eq!(serve(grants).ask(&line, &headers).await, "200", "{line}");
    }
    let host = format!("host: EXAMPLE.test.:{port}");
    assert_eq!(serve(wide()).ask(&format!("GET {}", at("/")), &[&host]).await, "200");
}

#[tokio::test]
async fn an_address_that_can_be_read_in_two_ways_is_refused() {
    let (port, inbox) = server(ok("")).await;
    for (uri, seen) in [
        (format!("http://user@example.test:{port}/"), "403 user-info"),
        (format!("http://example.test:{port}@evil.test/"), "403 user-info"),
        (format!("http://evil.test:x@example.test:{port}/"), "403 user-info"),
        ("http://example.test:0/".into(), "403 uri"),
        ("http://example.test:99999/".into(), "403 uri"),
        ("http://example.test:/".into(), "403 uri"),
        ("http://example.test:+80/".into(), "403 uri"),
        (format!("http://example.test:80:{port}/"), "400"),
        (format!("http://example.test\0.evil.test:{port}/"), "400"),
        (format!("http://example.test%00.evil.test:{port}/"), "400"),
        (format!("http://ex%61mple.test:{port}/"), "400"),
        (format!("http://exämple.test:{port}/"), "400"),
        (format!("http://example.test\\@evil.test:{port}/"), "400"),
        (format!("http:// example.test:{port}/"), "400"),
        (format!("http://example.test..:{port}/"), "403 uri"),
        (format!("http://2130706433:{port}/"), "403 uri"),
        (format!("http://0x7f000001:{port}/"), "403 uri"),
        (format!("http://0177.0.0.1:{port}/"), "403 uri"),
        (format!("http://127.1:{port}/"), "403 uri"),
        (format!("http://[::1:{port}/"), "400"),
        (format!("http://[fe80::1%25lo]:{port}/"), "403 uri"),
    ] {
        let served = serve(all_hosts(WRITE, port));
        let seen_instead = served.ask(&format!("GET {uri}"), &[]).await;
        assert_eq!(seen_instead, seen, "{uri:?}");
        let reason = if seen == "400" { "unreadable" } else { &seen[4..] };
        served.logged(reason).await;
        assert!(inbox.texts().is_empty(), "{uri:?}");
    }
    for host in ["example.test", "EXAMPLE.test.", "127.0.0.1", "xn--exmple-cua.test"] {
        let served = serve(all_hosts(WRITE, port));
        assert_eq!(served.ask(&format!("GET http://{host}:{port}/"), &[]).await, "200", "{host}");
    }
}

#[tokio::test]
async fn the_body_of_a_refusal_names_the_grant_that_is_missing() {
    let served = serve(one_host(READ, 80));
    for (line, text) in [
        (
            "POST http://example.test/",
            "ringfence refused POST to example.test:80: the grants for the host only read; if it is \
             intended, have `http.write:example.test:80` granted\n",
        ),
        (
            "GET http://other.test/",
            "ringfence refused GET to other.test:80: no grant covers the host; if it is intended, \
             have `http.read:other.test` granted\n",
        ),
        ("GET /", "ringfence refused GET to (unreadable): only `http` and `https` can be used\n"),
    ] {
        let answer = served.say(crate::program::request(line, &[])).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("connection: close"), "{head}");
        // What is asked for is the least that covers the request.
        let text = text.replace("example.test:80` granted", "example.test` granted");
        assert_eq!(body, text);
    }
}

#[tokio::test]
async fn a_large_refused_body_does_not_hide_the_answer() {
    let served = serve(one_host(READ, 80));
    let body = "x".repeat(200_000);
    let length = format!("content-length: {}", body.len());
    let text = crate::program::request("POST http://example.test/", &[&length]) + &body;
    assert_eq!(crate::program::outcome(&served.say(text).await), "403 method-not-granted");
}

#[tokio::test]
async fn a_read_over_tls_is_made_by_the_host_and_a_write_needs_its_grant() {
    let (port, inbox, certificate) = tls_server(&["example.test"]).await;
    let trusting = |methods| {
        let certificate = certificate.clone();
        serve_with(one_host(methods, port), Limits::default(), |config, _| {
            config.roots = danger::trust_also(certificate).unwrap();
        })
    };
    let uri = format!("https://example.test:{port}/secret");
    assert_eq!(trusting(READ).ask(&format!("GET {uri}"), &[]).await, "200");
    assert!(inbox.only().starts_with("get /secret http/1.1\r\n"));
    let write = format!("POST {uri}");
    assert_eq!(trusting(READ).ask(&write, &[]).await, "403 method-not-granted");
    assert_eq!(trusting(WRITE).ask(&write, &["content-length: 0"]).await, "200");
    // Whom the host trusts is what counts; the program cannot skip that.
    let strict = serve(one_host(READ, port));
    assert_eq!(strict.ask(&format!("GET {uri}"), &[]).await, "502 failed tls-certificate");
}

#[tokio::test]
async fn a_secret_is_added_on_the_way_and_the_program_never_has_it() {
    let (port, inbox, certificate) = tls_server(&["example.test"]).await;
    let host = || "example.test".parse().unwrap();
    let mut grants = one_host(READ, port);
    grants.push(Capability::Secret { name: "TOKEN".parse().unwrap(), host: host() });
    let served = serve_with(grants, Limits::default(), |config, _| {
        config.roots = danger::trust_also(certificate).unwrap();
        let header = http::HeaderName::from_static("authorization");
        let (name, value) = ("TOKEN".parse().unwrap(), SecretValue::new("hunter2"));
        config.secrets =
            Arc::new([AttachedSecret::new(name, host(), header, "Bearer {}", value).unwrap()]);
    });
    let line = format!("GET https://example.test:{port}/");
    let answer = served.say(crate::program::request(&line, &["authorization: mine"])).await;
    assert!(!answer.contains("hunter2"), "{answer}");
    let sent = inbox.only();
    assert!(sent.contains("authorization: bearer hunter2\r\n") && !sent.contains("mine"), "{sent}");
}

#[tokio::test]
async fn an_effect_says_host_port_class_bytes_and_verdict() {
    #[derive(Default)]
    struct Kept(Mutex<Vec<Effect>>);
    impl EffectSink for Kept {
        fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
            self.0.lock().unwrap().push(effect);
            Ok(())
        }
    }
    let (port, _) = server(ok("hello")).await;
    let kept = Arc::new(Kept::default());
    let served = serve_with(one_host(WRITE, port), Limits::default(), |config, _| {
        config.effects = Arc::clone(&kept) as _;
    });
    let said = crate::program::request(
        &format!("POST http://example.test:{port}/"),
        &["content-length: 3"],
    );
    served.say(said + "abc").await;
    served.ask("GET http://other.test/", &[]).await;
    served.proxy.shut_down().await;
    let to = format!("example.test:{port}");
    let moved = Moved { sent_bytes: 3, received_bytes: 5 };
    let expected = [
        Effect::done(Kind::HttpWrite, "resolve", "example.test"),
        Effect::done(Kind::HttpWrite, "POST", &to),
        Effect::done(Kind::HttpWrite, "end", &to).after(moved),
        Effect::refused(Kind::HttpRead, "GET", "other.test:80", "host-not-granted"),
    ];
    assert_eq!(*kept.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_server_cannot_speak_for_the_proxy() {
    let forged = "HTTP/1.1 403 Forbidden\r\nx-ringfence-denied: limit\r\n\
                  x-ringfence-failed: dns\r\ncontent-length: 0\r\n\r\n";
    let (port, _) = server(forged).await;
    let served = serve(one_host(READ, port));
    assert_eq!(served.ask(&format!("GET http://example.test:{port}/"), &[]).await, "403");
}

#[tokio::test]
async fn a_failure_is_told_apart_from_a_refusal() {
    struct Silent;
    impl Resolve for Silent {
        fn resolve<'a>(
            &'a self,
            _: &'a str,
        ) -> futures::future::BoxFuture<'a, std::io::Result<Vec<std::net::IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let unused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (silent, _) = server("").await;
    let (broken, _) = server("nonsense\r\n\r\n").await;
    let (switch, _) =
        server("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
            .await;
    for (port, resolves, seen) in [
        (80, false, "504 failed dns"),
        (unused, true, "502 failed connect"),
        (silent, true, "504 failed response"),
        (broken, true, "502 failed response"),
        (switch, true, "502 failed response"),
    ] {
        let served = serve_with(one_host(READ, port), Limits::default(), |config, _| {
            let wait = Duration::from_millis(300);
            config.timeouts = Timeouts { connect: wait, first_byte: wait, between_bytes: wait };
            if !resolves {
                config.resolver = Arc::new(Silent);
            }
        });
        let uri = format!("GET http://example.test:{port}/");
        assert_eq!(served.ask(&uri, &[]).await, seen, "{port}");
    }
}

#[tokio::test]
async fn answers_reach_the_program_framed_in_one_way() {
    for (method, answer, seen) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", "content-length: 100\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n", "304 Not Modified"),
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 100\r\n\r\n", "204 No Content"),
        ("GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nwhole\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
        ),
    ] {
        let (port, _) = server(answer).await;
        let served = serve(one_host(READ, port));
        let line = format!("{method} http://example.test:{port}/");
        let answer = served.say(crate::program::request(&line, &[])).await;
        assert!(answer.contains(seen), "{method} {answer:?}");
    }
}
