//! A server on the loopback that answers by path and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What a server sends for a path.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

pub(crate) fn page(text: &str) -> Answer {
    let body = format!(
        "<html><head><title>Seepage</title></head><body><article><h1>Seepage</h1><p>{text}</p></article></body></html>"
    );
    let headers = vec![("content-type", "text/html; charset=utf-8".to_owned())];
    Answer { status: 200, headers, body }
}

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_owned(),
    }
}

/// A request: its target, and its headers.
pub(crate) type Asked = (String, BTreeMap<String, String>);

/// A server that answers by path and remembers each request: its target, and its headers.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    routes: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How many searches have to come before the first page is sent.
    searches_first: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            routes: Arc::default(),
            asked: Arc::default(),
            searches_first: Arc::default(),
        };
        let (routes, asked) = (Arc::clone(&server.routes), Arc::clone(&server.asked));
        let first = Arc::clone(&server.searches_first);
        // The thread ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (routes, asked) = (Arc::clone(&routes), Arc::clone(&asked));
                let first = Arc::clone(&first);
                std::thread::spawn(move || serve(stream, &routes, &asked, &first));
            }
        });
        server
    }

    pub(crate) fn route(&self, path: &str, answer: Answer) {
        self.routes.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Sends no page before this many searches came, whoever makes them.
    pub(crate) fn after_searches(&self, number: usize) {
        self.searches_first.store(number, Ordering::SeqCst);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns what was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|(target, _)| target).collect()
    }
}

fn serve(
    stream: TcpStream,
    routes: &Mutex<BTreeMap<String, Answer>>,
    asked: &Mutex<Vec<Asked>>,
    searches_first: &AtomicUsize,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let found = routes.lock().unwrap().get(&path).cloned();
    let mut found = found.unwrap_or_else(|| answer(404, ""));
    let etag = found.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value);
    if etag.is_some() && etag == headers.get("if-none-match") {
        found.status = 304;
        found.body.clear();
    }
    let is_search = target.contains("action=query");
    asked.lock().unwrap().push((target, headers));
    let searches = || {
        let asked = asked.lock().unwrap();
        asked.iter().filter(|(target, _)| target.contains("action=query")).count()
    };
    while !is_search && searches() < searches_first.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", found.status);
    // A body that is announced longer than it is breaks off.
    if !found.headers.iter().any(|(name, _)| *name == "content-length") {
        found.headers.push(("content-length", found.body.len().to_string()));
    }
    for (name, value) in &found.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    let mut stream = stream;
    let _ = stream.write_all(format!("{head}\r\n{}", found.body).as_bytes());
}
