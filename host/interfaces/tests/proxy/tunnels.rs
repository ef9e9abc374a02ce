//! Tunnels: who gets one, and what may be said first in it.

use crate::program::{LONG, MOMENT, Served, head, outcome, rest, serve, serve_with};
use crate::support::{Inbox, all_hosts, ok, server, tls_server};
use ringfence_capability::{Capability, Limit, Limits, MethodClass, Port};
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const READ: MethodClass = MethodClass::Read;
const WRITE: MethodClass = MethodClass::Write;

fn granted(host: &str, methods: MethodClass, port: Port) -> Vec<Capability> {
    vec![Capability::Http { host: host.parse().unwrap(), port, methods }]
}

/// Asks for a tunnel and returns it once it is granted.
async fn tunnel(served: &Served, to: &str) -> TcpStream {
    let mut stream = served.connect().await;
    let text = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(head(&mut stream).await, "HTTP/1.1 200 OK\r\n\r\n");
    stream
}

/// Returns what speaks TLS to a server with this certificate.
fn connector(certificate: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.to_vec())).unwrap();
    TlsConnector::from(client(roots))
}

/// Sends a request through a tunnel to `to` that speaks TLS to `name`; returns the answer, or how
/// TLS failed.
async fn fetch(served: &Served, to: &str, name: &str, certificate: &[u8]) -> String {
    let stream = tunnel(served, to).await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let talking = async {
        let mut stream = match connector(certificate).connect(name, stream).await {
            Ok(stream) => stream,
            Err(error) => return error.to_string(),
        };
        let text = "POST /inside HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    timeout(LONG, talking).await.expect("the tunnel ends")
}

/// Starts a server that keeps every byte it is sent and says nothing.
async fn silent() -> (u16, Inbox) {
    server("").await
}

#[tokio::test]
async fn tls_goes_through_a_granted_tunnel_and_is_counted() {
    let (port, inbox, certificate) = tls_server(&["example.test", "127.0.0.1"]).await;
    for (host, name) in [
        ("example.test", "example.test"),
        ("EXAMPLE.test.", "example.test"),
        ("127.0.0.1", "127.0.0.1"),
    ] {
        let served = serve(all_hosts(WRITE, port));
        let answer = fetch(&served, &format!("{host}:{port}"), name, &certificate).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        served.logged(&format!("http.write end {name} done")).await;
        assert!(served.log.lines().contains(&format!("http.write CONNECT {name} done")));
        let moved = served.proxy.shut_down().await.moved;
        assert!(moved.sent_bytes > 300 && moved.received_bytes > 300, "{moved:?}");
        assert_eq!(served.meter.used(Limit::RequestBytes), moved.sent_bytes);
        assert_eq!(served.meter.used(Limit::ResponseBytes), moved.received_bytes);
        assert_eq!(served.meter.used(Limit::Connections), 1);
    }
    assert!(inbox.texts().iter().all(|text| text.starts_with("POST /inside")));
}

#[tokio::test]
async fn a_tunnel_that_no_grant_to_write_covers_is_refused() {
    let (port, inbox) = silent().await;
    let to = format!("example.test:{port}");
    let number = Port::Number(port);
    for (target, headers, grants, seen) in [
        (to.as_str(), vec![], vec![], "403 host-not-granted"),
        (&to, vec![], granted("example.test", READ, number), "403 method-not-granted"),
        (&to, vec![], granted("*", READ, number), "403 method-not-granted"),
        (&to, vec![], granted("example.test", WRITE, Port::Default), "403 port-not-granted"),
        ("example.test:80", vec![], granted("*", WRITE, Port::Default), "403 port-not-granted"),
        ("example.test:443", vec![], granted("*", WRITE, number), "403 port-not-granted"),
        (&to, vec![], granted("other.test", WRITE, number), "403 host-not-granted"),
        ("example.test", vec![], granted("*", WRITE, number), "403 uri"),
        ("example.test:", vec![], granted("*", WRITE, number), "403 uri"),
        ("example.test:0", vec![], granted("*", WRITE, number), "403 uri"),
        ("example.test:65536", vec![], granted("*", WRITE, number), "403 uri"),
        ("user@example.test:443", vec![], granted("*", WRITE, number), "403 user-info"),
        ("2130706433:443", vec![], granted("*", WRITE, number), "403 uri"),
        ("https://example.test:443/", vec![], granted("*", WRITE, number), "403 uri"),
        ("/example.test:443", vec![], granted("*", WRITE, number), "403 uri"),
        (&to, vec!["host: evil.test:1"], granted("*", WRITE, number), "403 host-mismatch"),
        (&to, vec!["host: example.test:1"], granted("*", WRITE, number), "403 host-mismatch"),
        (&to, vec!["upgrade: websocket"], granted("*", WRITE, number), "403 upgrade"),
        (&to, vec!["content-length: 3"], granted("*", WRITE, number), "403 forbidden-header"),
        (
            &to,
            vec!["transfer-encoding: chunked"],
            granted("*", WRITE, number),
            "403 forbidden-header",
        ),
    ] {
        let served = serve(grants);
        let seen_instead = served.ask(&format!("CONNECT {target}"), &headers).await;
        assert_eq!(seen_instead, seen, "{target} {headers:?}");
        let lines = served.log.lines();
        assert!(lines.len() == 1 && lines[0].ends_with(&seen[4..]), "{target} {lines:?}");
    }
    assert!(inbox.texts().is_empty());
    // The twin: the same target under a grant to write.
    drop(tunnel(&serve(granted("example.test", WRITE, number)), &to).await);
}

#[tokio::test]
async fn a_tunnel_refused_under_read_says_what_would_work() {
    let served = serve(granted("example.test", READ, Port::Default));
    let answer = served.say(crate::program::request("CONNECT example.test:443", &[])).await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        body,
        "ringfence refused CONNECT to example.test:443: what a tunnel carries cannot be seen, so a \
         grant that only reads does not cover it; send `GET https://...` to the proxy itself, or \
         have `http.write:example.test` granted\n"
    );
}

