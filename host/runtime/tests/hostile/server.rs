//! A small server on a loopback port, for guests to reach or, rather, not to reach.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// How a server answers each request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// With the request itself: its first line, headers and body.
    Echo,
    /// With a redirect to this address.
    Redirect(String),
    /// With a body that never ends.
    Flood,
    /// Not at all.
    Silence,
}

/// A server; it stops when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Starts a server on a thread of its own, as a run has its own runtime.
    pub(crate) fn start(answer: Answer) -> Self {
        Self::at("127.0.0.1", answer)
    }

    /// Starts a server at another loopback address.
    pub(crate) fn at(address: &str, answer: Answer) -> Self {
        let listener = std::net::TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (seen, heard) = (Arc::default(), Arc::default());
        let accept = accept(listener, answer, Arc::clone(&seen), Arc::clone(&heard));
        std::thread::spawn(move || {
            crate::common::block_on(async {
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        Self { address, seen, heard, _stop: stop }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a URL of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns how many connections came.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Returns everything that was sent to it.
    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

async fn accept(
    listener: std::net::TcpListener,
    answer: Answer,
    seen: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        seen.fetch_add(1, Ordering::SeqCst);
        // A guest that goes away in the middle is no failure of the server.
        let (answer, heard) = (answer.clone(), Arc::clone(&heard));
        tokio::spawn(async move { respond(stream, answer, &heard).await.ok() });
    }
}

async fn respond(
    mut stream: TcpStream,
    answer: Answer,
    heard: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    let received = request(&mut stream, heard).await?;
    let okay = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    match answer {
        Answer::Echo => {
            let length = received.len();
            stream.write_all(format!("{okay}content-length: {length}\r\n\r\n").as_bytes()).await?;
            stream.write_all(&received).await
        }
        Answer::Redirect(to) => {
            let found = "HTTP/1.1 302 Found\r\nconnection: close\r\ncontent-length: 0\r\n";
            stream.write_all(format!("{found}location: {to}\r\n\r\n").as_bytes()).await
        }
        Answer::Flood => {
            stream.write_all(format!("{okay}\r\n").as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 16 * 1024]).await?;
            }
        }
        Answer::Silence => std::future::pending().await,
    }
}

/// Reads one request with its body.
async fn request(stream: &mut TcpStream, heard: &Mutex<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !is_whole(&bytes) {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        heard.lock().unwrap().extend_from_slice(&buffer[..count]);
        bytes.extend_from_slice(&buffer[..count]);
    }
    Ok(bytes)
}

/// Tells whether head and body are there.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let field =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    if field("transfer-encoding").is_some() {
        return bytes.ends_with(b"0\r\n\r\n");
    }
    let length = field("content-length").map_or(0, |length| length.parse().unwrap());
    bytes.len() - end - 4 >= length
}
