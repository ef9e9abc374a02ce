//! `wasi:http` handlers, good and bad, answering over a real connection.

use std::sync::Arc;
use std::time::Duration;

use ringfence::{Limits, RunOptions, ServeOptions, Served};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Place, guest_bytes};

/// Sends one request and returns the status line and the body, as far as it came.
async fn ask(address: std::net::SocketAddr, request: String) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that breaks a response off resets the connection: what came before counts.
    let _ = stream.read_to_end(&mut answer).await;
    let head_end =
        answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let body = answer.split_off(head_end);
    let head = String::from_utf8_lossy(&answer);
    (head.lines().next().unwrap_or_default().to_owned(), body)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// Serves `guest`, makes the requests one after the other, ends gracefully, and returns the answers.
fn serve(guest: &str, limits: Limits, requests: &[String]) -> (Vec<(String, Vec<u8>)>, Served) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(async {
        let place = Place::new();
        let host = place.host(limits);
        let plugin = ringfence::Host::open_bytes(guest_bytes(guest), guest).unwrap();
        let prepared =
            Arc::new(host.prepare(&plugin, RunOptions::default()).unwrap().for_serving());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(prepared.serve(listener, ServeOptions::default(), async move {
            let _ = stopped.await;
        }));
        let mut answers = Vec::new();
        for request in requests {
            answers.push(ask(address, request.clone()).await);
        }
        stop.send(()).unwrap();
        let total = tokio::time::timeout(Duration::from_secs(20), server).await;
        (answers, total.expect("the server ends when it is told to").unwrap().unwrap())
    })
}

fn quick() -> Limits {
    Limits { wall_ms: 500, output_bytes: 2 << 20, ..Limits::default() }
}

#[test]
fn a_handler_of_either_wasi_answers_with_what_it_was_sent() {
    for guest in ["http-echo", "http3-echo"] {
        let post = "POST /a?b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let (answers, served) = serve(guest, Limits::default(), &[post.to_owned(), get("/second")]);
        assert_eq!(answers[0].0, "HTTP/1.1 200 OK", "{guest}");
        let body = String::from_utf8_lossy(&answers[0].1);
        assert!(body.contains("/a?b") && body.contains("hello"), "{guest}: {body}");
        assert_eq!((served.answered, served.failed), (2, 0), "{guest}");
    }
}

#[test]
fn a_handler_that_never_answers_ends_with_its_time_and_the_server_lives_on() {
    for guest in ["http-hang", "http3-hang"] {
        let (answers, served) = serve(guest, quick(), &[get("/"), get("/")]);
        for (status, _) in answers {
            assert_eq!(status, "HTTP/1.1 504 Gateway Timeout", "{guest}");
        }
        assert_eq!((served.answered, served.failed), (0, 2), "{guest}");
    }
}

#[test]
fn an_answer_without_end_is_cut_at_the_output_limit() {
    for guest in ["http-flood", "http3-flood"] {
        let (answers, _) = serve(guest, quick(), &[get("/1"), get("/")]);
        // The body may come in chunks: the framing adds a little.
        let whole = answers[0].1.len();
        assert!(
            (1 << 20..(1 << 20) + (1 << 16)).contains(&whole),
            "{guest}: {whole} bytes of 1 MiB"
        );
        let cut = answers[1].1.len();
        assert!(cut <= (2 << 20) + (1 << 16), "{guest}: {cut} bytes passed a limit of 2 MiB");
    }
}

#[test]
fn a_handler_that_fails_is_an_error_of_the_gateway_and_harms_no_other_request() {
    for guest in ["http-silent", "http-trap"] {
        let (answers, served) =
            serve(guest, quick(), &[get("/"), get("/answer"), get("/"), get("/answer")]);
        let statuses: Vec<_> = answers.iter().map(|(status, _)| status.as_str()).collect();
        let (bad, good) = ("HTTP/1.1 502 Bad Gateway", "HTTP/1.1 200 OK");
        assert_eq!(statuses, [bad, good, bad, good], "{guest}");
        assert_eq!((served.answered, served.failed), (2, 2), "{guest}");
    }
    let (answers, _) = serve("http-trap", quick(), &[get("/answer"), get("/answer")]);
    assert_eq!(answers[0].1, answers[1].1, "each request has an instance of its own");
}

#[test]
fn a_request_body_over_the_budget_is_not_taken() {
    let limits = Limits { request_bytes: 4, ..quick() };
    let post = |body: &str| {
        let length = body.len();
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    let (answers, _) = serve("http-echo", limits, &[post("four"), post("five!")]);
    let echoed =
        |answer: &(String, Vec<u8>), body| String::from_utf8_lossy(&answer.1).contains(body);
    assert!(echoed(&answers[0], "four") && !echoed(&answers[1], "five!"), "{answers:?}");
}

#[test]
fn a_request_for_no_host_or_two_is_refused() {
    let two = "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\nConnection: close\r\n\r\n"
        .to_owned();
    let none = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned();
    let (answers, _) = serve("http-echo", quick(), &[two, none, get("/")]);
    let statuses: Vec<_> = answers.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(
        statuses,
        ["HTTP/1.1 400 Bad Request", "HTTP/1.1 400 Bad Request", "HTTP/1.1 200 OK"]
    );
}

#[test]
fn more_requests_than_places_wait_their_turn() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let answers = runtime.unwrap().block_on(async {
        let place = Place::new();
        let plugin = ringfence::Host::open_bytes(guest_bytes("http-echo"), "http-echo").unwrap();
        let host = place.host(Limits::default());
        let prepared =
            Arc::new(host.prepare(&plugin, RunOptions::default()).unwrap().for_serving());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = ServeOptions { concurrency: 2, ..ServeOptions::default() };
        let server = tokio::spawn(prepared.serve(listener, options, std::future::pending()));
        let clients: Vec<_> =
            (0..64).map(|n| tokio::spawn(ask(address, get(&format!("/{n}"))))).collect();
        let mut answers = Vec::new();
        for client in clients {
            answers.push(client.await.unwrap().0);
        }
        server.abort();
        answers
    });
    assert_eq!(answers, vec!["HTTP/1.1 200 OK"; 64]);
}

#[test]
fn an_end_at_once_does_not_wait_for_an_answer_and_counts_it_as_aborted() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(async {
        let place = Place::new();
        let plugin = ringfence::Host::open_bytes(guest_bytes("http-flood"), "http-flood").unwrap();
        let host = place.host(Limits { output_bytes: 1 << 30, ..Limits::default() });
        let prepared =
            Arc::new(host.prepare(&plugin, RunOptions::default()).unwrap().for_serving());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = ServeOptions { grace: Duration::from_hours(1), ..ServeOptions::default() };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (told, heard) = tokio::sync::oneshot::channel();
        let end = async move {
            let _ = stopped.await;
        };
        let at_once = |open| {
            told.send(open).unwrap();
            std::future::ready(())
        };
        let server = tokio::spawn(prepared.serve_until(listener, options, end, at_once));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(get("/").as_bytes()).await.unwrap();
        // The answer has begun, and nobody reads the rest of it.
        client.read_exact(&mut [0; 64]).await.unwrap();
        stop.send(()).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), server).await;
        let total = ended.expect("nothing is waited for").unwrap().unwrap();
        assert_eq!((total.answered, total.failed, total.aborted), (0, 0, 1));
        assert_eq!(heard.await, Ok(1));
    });
}
