//! Requests hidden in requests, heads that are too long or too slow, budgets.

use crate::program::{MOMENT, head, outcome, request, rest, serve, serve_with};
use crate::support::{all_hosts, ok, server};
use ringfence_capability::{Limit, Limits, MethodClass};
use tokio::io::AsyncWriteExt as _;

const READ: MethodClass = MethodClass::Read;
const WRITE: MethodClass = MethodClass::Write;

#[tokio::test]
async fn a_request_behind_another_is_checked_as_one_of_its_own() {
    let (port, inbox) = server(ok("first")).await;
    let granted = format!("GET http://example.test:{port}/1 HTTP/1.1\r\n\r\n");
    for (second, seen) in [
        (request(&format!("POST http://example.test:{port}/2"), &[]), "403 method-not-granted"),
        (request("GET http://169.254.169.254/2", &[]), "403 address-not-public"),
        (request(&format!("CONNECT example.test:{port}"), &[]), "403 method-not-granted"),
        (request(&format!("GET http://example.test:{port}/2"), &[]), "200"),
    ] {
        let served = serve(all_hosts(READ, port));
        let before = inbox.texts().len();
        let answers = served.say(granted.clone() + &second).await;
        let (first, second) = answers.split_once("first").unwrap();
        assert_eq!((outcome(first), outcome(second)), ("200".into(), seen.into()));
        let reached = inbox.texts().len() - before;
        assert_eq!(reached, if seen == "200" { 2 } else { 1 }, "{seen}");
    }
}

