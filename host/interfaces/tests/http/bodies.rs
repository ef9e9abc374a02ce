//! What bodies may hold, both ways.

use crate::support::{all_hosts, body, error, fetch, get, limited, ok, post, run, server};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use ringfence_capability::{Limit, Limits, MethodClass};
use wasmtime_wasi_http::WasiBody;

const READ: MethodClass = MethodClass::Read;
const WRITE: MethodClass = MethodClass::Write;

#[tokio::test]
async fn a_body_on_a_read_is_refused_unless_writing_is_granted() {
    let (port, inbox) = server(ok("")).await;
    for method in ["GET", "HEAD", "OPTIONS"] {
        for announced in [false, true] {
            let request = || {
                let mut request = post(&format!("http://example.test:{port}/"), "stolen");
                *request.method_mut() = method.parse().unwrap();
                if announced {
                    request.headers_mut().insert("content-length", 6.into());
                }
                request
            };
            let read = run(all_hosts(READ, port), |_| {});
            assert_eq!(error(fetch(&read, request()).await), "HttpRequestDenied");
            assert_eq!(read.log.lines(), [format!("http.read {method} example.test body-on-read")]);
            assert!(inbox.texts().is_empty());
        }
    }
    let write = run(all_hosts(WRITE, port), |_| {});
    let mut request = post(&format!("http://example.test:{port}/"), "wanted");
    *request.method_mut() = http::Method::GET;
    assert_eq!(error(fetch(&write, request).await), "status 200");
    assert!(inbox.only().ends_with("wanted"));
}

/// A body whose only data come when `sender` is used.
fn late() -> (futures::channel::mpsc::Sender<Bytes>, WasiBody) {
    let (sender, receiver) = futures::channel::mpsc::channel(1);
    (sender, StreamBody::new(receiver.map(|data| Ok(Frame::data(data)))).boxed_unsync())
}

#[tokio::test]
async fn a_body_that_comes_late_on_a_read_never_leaves() {
    let (port, inbox) = server("").await;
    let run = run(all_hosts(READ, port), |_| {});
    let (mut sender, body) = late();
    let request = http::Request::get(format!("http://example.test:{port}/")).body(body).unwrap();
    let arrived = async {
        while inbox.texts().is_empty() {
            tokio::task::yield_now().await;
        }
        sender.try_send(Bytes::from_static(b"stolen")).unwrap();
    };
    let (result, ()) = tokio::join!(fetch(&run, request), arrived);
    assert_eq!(error(result), "HttpRequestDenied");
    assert!(!inbox.only().contains("stolen"));
    assert_eq!(run.log.lines().last().unwrap(), "http.read GET example.test body-on-read");
}

#[tokio::test]
async fn a_read_whose_body_stays_open_and_empty_is_answered() {
    let (port, _) = server(ok("fine")).await;
    let run = run(all_hosts(READ, port), |_| {});
    let (sender, body) = late();
    let request = http::Request::get(format!("http://example.test:{port}/")).body(body).unwrap();
    assert_eq!(error(fetch(&run, request).await), "status 200");
    drop(sender);
}

#[tokio::test]
async fn request_bodies_are_counted_over_the_whole_run() {
    let (port, _) = server(ok("")).await;
    let uri = format!("http://example.test:{port}/");
    let small = Limits { request_bytes: 10, ..Limits::default() };
    let run = limited(all_hosts(WRITE, port), small, |_| {});
    assert_eq!(error(fetch(&run, post(&uri, "12345")).await), "status 200");
    assert_eq!(error(fetch(&run, post(&uri, "12345")).await), "status 200");
    assert_eq!(error(fetch(&run, post(&uri, "1")).await), "HttpRequestBodySize(Some(10))");
    assert_eq!(run.meter.reached().unwrap().limit, Limit::RequestBytes);
    let more = Limits { request_bytes: 11, ..Limits::default() };
    let run = limited(all_hosts(WRITE, port), more, |_| {});
    assert_eq!(error(fetch(&run, post(&uri, "12345678901")).await), "status 200");
}

#[tokio::test]
async fn response_bodies_are_counted_over_the_whole_run() {
    let (port, _) = server(ok("12345")).await;
    let uri = format!("http://example.test:{port}/");
    let small = Limits { response_bytes: 9, ..Limits::default() };
    let run = limited(all_hosts(READ, port), small, |_| {});
    assert_eq!(error(fetch(&run, get(&uri)).await), "status 200");
    assert_eq!(error(fetch(&run, get(&uri)).await), "HttpResponseBodySize(Some(9))");
    assert_eq!(run.meter.reached().unwrap().limit, Limit::ResponseBytes);
    let more = Limits { response_bytes: 10, ..Limits::default() };
    let run = limited(all_hosts(READ, port), more, |_| {});
    for _ in 0..2 {
        assert_eq!(error(fetch(&run, get(&uri)).await), "status 200");
    }
}

#[tokio::test]
async fn connections_are_counted_over_the_whole_run() {
    let (port, inbox) = server(ok("")).await;
    let uri = format!("http://example.test:{port}/");
    let small = Limits { connections: 2, ..Limits::default() };
    let run = limited(all_hosts(READ, port), small, |_| {});
    for seen in ["status 200", "status 200", "ConnectionLimitReached"] {
        assert_eq!(error(fetch(&run, get(&uri)).await), seen);
    }
    assert_eq!(inbox.texts().len(), 2);
    assert_eq!(run.log.lines().last().unwrap(), "http.read GET example.test limit");
    assert_eq!(run.meter.reached().unwrap().limit, Limit::Connections);
}

#[tokio::test]
async fn a_body_is_as_long_as_it_says() {
    let (port, inbox) = server(ok("")).await;
    for (declared, seen) in [
        ("3", "HttpRequestBodySize(Some(5))"),
        ("7", "HttpRequestBodySize(Some(5))"),
        ("+5", "HttpRequestDenied"),
        ("5", "status 200"),
    ] {
        let run = run(all_hosts(WRITE, port), |_| {});
        let mut request = post(&format!("http://example.test:{port}/"), "12345");
        request.headers_mut().insert("content-length", declared.parse().unwrap());
        assert_eq!(error(fetch(&run, request).await), seen, "{declared}");
    }
    // A second request hidden behind a short length never reaches the server.
    assert!(inbox.texts().iter().all(|text| !text.ends_with("123")));
}

#[tokio::test]
async fn trailers_of_the_guest_are_dropped() {
    let (port, inbox) = server(ok("")).await;
    let run = run(all_hosts(WRITE, port), |_| {});
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-smuggled", "1".parse().unwrap());
    let with = body("data").with_trailers(async move { Some(Ok(trailers)) }).boxed_unsync();
    let request = http::Request::post(format!("http://example.test:{port}/")).body(with).unwrap();
    assert_eq!(error(fetch(&run, request).await), "status 200");
    let sent = inbox.only();
    assert!(sent.contains("data") && !sent.contains("x-smuggled"), "{sent}");
}