#[tokio::test]
async fn only_tls_can_be_said_in_a_tunnel() {
    for first in [
        "GET http://evil.test/ HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: example.test\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
    ] {
        let (port, inbox) = silent().await;
        let served = serve(all_hosts(WRITE, port));
        // Said at once, before the tunnel is granted.
        let text = format!("CONNECT example.test:{port} HTTP/1.1\r\n\r\n{first}");
        let answers = served.say(text).await;
        assert_eq!(answers, "HTTP/1.1 200 OK\r\n\r\n", "{first:?}");
        served.logged("http.write CONNECT example.test tunnel-not-tls").await;
        assert_eq!(inbox.texts().concat(), "", "{first:?}");
        assert_eq!(served.proxy.shut_down().await.moved.sent_bytes, 0);
    }
}

#[tokio::test]
async fn tls_for_another_host_than_the_tunnel_s_is_refused_before_the_server_sees_a_byte() {
    let (port, inbox, certificate) = tls_server(&["example.test", "evil.test", "127.0.0.1"]).await;
    for (host, name, reason) in [
        ("example.test", "evil.test", "tunnel-name-mismatch"),
        ("example.test", "sub.example.test", "tunnel-name-mismatch"),
        ("127.0.0.1", "evil.test", "tunnel-name-mismatch"),
        // A client that asks for an address sends no name.
        ("example.test", "127.0.0.1", "tunnel-name-missing"),
    ] {
        let served = serve(all_hosts(WRITE, port));
        let answer = fetch(&served, &format!("{host}:{port}"), name, &certificate).await;
        assert_eq!(answer, "received fatal alert: AccessDenied", "{host} {name}");
        served.logged(&format!("http.write CONNECT {host} {reason}")).await;
        assert_eq!(served.meter.used(Limit::RequestBytes), 0);
    }
    assert!(inbox.texts().is_empty());
    // The twin: what is refused for one tunnel is let through in its own.
    let served = serve(all_hosts(WRITE, port));
    let answer = fetch(&served, &format!("evil.test:{port}"), "evil.test", &certificate).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_is_said_is_not_kept() {
    let (port, _) = silent().await;
    for beginning in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1, 0]] {
        let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, limits| {
            limits.hello = MOMENT;
        });
        let mut stream = tunnel(&served, &format!("example.test:{port}")).await;
        stream.write_all(beginning).await.unwrap();
        assert_eq!(rest(&mut stream).await, "");
        served.logged("tunnel-not-tls").await;
    }
}

