//! A registry of plain functions, and a client that is nothing but two streams of lines.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_mcp::{
    Answer, Asks, Call, CallError, Catalog, Changes, Hints, Outcome, Question, Registry, Server,
    ServerOptions, Severity, Tool,
};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf,
};
use tokio::sync::{Notify, oneshot, watch};

/// The tools of these tests.
pub(crate) struct Functions {
    catalog: Mutex<Arc<Catalog>>,
    changes: watch::Sender<u64>,
    /// Calls of `wait` that have begun.
    pub(crate) began: Notify,
    /// Lets one call of `wait` end.
    pub(crate) go: Notify,
    /// Calls of `wait` that were withdrawn.
    pub(crate) withdrawn: AtomicUsize,
    /// Is told when one was.
    pub(crate) dropped: Notify,
}

impl Functions {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(tools())
    }

    pub(crate) fn with(tools: Vec<Tool>) -> Arc<Self> {
        Arc::new(Self {
            catalog: Mutex::new(Arc::new(Catalog::new(tools).unwrap())),
            changes: watch::Sender::new(0),
            began: Notify::new(),
            go: Notify::new(),
            withdrawn: AtomicUsize::new(0),
            dropped: Notify::new(),
        })
    }

    /// Puts other tools in the place of those there are.
    pub(crate) fn change(&self, tools: Vec<Tool>) {
        *self.catalog.lock().unwrap() = Arc::new(Catalog::new(tools).unwrap());
        self.changes.send_modify(|number| *number += 1);
    }
}

/// Counts a call that ends before it is done.
struct Withdrawn<'f>(&'f Functions, bool);

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.withdrawn.fetch_add(1, Ordering::SeqCst);
            self.0.dropped.notify_one();
        }
    }
}

impl Registry for Functions {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.lock().unwrap())
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.changes.subscribe())
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Outcome, CallError>> {
        async move {
            let answer = match call.tool.as_str() {
                "calc_add" => {
                    let sum = |a: &Value, b: &Value| Some(a.as_i64()? + b.as_i64()?);
                    let sum = sum(&call.input["a"], &call.input["b"]).unwrap();
                    Answer::value(json!({ "result": sum }))
                }
                "say_lie" => Answer::value(json!({ "result": "not a number" })),
                "say_hostile" => Answer::value(json!({ "result": "a\x1b[2J\u{202e}b" })),
                "say_much" => Answer::text("x".repeat(3 * 1024 * 1024)),
                "say_no" => Answer::failure("no"),
                "say_steps" => {
                    for step in [0.0, 50.0, 40.0, 50.0, 100.0] {
                        call.listener.progress(step, Some(100.0), "going on\x07");
                    }
                    call.listener.message(Severity::Warning, "odd\x1b");
                    Answer::text("done")
                }
                "wait" => {
                    let mut watch = Withdrawn(self, false);
                    self.began.notify_one();
                    self.go.notified().await;
                    watch.1 = true;
                    Answer::text("waited")
                }
                "ask" => match call.answers {
                    None => return Ok(Outcome::Asks(question())),
                    Some(answers) => Answer::text(format!("{:?}", answers.given)),
                },
                other => panic!("nobody checked that `{other}` exists"),
            };
            Ok(Outcome::Done(answer))
        }
        .boxed()
    }
}

fn question() -> Asks {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    let question = Question::Person { message: "how many?".to_owned(), schema };
    let questions = vec![("k".to_owned(), question, false)];
    Asks { asker: "plugin `t`".to_owned(), questions, state: None }
}

pub(crate) fn tool(name: &str, input: Value, output: Option<Value>) -> Tool {
    Tool {
        name: name.to_owned(),
        title: None,
        description: format!("Does `{name}`\x1b[31m"),
        input,
        output,
        hints: Hints::default(),
    }
}

pub(crate) fn tools() -> Vec<Tool> {
    let nothing = json!({ "type": "object" });
    let numbers = json!({
        "type": "object",
        "properties": { "a": { "type": "integer" }, "b": { "type": "integer" } },
        "required": ["a", "b"],
        "additionalProperties": false,
    });
    let one = |ty: &str| {
        let result = json!({ "result": { "type": ty } });
        Some(json!({ "type": "object", "properties": result, "required": ["result"] }))
    };
    vec![
        tool("calc_add", numbers, one("integer")),
        tool("say_lie", nothing.clone(), one("integer")),
        tool("say_hostile", nothing.clone(), one("string")),
        tool("say_much", nothing.clone(), None),
        tool("say_no", nothing.clone(), one("integer")),
        tool("say_steps", nothing.clone(), None),
        tool("wait", nothing, None),
    ]
}

/// A client of raw lines.
pub(crate) struct Client {
    to: WriteHalf<DuplexStream>,
    from: BufReader<ReadHalf<DuplexStream>>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) server: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Returns a client of a server for these functions, that has said nothing yet.
    pub(crate) fn new(functions: &Arc<Functions>, options: ServerOptions) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (to_read, to_write) = tokio::io::split(theirs);
        let registry: Arc<dyn Registry> = Arc::<Functions>::clone(functions);
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(registry, options);
        let server = tokio::spawn(async move {
            // A sender that is gone is no wish to stop.
            let end = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            server.lines(to_read, to_write, end).await;
        });
        let (from, to) = tokio::io::split(ours);
        Self { to, from: BufReader::new(from), stop: Some(stop), server }
    }

    /// Returns a client that has begun as revision 2025-11-25 says.
    pub(crate) async fn begun(functions: &Arc<Functions>) -> Self {
        let mut client = Self::new(functions, ServerOptions::default());
        client.begin().await;
        client
    }

    pub(crate) async fn begin(&mut self) {
        let answer = self.ask(&initialize(0)).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.to.write_all(bytes).await.unwrap();
        self.to.flush().await.unwrap();
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.bytes(format!("{message}\n").as_bytes()).await;
    }

    /// Returns the next message; nothing when the server closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_mins(1), self.from.read_line(&mut line));
        let read = read.await.expect("the server says nothing any more").unwrap_or(0);
        (read > 0).then(|| serde_json::from_str(&line).expect("a line is a message"))
    }

    /// Sends a request and returns the next message.
    pub(crate) async fn ask(&mut self, request: &Value) -> Value {
        self.send(request).await;
        self.next().await.expect("the server closed the connection")
    }

    /// Sends end of input.
    pub(crate) async fn hang_up(&mut self) {
        self.to.shutdown().await.unwrap();
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

pub(crate) fn initialize(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "lines", "version": "0" },
    } })
}

/// Returns a request of revision 2026-07-28.
pub(crate) fn modern(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "lines", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub(crate) fn call(id: u64, tool: &str, input: Value) -> Value {
    let mut params = json!({ "name": tool });
    params["arguments"] = input;
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}
