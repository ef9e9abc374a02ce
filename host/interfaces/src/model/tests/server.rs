//! A server on this machine that answers as it is told.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request.
#[derive(Clone)]
pub(super) enum Reply {
    /// Answers so, whole.
    Whole(u16, &'static str, String),
    /// Answers with this head and body as they are, then closes.
    Raw(String),
    /// Does the same, and keeps the connection until the other side has gone.
    Open(String),
    /// Says nothing until the other side has gone.
    Silence,
}

/// A server that answers one reply after the other; the last again and again.
pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut number = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let reply = replies[number.min(replies.len() - 1)].clone();
                number += 1;
                tokio::spawn(serve(stream, reply, Arc::clone(&kept)));
            }
        });
        Self { url, seen, task }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the body of the last request.
    pub(super) fn body(&self) -> Value {
        let requests = self.requests();
        serde_json::from_str(requests.last().unwrap().split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

async fn serve(mut stream: TcpStream, reply: Reply, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await.unwrap_or(0);
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
        });
        if whole || read == 0 {
            break;
        }
    }
    seen.lock().unwrap().push(String::from_utf8(request).unwrap());
    let stays = matches!(reply, Reply::Open(_));
    let answer = match reply {
        Reply::Silence => {
            let _ = stream.read(&mut piece).await;
            return;
        }
        Reply::Raw(text) | Reply::Open(text) => text,
        Reply::Whole(status, head, body) => format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{head}connection: close\r\n\r\n{body}",
            body.len()
        ),
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    if stays {
        let _ = stream.read(&mut piece).await;
    }
}

pub(super) fn json_reply(body: &Value) -> Reply {
    Reply::Whole(200, "", body.to_string())
}

/// A stream of these events, ended well.
pub(super) fn events(data: &[&str]) -> Reply {
    let lines: Vec<_> = data.iter().map(|data| format!("data: {data}\n\n")).collect();
    let body = lines.concat();
    Reply::Raw(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}"
    ))
}

pub(super) fn said(text: &str) -> Value {
    json!({
        "choices": [{ "message": { "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3 },
    })
}
