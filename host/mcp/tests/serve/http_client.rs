//! A client that is nothing but bytes on a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringfence_mcp::server::http::{HttpOptions, Token};
use ringfence_mcp::{Registry, Server, ServerOptions};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::common::{Functions, initialize};

pub(crate) const TOKEN: &str = "a-token-that-nobody-guesses";

/// A server at a free port of loopback.
pub(crate) struct Web {
    pub(crate) at: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) server: tokio::task::JoinHandle<()>,
}

impl Web {
    pub(crate) async fn new(functions: &Arc<Functions>) -> Self {
        Self::called(functions, &[]).await
    }

    /// Returns a server that has these names beside its own.
    pub(crate) async fn called(functions: &Arc<Functions>, names: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let registry: Arc<dyn Registry> = Arc::<Functions>::clone(functions);
        let server = Server::new(registry, ServerOptions::default());
        let hosts = names.iter().map(|name| (*name).to_owned()).collect();
        let options = HttpOptions { token: Token::new(TOKEN).unwrap(), hosts };
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let end = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            server.http(listener, options, end).await;
        });
        Self { at, stop: Some(stop), server }
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, head: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses what it read so far may close before it has all.
        let _ = stream.write_all(body).await;
        Reply::read(stream).await
    }

    /// Posts a message with what every client sends, and these headers.
    pub(crate) async fn post(&self, headers: &str, message: &Value) -> Reply {
        let body = message.to_string();
        self.send(&post_head(headers, body.len()), body.as_bytes()).await
    }

    /// Posts a message of the newest revision.
    pub(crate) async fn modern(&self, message: &Value) -> Reply {
        self.post(&modern_headers(message), message).await
    }

    /// Begins a session; returns the header that names it.
    pub(crate) async fn session(&self) -> String {
        self.session_of(&initialize(0)).await
    }

    pub(crate) async fn session_of(&self, initialize: &Value) -> String {
        let mut reply = self.post("", initialize).await;
        assert_eq!(reply.status, 200);
        let name = reply.header("mcp-session-id").expect("a session has a name").to_owned();
        assert_eq!(reply.json().await["result"]["protocolVersion"], "2025-11-25");
        format!("Mcp-Session-Id: {name}\r\nMCP-Protocol-Version: 2025-11-25\r\n")
    }

    /// Asks for something without a body.
    pub(crate) async fn bare(&self, method: &str, headers: &str) -> Reply {
        let head = format!(
            "{method} /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             Accept: text/event-stream\r\n{headers}\r\n"
        );
        self.send(&head, b"").await
    }
}

pub(crate) fn post_head(headers: &str, length: usize) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         {headers}Content-Length: {length}\r\n\r\n"
    )
}

/// Returns what the head of a message of the newest revision has to say.
pub(crate) fn modern_headers(message: &Value) -> String {
    let method = message["method"].as_str().unwrap();
    let name = message["params"].get("name").or_else(|| message["params"].get("uri"));
    let name = name.and_then(Value::as_str).map(|name| format!("Mcp-Name: {name}\r\n"));
    format!(
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{}",
        name.unwrap_or_default()
    )
}

/// What came back, as far as it was read.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    from: BufReader<TcpStream>,
}

impl Reply {
    pub(crate) async fn read(stream: TcpStream) -> Self {
        Self::next(BufReader::new(stream)).await
    }

    /// Reads the next answer on the same connection, once this one was read.
    pub(crate) async fn following(self) -> Self {
        Self::next(self.from).await
    }

    async fn next(mut from: BufReader<TcpStream>) -> Self {
        let (mut status, mut headers) = (0, Vec::new());
        loop {
            let line = line(&mut from).await.expect("the server closed without an answer");
            if line.is_empty() {
                return Self { status, headers, from };
            }
            match line.split_once(": ") {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            }
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    /// Reads the one message of the body.
    pub(crate) async fn json(&mut self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let length = self.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Reads the next event; nothing at the end of the stream.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        assert!(self.is_stream(), "{:?}", self.headers);
        loop {
            let line = line(&mut self.from).await?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
            // The last piece of a body in pieces has no bytes.
            if line == "0" {
                return None;
            }
        }
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn closed(mut self) {
        let mut rest = Vec::new();
        let end = self.from.read_to_end(&mut rest);
        let _ = tokio::time::timeout(Duration::from_mins(1), end).await.expect("it stays open");
    }
}

async fn line(from: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = tokio::time::timeout(Duration::from_mins(1), from.read_line(&mut line));
    let read = read.await.expect("the server says nothing any more").unwrap_or(0);
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
