//! A proxy that serves, and a program that says to it exactly what a test wants said.

use crate::support::{Fixed, Log};
use ringfence_capability::{Capability, Grant, GrantSet, Limits, Origin};
use ringfence_engine::Meter;
use ringfence_interfaces::http::{AddressRules, HttpConfig, HttpRules, danger};
use ringfence_interfaces::proxy::{Proxy, ProxyLimits};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything takes that works; a test that waits so long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// A wait that a test wants to be over.
pub(crate) const MOMENT: Duration = Duration::from_millis(50);

/// A proxy and what is seen of it from outside.
pub(crate) struct Served {
    pub(crate) proxy: Proxy,
    pub(crate) at: SocketAddr,
    pub(crate) log: Arc<Log>,
    pub(crate) meter: Arc<Meter>,
}

/// Serves with all names on 127.0.0.1, which may be dialled, and no patience for silence.
pub(crate) fn serve(grants: Vec<Capability>) -> Served {
    serve_with(grants, Limits::default(), |_, _| {})
}

pub(crate) fn serve_with(
    grants: Vec<Capability>,
    limits: Limits,
    change: impl FnOnce(&mut HttpConfig, &mut ProxyLimits),
) -> Served {
    let grants = grants.into_iter().map(|c| Grant::new(c, Origin::BuiltIn)).collect();
    let rules = HttpRules::from_grants(&GrantSet::new(grants));
    let (meter, log) = (Meter::new(limits), Arc::new(Log::default()));
    let mut config = HttpConfig::new(rules, Arc::clone(&meter), Arc::clone(&log) as _);
    config.resolver = Fixed::new(&[&["127.0.0.1"]]);
    config.addresses = danger::also(AddressRules::public_only(), ["127.0.0.0/8".parse().unwrap()]);
    let mut limits = ProxyLimits::default();
    change(&mut config, &mut limits);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let proxy = Proxy::serve(listener, config, limits).unwrap();
    Served { proxy, at, log, meter }
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    /// Says `text` and returns all that is answered until the proxy closes.
    pub(crate) async fn say(&self, text: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The proxy may close before it has taken everything.
        let _ = stream.write_all(text.as_ref()).await;
        rest(&mut stream).await
    }

    /// Sends one request with these further header lines and returns what became of it: the status,
    /// and the reason if it was refused.
    pub(crate) async fn ask(&self, line: &str, headers: &[&str]) -> String {
        outcome(&self.say(request(line, headers)).await)
    }

    /// Waits until the log has a line that ends so.
    pub(crate) async fn logged(&self, end: &str) {
        let waiting = async {
            while !self.log.lines().iter().any(|line| line.ends_with(end)) {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("{:?}", self.log.lines()));
    }
}

/// Returns the request, asking for the connection to be closed after it.
pub(crate) fn request(line: &str, headers: &[&str]) -> String {
    let close = ["proxy-connection: close", "connection: close"];
    let first = format!("{line} HTTP/1.1");
    let lines = [&[first.as_str()], &close[..], headers, &["\r\n"]].concat();
    lines.join("\r\n")
}

/// Reads until the other side closes or breaks off.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = async { while let Ok(1..) = stream.read_buf(&mut bytes).await {} };
    timeout(LONG, reading).await.expect("the proxy closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the head of an answer and no more.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(LONG, reading).await.expect("there is an answer");
    String::from_utf8(bytes).unwrap()
}

/// Returns `200`, `403 host-not-granted`, `502 failed dns`, or `closed`.
pub(crate) fn outcome(answer: &str) -> String {
    let Some(status) = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) else {
        return "closed".to_owned();
    };
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    match (value("x-ringfence-denied: "), value("x-ringfence-failed: ")) {
        (Some(reason), None) => format!("{status} {reason}"),
        (None, Some(reason)) => format!("{status} failed {reason}"),
        (None, None) => status.to_owned(),
        (Some(_), Some(_)) => panic!("{answer}"),
    }
}