#[tokio::test]
async fn a_refusal_ends_the_connection_so_nothing_behind_it_is_looked_at() {
    let (port, inbox) = server(ok("")).await;
    let served = serve(all_hosts(READ, port));
    let refused = format!("DELETE http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    let behind = request(&format!("GET http://example.test:{port}/"), &[]);
    let answers = served.say(refused + &behind).await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    assert_eq!((served.log.lines().len(), inbox.texts().len()), (1, 0));
}

#[tokio::test]
async fn a_body_framed_in_two_ways_reaches_the_server_framed_in_one() {
    let hidden = "GET http://evil.test/hidden HTTP/1.1\r\n\r\n";
    let chunked = format!("0\r\n\r\n{hidden}");
    let length = format!("content-length: {}", chunked.len());
    for headers in [
        [length.as_str(), "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", length.as_str()],
    ] {
        let (port, inbox) = server(ok("")).await;
        let served = serve(all_hosts(WRITE, port));
        let line = format!("POST http://example.test:{port}/ HTTP/1.1\r\n");
        let text = format!("{line}{}\r\n{}\r\n\r\n{chunked}", headers[0], headers[1]);
        let answers = served.say(text).await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        let sent = inbox.only();
        assert!(!sent.contains("hidden") && !sent.contains(&length), "{sent}");
        let read = serve(all_hosts(READ, port));
        let line = format!("GET http://example.test:{port}/");
        assert_eq!(read.ask(&line, &headers).await, "403 body-on-read");
    }
}

#[tokio::test]
async fn codings_and_lengths_that_are_not_plain_are_refused() {
    let (port, inbox) = server(ok("")).await;
    let line = format!("POST http://example.test:{port}/");
    for (headers, seen) in [
        (&["transfer-encoding: gzip, chunked"][..], "403 forbidden-header"),
        (&["transfer-encoding: gzip", "transfer-encoding: chunked"], "403 forbidden-header"),
        (&["transfer-encoding: xchunked"], "400"),
        (&["transfer-encoding: chunked, identity"], "400"),
        (&["content-length: 1", "content-length: 2"], "400"),
        (&["content-length: +1"], "400"),
        (&["content-length: 99999999999999999999"], "400"),
        (&["content-length : 0"], "400"),
        (&["x: y\r\n folded: z"], "400"),
        (&["x\0: y"], "400"),
    ] {
        let served = serve(all_hosts(WRITE, port));
        assert_eq!(served.ask(&line, headers).await, seen, "{headers:?}");
        served.logged(if seen == "400" { "unreadable" } else { "forbidden-header" }).await;
    }
    assert!(inbox.texts().is_empty());
    let served = serve(all_hosts(WRITE, port));
    let text = request(&line, &["transfer-encoding: chunked"]) + "4\r\nbody\r\n0\r\nx: y\r\n\r\n";
    assert_eq!(outcome(&served.say(text).await), "200");
    assert!(inbox.only().contains("\r\nbody\r\n0\r\n\r\n"), "{}", inbox.only());
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_and_one_that_fits_is_sent() {
    let (port, inbox) = server(ok("")).await;
    let line = format!("GET http://example.test:{port}/");
    let header = |length| format!("x: {}", "a".repeat(length));
    let lines = |count| vec!["x: y"; count];
    for (headers, seen) in [
        (vec![header(100_000).as_str()], "431"),
        (lines(200), "431"),
        (vec![header(40_000).as_str()], "200"),
        (lines(100), "200"),
    ] {
        let served = serve(all_hosts(READ, port));
        assert_eq!(served.ask(&line, &headers).await, seen);
    }
    let long = format!("{line}{}", "a".repeat(17 * 1024));
    assert_eq!(serve(all_hosts(READ, port)).ask(&long, &[]).await, "403 uri");
    assert_eq!(inbox.texts().len(), 2);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let (port, _) = server(ok("")).await;
    let served = serve_with(all_hosts(READ, port), Limits::default(), |_, limits| {
        limits.head = MOMENT;
    });
    for beginning in ["", "GET ", "GET http://example.test/ HTTP/1.1\r\nx: y\r\n"] {
        let mut stream = served.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        assert_eq!(outcome(&rest(&mut stream).await), "closed", "{beginning:?}");
    }
    // Nor is the next request on a connection that is kept.
    let mut stream = served.connect().await;
    let text = format!("GET http://example.test:{port}/ HTTP/1.1\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(outcome(&head(&mut stream).await), "200");
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let (port, _) = server(ok("")).await;
    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |config, _| {
        config.timeouts.first_byte = MOMENT;
    });
    let line = format!("POST http://example.test:{port}/");
    assert_eq!(served.ask(&line, &["content-length: 5"]).await, "504 failed response");
}

#[tokio::test]
async fn budgets_are_those_of_the_run() {
    let (port, inbox) = server(ok("12345")).await;
    let line = format!("POST http://example.test:{port}/");
    let small =
        Limits { request_bytes: 9, response_bytes: 14, connections: 3, ..Limits::default() };
    let full = || request(&line, &["content-length: 5"]) + "12345";

    let served = serve_with(all_hosts(WRITE, port), small, |_, _| {});
    assert_eq!(outcome(&served.say(full()).await), "200");
    assert_eq!(outcome(&served.say(full()).await), "403 limit");
    assert_eq!(served.meter.reached().unwrap().limit, Limit::RequestBytes);
    served.logged("POST example.test limit").await;

    let served = serve_with(all_hosts(WRITE, port), small, |_, _| {});
    // The last one is broken off: nothing that looks whole is made of a part.
    for (seen, refused) in [("200", 0), ("200", 0), ("closed", 1)] {
        assert_eq!(served.ask(&line, &["content-length: 0"]).await, seen);
        assert_eq!(served.proxy.summary().refused, refused);
    }
    assert_eq!(served.meter.reached().unwrap().limit, Limit::ResponseBytes);
    let sent = inbox.texts().len();
    assert_eq!(served.ask(&line, &["content-length: 0"]).await, "403 limit");
    assert_eq!(inbox.texts().len(), sent, "the limit on connections holds before dialling");

    let served = serve_with(all_hosts(WRITE, port), Limits::default(), |_, _| {});
    for _ in 0..4 {
        assert_eq!(outcome(&served.say(full()).await), "200");
    }
}

#[tokio::test]
async fn records_are_bounded_and_what_cannot_be_recorded_is_not_done() {
    let (port, inbox) = server(ok("")).await;
    let line = format!("GET http://example.test:{port}/");
    let served = serve_with(all_hosts(READ, port), Limits::default(), |_, limits| {
        limits.records = 5;
    });
    assert_eq!(served.ask(&line, &[]).await, "200");
    served.logged("end example.test done").await;
    for _ in 0..10 {
        assert_eq!(served.ask("DELETE http://example.test/", &[]).await, "403 method-not-granted");
    }
    assert_eq!(served.log.lines().len(), 5);
    let summary = served.proxy.summary();
    assert_eq!((summary.allowed, summary.refused, summary.unlisted), (2, 10, 8));
    assert_eq!(served.ask(&line, &[]).await, "502 not-recorded");
    assert_eq!(inbox.texts().len(), 1);

    let broken = serve_with(all_hosts(READ, port), Limits::default(), |config, _| {
        config.effects = std::sync::Arc::new(crate::support::Log {
            broken: true,
            ..crate::support::Log::default()
        });
    });
    assert_eq!(broken.ask(&line, &[]).await, "502 not-recorded");
    assert_eq!(inbox.texts().len(), 1);
}