/// Returns the first message of a client that wants `example.test`.
fn hello() -> Vec<u8> {
    let name = ServerName::try_from("example.test").unwrap();
    let config = client(rustls::RootCertStore::empty());
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

fn client(roots: rustls::RootCertStore) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_not_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, limits| {
        limits.idle = MOMENT;
    });
    let mut stream = tunnel(&served, &format!("example.test:{port}")).await;
    let (mut origin, _) = listener.accept().await.unwrap();
    let first = hello();
    stream.write_all(&first).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    let mut seen = Vec::new();
    origin.read_to_end(&mut seen).await.unwrap();
    assert!(seen == first, "the server sees the first message as it was sent");
    served.logged("end example.test done").await;
}

#[tokio::test]
async fn a_tunnel_passes_on_that_one_side_is_done_and_bytes_are_not_changed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = serve(all_hosts(WRITE, port));
    let mut stream = tunnel(&served, &format!("example.test:{port}")).await;
    let (mut origin, _) = listener.accept().await.unwrap();
    let said = [hello(), vec![7; 100_000]].concat();
    let sending = async {
        stream.write_all(&said).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let mut seen = Vec::new();
    let ((), read) = tokio::join!(sending, origin.read_to_end(&mut seen));
    read.unwrap();
    assert!(seen == said, "{} of {}", seen.len(), said.len());
    origin.write_all(b"late answer").await.unwrap();
    drop(origin);
    assert_eq!(rest(&mut stream).await, "late answer");
}

#[tokio::test]
async fn a_tunnel_ends_when_a_budget_of_the_run_is_used_up() {
    let length = u64::try_from(hello().len()).unwrap();
    for (request_bytes, response_bytes, reached) in
        [(length - 1, 100, Limit::RequestBytes), (length, 4, Limit::ResponseBytes)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let limits = Limits { request_bytes, response_bytes, ..Limits::default() };
        let served = serve_with(all_hosts(WRITE, port), limits, |_, _| {});
        let mut stream = tunnel(&served, &format!("example.test:{port}")).await;
        let (mut origin, _) = listener.accept().await.unwrap();
        let _ = origin.write_all(b"12345").await;
        stream.write_all(&hello()).await.unwrap();
        assert_eq!(rest(&mut stream).await, "");
        assert_eq!(served.meter.reached().unwrap().limit, reached);
        served.logged("http.write CONNECT example.test limit").await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limits = Limits { request_bytes: length, response_bytes: 5, ..Limits::default() };
    let served = serve_with(all_hosts(WRITE, port), limits, |_, _| {});
    let mut stream = tunnel(&served, &format!("example.test:{port}")).await;
    let (mut origin, _) = listener.accept().await.unwrap();
    origin.write_all(b"12345").await.unwrap();
    stream.write_all(&hello()).await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"12345");
}

#[tokio::test]
async fn a_tunnel_to_nobody_is_a_failure() {
    let unused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let served = serve(all_hosts(WRITE, unused));
    let line = format!("CONNECT example.test:{unused}");
    assert_eq!(served.ask(&line, &[]).await, "502 failed connect");
    let (port, _) = server(ok("")).await;
    let few = Limits { connections: 1, ..Limits::default() };
    let served = serve_with(all_hosts(WRITE, port), few, |_, _| {});
    drop(tunnel(&served, &format!("example.test:{port}")).await);
    let line = format!("CONNECT example.test:{port}");
    assert_eq!(outcome(&served.say(crate::program::request(&line, &[])).await), "403 limit");
}
