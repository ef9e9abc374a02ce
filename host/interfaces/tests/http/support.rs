//! A server that keeps what it is sent, a resolver with fixed answers, a sink that can fail.

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use ringfence_capability::{Capability, Grant, GrantSet, Limits, MethodClass, Origin, Port};
use ringfence_engine::Meter;
use ringfence_interfaces::http::{AddressRules, HttpConfig, HttpHooks, HttpRules, Resolve, danger};
use ringfence_interfaces::{Effect, EffectSink, NotRecorded, Verdict};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// What a server was sent, one text per connection.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Vec<String>>>);

impl Inbox {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> String {
        let texts = self.texts();
        assert_eq!(texts.len(), 1, "{texts:?}");
        texts[0].to_lowercase()
    }
}

/// Starts a server that gives each connection `answer` and keeps what came; returns its port.
pub(crate) async fn server(answer: impl Into<Vec<u8>>) -> (u16, Inbox) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (inbox, answer) = (Inbox::default(), answer.into());
    let kept = inbox.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, kept) = (answer.clone(), kept.clone());
            tokio::spawn(async move { converse(stream, &answer, &kept).await });
        }
    });
    (port, inbox)
}

/// Reads one request and answers it; an empty answer leaves the connection open and silent.
pub(crate) async fn converse<S>(mut stream: S, answer: &[u8], inbox: &Inbox)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut text = Vec::new();
    while !complete(&text) {
        match stream.read_buf(&mut text).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    inbox.0.lock().unwrap().push(String::from_utf8(text).unwrap());
    if stream.write_all(answer).await.is_err() || answer.is_empty() || answer.ends_with(b"...") {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

fn complete(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

/// Starts a TLS server for `names`; returns its port and its certificate.
pub(crate) async fn tls_server(names: &[&str]) -> (u16, Inbox, Vec<u8>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(
        names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
    )
    .unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, inbox) = (listener.local_addr().unwrap().port(), Inbox::default());
    let kept = inbox.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse(stream, ok("").as_bytes(), &kept).await;
            }
        }
    });
    (port, inbox, cert.der().to_vec())
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Answers with each list in turn, the last one for ever; counts how often it is asked.
pub(crate) struct Fixed {
    pub(crate) answers: Vec<Vec<IpAddr>>,
    pub(crate) asked: AtomicUsize,
}

impl Fixed {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Resolve for Fixed {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.get(turn).or(self.answers.last()).cloned();
        Box::pin(async move { answer.ok_or_else(|| std::io::Error::other("no such name")) })
    }
}

/// Keeps effects as lines, or fails.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: Mutex<Vec<String>>,
    pub(crate) broken: bool,
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl EffectSink for Log {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        if self.broken {
            return Err(NotRecorded::new());
        }
        let verdict = match &effect.verdict {
            Verdict::Done => "done",
            Verdict::Refused(reason) => reason,
        };
        let target =
            effect.target.rsplit_once(':').map_or(effect.target.as_str(), |(host, _)| host);
        let line = format!("{} {} {target} {verdict}", effect.kind, effect.operation);
        self.lines.lock().unwrap().push(line);
        Ok(())
    }
}

/// Grants `methods` on every host, on default ports and on `port`.
pub(crate) fn all_hosts(methods: MethodClass, port: u16) -> Vec<Capability> {
    let host = |port| Capability::Http { host: "*".parse().unwrap(), port, methods };
    vec![host(Port::Default), host(Port::Number(port))]
}

/// One run: its hooks, and what is seen of it from outside.
pub(crate) struct Run {
    pub(crate) hooks: HttpHooks,
    pub(crate) log: Arc<Log>,
    pub(crate) meter: Arc<Meter>,
}

/// Returns a run whose names all resolve to 127.0.0.1, which it may dial, changed by `change`.
pub(crate) fn run(grants: Vec<Capability>, change: impl FnOnce(&mut HttpConfig)) -> Run {
    limited(grants, Limits::default(), change)
}

pub(crate) fn limited(
    grants: Vec<Capability>,
    limits: Limits,
    change: impl FnOnce(&mut HttpConfig),
) -> Run {
    let grants = grants.into_iter().map(|c| Grant::new(c, Origin::BuiltIn)).collect();
    let rules = HttpRules::from_grants(&GrantSet::new(grants));
    let (meter, log) = (Meter::new(limits), Arc::new(Log::default()));
    let mut config = HttpConfig::new(rules, Arc::clone(&meter), Arc::clone(&log) as _);
    config.resolver = Fixed::new(&[&["127.0.0.1"]]);
    config.addresses = danger::also(AddressRules::public_only(), ["127.0.0.0/8".parse().unwrap()]);
    change(&mut config);
    Run { hooks: HttpHooks::new(config), log, meter }
}

pub(crate) fn body(text: impl Into<Bytes>) -> WasiBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn get(uri: &str) -> http::Request<WasiBody> {
    http::Request::get(uri).body(body("")).unwrap()
}

pub(crate) fn post(uri: &str, text: &'static str) -> http::Request<WasiBody> {
    http::Request::post(uri).body(body(text)).unwrap()
}

/// Sends and reads the whole response.
pub(crate) async fn fetch(
    run: &Run,
    request: http::Request<WasiBody>,
) -> Result<http::Response<Bytes>, Error> {
    fetch_with(run, request, RequestOptions::default()).await
}

pub(crate) async fn fetch_with(
    run: &Run,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<http::Response<Bytes>, Error> {
    let (response, connection) = run.hooks.send(request, options).await?;
    let connection = tokio::spawn(connection);
    let (parts, body) = response.into_parts();
    let read = body.collect().await;
    connection.abort();
    Ok(http::Response::from_parts(parts, read?.to_bytes()))
}

/// Returns the error as text, or what came instead.
pub(crate) fn error(result: Result<http::Response<Bytes>, Error>) -> String {
    match result {
        Ok(response) => format!("status {}", response.status().as_u16()),
        Err(error) => format!("{error:?}"),
    }
}
