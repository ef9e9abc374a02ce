//! A workspace with one outside server in it, written in the shell: what each test adds is the part of it
//! that answers calls, or lies.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The parts of a server that behaves. `$id` is the id of the request, `$line` the request.
const SERVER: &str = r#"
say() { printf '%s\n' "$1"; }
answer() { say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":$1}"; }
refuse() { say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"error\":{\"code\":-32601,\"message\":\"no\"}}"; }
text() { answer "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
tool() { printf '{"name":"%s","description":"%s","inputSchema":{"type":"object"}}' "$1" "$2"; }
tools() { answer "{\"tools\":[$(tool one 'the first'),$(tool two 'the second')]}"; }
begin() { answer '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}'; }
discover() { refuse; }
call() { text done; }
"#;

/// What reads requests, after the parts.
const LOOP: &str = r#"
while IFS= read -r line; do
  case $line in *'"id":'*) ;; *) continue ;; esac
  id=${line##*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *'"method":"initialize"'*) begin ;;
    *'"method":"server/discover"'*) discover ;;
    *'"method":"tools/list"'*) tools ;;
    *'"method":"tools/call"'*) call ;;
    *'"method":'*) refuse ;;
  esac
done
"#;

pub(crate) struct Fixture {
    root: tempfile::TempDir,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Fixture {
    /// Returns a workspace with this server, not added yet.
    pub(crate) fn of(parts: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for dir in ["work", "state", "home", "elsewhere"] {
            std::fs::create_dir(root.path().join(dir)).unwrap();
        }
        let fixture = Self { root };
        fixture.server(parts);
        fixture
    }

    /// As [`Fixture::of`], and the server is added with these flags.
    pub(crate) fn added(parts: &str, flags: &[&str]) -> Self {
        let fixture = Self::of(parts);
        let done = fixture.add(flags);
        assert_eq!(done.code, Some(0), "{done:?}");
        fixture
    }

    /// Writes the server anew.
    pub(crate) fn server(&self, parts: &str) {
        self.write("server.sh", &format!("{SERVER}\n{parts}\n{LOOP}"));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.work().join(name), text).unwrap();
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub(crate) fn elsewhere(&self) -> PathBuf {
        self.root.path().join("elsewhere")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        // Without a terminal, whoever runs the tests.
        let mut command = self.start("setsid".as_ref());
        command.arg("--wait").arg(env!("CARGO_BIN_EXE_ringfence")).args(args);
        command
    }

    /// Returns a program that is to run in the workspace, with the state and the home of this fixture.
    pub(crate) fn start(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.work()).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.home());
        command.env("RINGFENCE_STATE_DIR", self.root.path().join("state"));
        command.env("XDG_CACHE_HOME", self.home());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Done {
        let output = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done = Done {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        assert!(!done.err.contains("panicked"), "{}", done.err);
        done
    }

    /// Runs a command that prints JSON.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: &[S]) -> Value {
        let all: Vec<&OsStr> =
            [OsStr::new("--json")].into_iter().chain(args.iter().map(AsRef::as_ref)).collect();
        let done = self.run(&all);
        serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// Returns what an approval of the server with these flags names.
    pub(crate) fn subject(&self, flags: &[&str]) -> String {
        let args: Vec<&str> = ["mcp", "add", "it", "--plan"]
            .into_iter()
            .chain(flags.iter().copied())
            .chain(["--", "bash", "server.sh"])
            .collect();
        self.json(&args)["subject"].as_str().unwrap().to_owned()
    }

    /// Adds the server under the name `it`, approved ahead.
    pub(crate) fn add(&self, flags: &[&str]) -> Done {
        let subject = self.subject(flags);
        let args: Vec<&str> = ["mcp", "add", "it", "--approve", &subject]
            .into_iter()
            .chain(flags.iter().copied())
            .chain(["--", "bash", "server.sh"])
            .collect();
        self.run(&args)
    }

    pub(crate) fn call(&self, tool: &str, flags: &[&str]) -> Done {
        let args: Vec<&str> =
            ["mcp", "call", "it", tool].into_iter().chain(flags.iter().copied()).collect();
        // A call that hangs is told from a machine that is slow.
        let named = flags.contains(&"--timeout");
        let time: &[&str] = if named { &[] } else { &["--timeout", "60s"] };
        let args: Vec<&str> = args.into_iter().chain(time.iter().copied()).collect();
        self.run(&args)
    }

    /// Returns the records of the audit log, checked.
    pub(crate) fn log(&self) -> Vec<Value> {
        let verified = self.run(&["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        let text = self.raw_log();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn raw_log(&self) -> String {
        std::fs::read_to_string(self.root.path().join("state/audit.jsonl")).unwrap()
    }

    /// Returns the operations about servers in the log, in order.
    pub(crate) fn operations(&self) -> Vec<String> {
        let mut all: Vec<_> =
            self.log().iter().map(|one| one["operation"].as_str().unwrap().to_owned()).collect();
        all.retain(|name| name.starts_with("mcp."));
        all
    }
}

impl Done {
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is not in\n{}", self.err);
        }
    }
}

/// Tells whether a process with `mark` among its arguments runs, and in which states such processes are.
pub(crate) fn states(mark: &str) -> Vec<char> {
    let state = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        if !String::from_utf8_lossy(&line).contains(mark) {
            return None;
        }
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| state(entry.ok()?)).collect()
}

/// Waits until `is` holds; false when it does not for long.
pub(crate) fn until(is: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if is() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}
