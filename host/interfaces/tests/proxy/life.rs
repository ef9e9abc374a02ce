//! How the proxy begins and ends, and how much it holds at once.

use crate::program::{LONG, MOMENT, head, outcome, rest, serve, serve_with};
use crate::support::{all_hosts, ok, server};
use ringfence_capability::{Class, Diagnostic as _, GrantSet, Limits, MethodClass};
use ringfence_engine::Meter;
use ringfence_interfaces::http::{HttpConfig, HttpRules};
use ringfence_interfaces::proxy::{Proxy, ProxyLimits};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const WRITE: MethodClass = MethodClass::Write;

/// Waits until nobody accepts there any more.
async fn gone(at: std::net::SocketAddr) {
    let waiting = async {
        while TcpStream::connect(at).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, waiting).await.expect("nobody listens");
}

#[test]
fn the_defaults_are_as_documented() {
    let ProxyLimits { connections, head, hello, idle, grace, records } = ProxyLimits::default();
    assert_eq!((connections, records), (128, 10_000));
    let seconds = [head, hello, idle, grace].map(|wait| wait.as_secs());
    assert_eq!(seconds, [30, 10, 120, 1]);
}

#[test]
fn a_proxy_needs_a_runtime() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let meter = Meter::new(Limits::default());
    let rules = HttpRules::from_grants(&GrantSet::new(vec![]));
    let config = HttpConfig::new(rules, meter, Arc::new(crate::support::Log::default()));
    let refused = Proxy::serve(listener, config, ProxyLimits::default()).unwrap_err();
    assert_eq!((refused.code(), refused.class()), ("interfaces::proxy-runtime", Class::Internal));
}

#[tokio::test]
async fn dropping_the_proxy_ends_all_its_connections() {
    let (port, inbox) = server("").await;
    let served = serve(all_hosts(WRITE, port));
    let mut idle = served.connect().await;
    let mut waiting = served.connect().await;
    let text = format!("GET http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    waiting.write_all(text.as_bytes()).await.unwrap();
    let mut tunnel = served.connect().await;
    let text = format!("CONNECT example.test:{port} HTTP/1.1\r\n\r\n");
    tunnel.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(outcome(&head(&mut tunnel).await), "200");
    let reached = async {
        while inbox.texts().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, reached).await.expect("the server is reached");
    let at = served.at;
    drop(served.proxy);
    for stream in [&mut idle, &mut waiting, &mut tunnel] {
        assert_eq!(rest(stream).await, "");
    }
    gone(at).await;
}

#[tokio::test]
async fn shutting_down_lets_an_open_request_end_and_no_new_one_begin() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, limits| {
        limits.grace = LONG;
    });
    let mut stream = served.connect().await;
    let text = format!("GET http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let (mut origin, _) = listener.accept().await.unwrap();
    let at = served.at;
    let ending = tokio::spawn(served.proxy.shut_down());
    gone(at).await;
    origin.write_all(ok("in time").as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nin time"));
    let summary = timeout(LONG, ending).await.unwrap().unwrap();
    assert_eq!((summary.allowed, summary.moved.received_bytes), (2, 7));
}

#[tokio::test]
async fn shutting_down_waits_no_longer_than_its_grace() {
    let (port, _) = server("").await;
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, limits| {
        limits.grace = MOMENT;
    });
    let mut stream = served.connect().await;
    let text = format!("GET http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    served.logged("GET example.test done").await;
    timeout(LONG, served.proxy.shut_down()).await.expect("it ends");
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn connections_past_the_bound_wait_until_one_is_done() {
    let (port, _) = server(ok("")).await;
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, limits| {
        limits.connections = 1;
    });
    let mut first = served.connect().await;
    let text = format!("GET http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    first.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(outcome(&head(&mut first).await), "200");
    let mut second = served.connect().await;
    second.write_all(text.as_bytes()).await.unwrap();
    assert!(timeout(MOMENT, second.read_u8()).await.is_err(), "the first one holds the place");
    drop(first);
    assert_eq!(outcome(&head(&mut second).await), "200");
}

#[tokio::test]
async fn a_program_that_does_not_take_its_answer_is_given_up() {
    let long = "x".repeat(32 << 20);
    let (port, _) = server(ok(&long)).await;
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, limits| {
        limits.idle = Duration::from_millis(200);
    });
    let mut stream = served.connect().await;
    let text = format!("GET http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    served.logged("end example.test done").await;
    let summary = served.proxy.summary();
    assert!(summary.moved.received_bytes < 32 << 20, "{summary:?}");
}
