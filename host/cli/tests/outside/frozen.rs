//! Between calls a server stands still, and its way out is closed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::common::{Fixture, states, until};

/// `mcp serve --server it`, spoken to.
pub(crate) struct Gateway {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Gateway {
    pub(crate) fn start(fixture: &Fixture) -> Self {
        Self::able(fixture, &json!({}))
    }

    /// Returns one whose client can do this.
    pub(crate) fn able(fixture: &Fixture, capabilities: &Value) -> Self {
        let mut command = fixture.command(&["mcp", "serve", "--server", "it"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut gateway = Self { child, input, output: BufReader::new(output), next: 0 };
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": { "name": "t", "version": "0" },
        });
        gateway.ask("initialize", &params);
        gateway
    }

    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        self.answer_to(id)
    }

    /// Sends a request and returns its id.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let id = self.next;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(self.input, "{message}").unwrap();
        id
    }

    pub(crate) fn tell(&mut self, method: &str, params: &Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        writeln!(self.input, "{message}").unwrap();
    }

    /// Answers a question.
    pub(crate) fn reply(&mut self, question: &Value, result: &Value) {
        let message = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        writeln!(self.input, "{message}").unwrap();
    }

    pub(crate) fn answer_to(&mut self, id: u64) -> Value {
        self.message(|message| message["id"] == id && message.get("method").is_none())
    }

    /// Returns the next question.
    pub(crate) fn question(&mut self) -> Value {
        self.message(|message| message.get("method").is_some() && message.get("id").is_some())
    }

    fn message(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            if is(&message) {
                return message;
            }
        }
    }

    pub(crate) fn call(&mut self, tool: &str, input: &Value) -> String {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": input }));
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    pub(crate) fn end(self) {
        let Self { mut child, input, .. } = self;
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn between_calls_a_server_and_all_it_started_stand_still() {
    let mark = format!("8{:09}", std::process::id());
    let spawns = format!(
        "call() {{ [ -n \"$up\" ] || {{ (exec -a work{mark} bash -c 'while :; do :; done') & until grep -qs work{mark} /proc/$!/cmdline; do :; done; up=1; }}; text up; }}"
    );
    let fixture = Fixture::added(&spawns, &[]);
    let mut gateway = Gateway::start(&fixture);
    let mark = format!("work{mark}");
    for _ in 0..3 {
        assert_eq!(gateway.call("it_one", &json!({})), "up");
        assert!(until(|| states(&mark) == ['T']), "{:?}", states(&mark));
    }
    gateway.end();
    assert!(until(|| states(&mark).is_empty()));
}

#[test]
fn a_way_out_is_there_only_while_a_call_is_under_way() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap().to_string();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let _ = told.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    // It starts one that calls home for ever, and answers at once; the second call waits for one of them
    // to arrive.
    let parts = r#"
fetch() { local p=${HTTP_PROXY#http://}; exec 3<>"/dev/tcp/${p%:*}/${p##*:}" || return 1
  printf 'GET http://%s/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$TARGET" "$1" "$TARGET" >&3
  cat <&3 >/dev/null; exec 3>&-; }
call() { case $line in
  *start*) (trap '' HUP; while :; do fetch home; done) >/dev/null 2>&1 </dev/null & text started ;;
  *) fetch call; text called ;;
esac; }"#;
    let fixture = Fixture::of(parts);
    let env = format!("TARGET={host}");
    let added = fixture.add(&[
        "-p",
        "net-read-only",
        "--env",
        &env,
        "--http",
        &host,
        "--allow-address",
        "127.0.0.0/8",
        "--limit",
        "connections=100000",
    ]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let mut gateway = Gateway::start(&fixture);
    assert_eq!(gateway.call("it_one", &json!({ "do": "start" })), "started");
    // What was under way when the call ended may still arrive; after that nothing does.
    while heard.recv_timeout(Duration::from_millis(500)).is_ok() {}
    assert!(heard.recv_timeout(Duration::from_secs(2)).is_err(), "it called home between calls");
    // The twin: while a call is under way both arrive.
    assert_eq!(gateway.call("it_one", &json!({ "do": "call" })), "called");
    assert!(until(|| heard.try_iter().any(|request| request.contains("/call"))));
    gateway.end();
}
