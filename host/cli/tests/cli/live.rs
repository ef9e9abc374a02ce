//! A client of `mcp serve` that says one thing after another, and hears what comes back.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

pub(crate) struct Live {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// What came while something else was waited for.
    heard: VecDeque<Value>,
}

impl Live {
    /// Starts the server and begins in revision 2025-11-25.
    pub(crate) fn start(command: Command) -> Self {
        Self::able(command, &json!({}))
    }

    /// The same for a client that can do this.
    pub(crate) fn able(mut command: Command, capabilities: &Value) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut live = Self { child, to, from: BufReader::new(from), heard: VecDeque::new() };
        live.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": capabilities,
            "clientInfo": { "name": "t", "version": "0" },
        } }));
        let begun = live.answer(0);
        assert_eq!(begun["result"]["protocolVersion"], "2025-11-25", "{begun}");
        live.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        live
    }

    pub(crate) fn send(&mut self, message: &Value) {
        writeln!(self.to.as_mut().unwrap(), "{message}").unwrap();
    }

    pub(crate) fn request(&mut self, id: u64, method: &str, params: &Value) {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&request);
    }

    pub(crate) fn ask(&mut self, id: u64, method: &str, params: &Value) -> Value {
        self.request(id, method, params);
        self.answer(id)
    }

    /// Waits for the answer to a request; what comes before it is kept.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.wait(|message| message["id"] == id && message.get("method").is_none())
    }

    /// Waits for a notification.
    pub(crate) fn told(&mut self, method: &str) -> Value {
        self.wait(|message| message["method"] == method)
    }

    /// Returns the names of the tools there are, in order.
    pub(crate) fn tools(&mut self, id: u64) -> Vec<String> {
        let answer = self.ask(id, "tools/list", &json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap().iter();
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Goes away; returns how the server ended and what it still said.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<Value>) {
        drop(self.to.take());
        let mut rest: Vec<Value> = self.heard.drain(..).collect();
        while let Some(message) = self.next() {
            rest.push(message);
        }
        (self.child.wait().unwrap(), rest)
    }

    fn wait(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        if let Some(found) = self.heard.iter().position(&is) {
            return self.heard.remove(found).unwrap();
        }
        loop {
            let message = self.next().expect("the server still talks");
            if is(&message) {
                return message;
            }
            self.heard.push_back(message);
        }
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.from.read_line(&mut line).unwrap();
        (read > 0).then(|| serde_json::from_str(&line).expect("a line is a message"))
    }
}
