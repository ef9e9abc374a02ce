//! Loads a guest by name, runs it under exactly the given grants and limits, and says how it ended.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringfence::{
    CallResult, Class, Diagnostic, Flow, Host, Level, Limit, Limits, Observer, PluginKind, Profile,
    RunError, RunOptions, Sink, Stdio,
};
use ringfence_capability::{
    Capability, Grant, HostPattern, MethodClass, Origin, PathScope, Port, Request,
};
use ringfence_engine::{EngineError, LimitExceeded};
use serde_json::{Value, json};

/// Longer than any attempt takes; a run that passes it has got round a limit.
const STUCK: Duration = Duration::from_mins(1);

/// A directory of its own for one case: `ws` is the workspace, and beside it whatever must not be
/// reached. The host's `state` lies outside of the root, so that a wide grant does not contain it.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("root/ws")).unwrap();
        Self { root }
    }

    /// Returns a path below the root, which is the parent of the workspace, or below `state`.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        let root = self.root.path();
        if Path::new(below).starts_with("state") {
            return root.join(below);
        }
        root.join("root").components().chain(Path::new(below).components()).collect()
    }

    /// Returns the directory that holds the root and the host's state, as a scope.
    pub(crate) fn everything(&self, guest: &str) -> PathScope {
        let path = self.root.path().canonicalize().unwrap();
        PathScope::elsewhere(path.to_str().unwrap(), guest).unwrap()
    }

    /// Writes a file below the root, with the directories it needs.
    pub(crate) fn file(&self, below: &str, content: &str) -> &Self {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Returns the whole root as a scope outside the workspace, seen by the guest as `guest`.
    pub(crate) fn root_scope(&self, guest: &str) -> PathScope {
        let path = self.path("").canonicalize().unwrap();
        PathScope::elsewhere(path.to_str().unwrap(), guest).unwrap()
    }

    pub(crate) fn host(&self, limits: Limits) -> Host {
        // One cache for all tests, so that each guest is compiled once.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-cache");
        let builder = Host::builder().workspace(self.path("ws")).state(self.path("state"));
        builder.cache(cache).limits(limits).build().unwrap()
    }
}

/// One run of one guest. The default profile is the widest, vouched for, with nothing granted but
/// what language runtimes expect, so that each case states the one thing it is about.
pub(crate) struct Run<'p> {
    guest: String,
    bytes: Option<Vec<u8>>,
    manifest: Option<String>,
    args: Vec<String>,
    function: String,
    input: Value,
    stdin: Option<Vec<u8>>,
    place: Option<&'p Place>,
    vouched: bool,
    flow: Option<Arc<Flow>>,
    options: RunOptions,
}

impl<'p> Run<'p> {
    /// Returns a run of the command `guest`.
    pub(crate) fn command<T: ToString>(guest: &str, args: impl IntoIterator<Item = T>) -> Self {
        Self::new(guest, args.into_iter().map(|arg| arg.to_string()).collect(), json!({}))
    }

    /// Returns a call of the function `attempt` of `guest`.
    pub(crate) fn attempt(guest: &str, input: Value) -> Self {
        Self::new(guest, Vec::new(), input)
    }

    fn new(guest: &str, args: Vec<String>, input: Value) -> Self {
        Self {
            guest: guest.to_owned(),
            bytes: None,
            manifest: None,
            args,
            function: "attempt".to_owned(),
            input,
            stdin: None,
            place: None,
            vouched: true,
            flow: None,
            options: RunOptions { profile: Profile::Trusted, ..RunOptions::default() },
        }
    }

    /// Runs these bytes instead of the built ones.
    pub(crate) fn bytes(mut self, bytes: Vec<u8>) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Runs the guest from a directory of its own with this manifest.
    pub(crate) fn manifest(mut self, text: &str) -> Self {
        self.manifest = Some(text.to_owned());
        self
    }

    /// Calls this function instead of `attempt`.
    pub(crate) fn function(mut self, function: &str) -> Self {
        function.clone_into(&mut self.function);
        self
    }

    /// Runs in this place instead of an empty one of its own.
    pub(crate) fn at(mut self, place: &'p Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Asks for `capability` as the operator, who approves it.
    pub(crate) fn grant(mut self, capability: Capability) -> Self {
        let origin = Origin::Flag("test".to_owned());
        self.options.requests.push(Request::required(
            capability.clone(),
            "the test",
            origin.clone(),
        ));
        self.options.approved.push(Grant::new(capability, origin));
        self
    }

    /// Sets one limit of the run.
    pub(crate) fn limit(mut self, limit: Limit, number: u64) -> Self {
        self.options.limits.push((limit, number));
        self
    }

    /// Runs under `profile` instead of the widest.
    pub(crate) fn profile(mut self, profile: Profile) -> Self {
        self.options.profile = profile;
        self
    }

    /// Runs as a plugin nobody vouched for.
    pub(crate) fn unvouched(mut self) -> Self {
        self.vouched = false;
        self
    }

    /// Gives the guest this standard input.
    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_vec());
        self
    }

    /// Runs together with the others of `flow`.
    pub(crate) fn in_flow(mut self, flow: &Arc<Flow>) -> Self {
        self.flow = Some(Arc::clone(flow));
        self
    }

    /// Changes any other option.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut RunOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Runs it and returns how it ended.
    pub(crate) async fn end(self) -> Ended {
        let stdout = Kept::default();
        let stderr = Kept::default();
        let heard = Arc::new(Heard::default());
        let run = self.start(stdout.clone(), stderr.clone(), Arc::clone(&heard));
        let ended = tokio::time::timeout(STUCK, run).await;
        let end = match ended.expect("a guest ran on past every limit") {
            Ok(end) => end,
            Err(error) => End::Error(Box::new(error)),
        };
        let messages = std::mem::take(&mut *heard.0.lock().unwrap());
        Ended { end, stdout: stdout.text(), stderr: stderr.text(), messages }
    }

    async fn start(
        mut self,
        stdout: Kept,
        stderr: Kept,
        heard: Arc<Heard>,
    ) -> Result<End, RunError> {
        let own;
        let place = if let Some(place) = self.place {
            place
        } else {
            own = Place::new();
            &own
        };
        let host = place.host(Limits::default());
        let bytes = self.bytes.take().unwrap_or_else(|| guest_bytes(&self.guest));
        let plugin = match &self.manifest {
            Some(manifest) => {
                place.file("plugin/plugin.toml", manifest);
                std::fs::write(place.path(&format!("plugin/{}.wasm", self.guest)), bytes).unwrap();
                host.open(place.path("plugin"))?
            }
            None => Host::open_bytes(bytes, &self.guest)?,
        };
        if self.vouched && self.options.trust.is_none() {
            self.options.trust = Some((plugin.identity, self.options.profile));
        }
        self.options.observer = Some(heard);
        let prepared = host.prepare(&plugin, self.options)?;
        let mut stdio = Stdio::new(self.stdin, stdout, stderr);
        if let Some(flow) = self.flow {
            stdio = stdio.in_flow(flow);
        }
        if prepared.kind() == PluginKind::Command {
            return Ok(End::Exit(prepared.run(&self.args, stdio).await?.exit_code));
        }
        Ok(End::Returned(prepared.call(&self.function, &self.input, stdio).await?.result))
    }
}

/// How a run ended, and what it said until then.
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) messages: Vec<String>,
}

pub(crate) enum End {
    /// A command came to its end.
    Exit(i32),
    /// A function returned.
    Returned(CallResult),
    /// The host ended the run, or refused to start it.
    Error(Box<RunError>),
}

/// How a run is expected to end.
pub(crate) enum Expect<'a> {
    /// The guest's line says `succeeded`, with a detail that contains this.
    Succeeded(&'a str),
    /// The guest's line says `refused`, with a detail that contains this.
    Refused(&'a str),
    /// The command ends with this code and prints no line.
    Exit(i32),
    /// The function returns this.
    Returns(Value),
    /// The run ends because this limit was reached, and the error names it.
    Limit(Limit),
    /// The run ends with this code, and text, causes and hint together contain each of these.
    Error(&'a str, &'a [&'a str]),
}

impl Ended {
    /// Returns `outcome` and `detail` of the one line a command prints.
    pub(crate) fn line(&self) -> Option<(String, String)> {
        let mut lines = self.stdout.lines();
        let line = serde_json::from_str::<Value>(lines.next()?).ok()?;
        assert_eq!(lines.next(), None, "one line only");
        Some((line["outcome"].as_str()?.to_owned(), line["detail"].as_str()?.to_owned()))
    }

    /// Returns the error with its causes and its hint.
    pub(crate) fn error_text(&self) -> String {
        let End::Error(error) = &self.end else { return String::new() };
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&**error);
        while let Some(cause) = source {
            text = format!("{text}; {cause}");
            source = cause.source();
        }
        format!("{text}; hint: {}", error.hint().unwrap_or_default())
    }

    /// Checks the ending and returns it; `which` names the case.
    #[track_caller]
    pub(crate) fn expect(self, which: &str, expected: &Expect<'_>) -> Self {
        let said = |wanted: &str, part: &str| {
            let line = self.line();
            line.is_some_and(|(outcome, detail)| outcome == wanted && detail.contains(part))
        };
        let met = match (expected, &self.end) {
            (Expect::Succeeded(part), End::Exit(0)) => said("succeeded", part),
            (Expect::Refused(part), End::Exit(0)) => said("refused", part),
            (Expect::Exit(code), End::Exit(is)) => code == is,
            (Expect::Returns(value), End::Returned(CallResult::Ok(is))) => value == is,
            (Expect::Limit(limit), End::Error(error)) => is_limit(error, *limit),
            (Expect::Error(code, parts), End::Error(error)) => {
                let text = self.error_text();
                error.code() == *code && parts.iter().all(|part| text.contains(part))
            }
            _ => false,
        };
        assert!(met, "{which}: expected {}\n{}", expected.text(), self.text());
        self
    }

    fn text(&self) -> String {
        let short = |text: &str| format!("{text:.600}");
        let end = match &self.end {
            End::Exit(code) => format!("exit code {code}"),
            End::Returned(result) => format!("returned {}", short(&format!("{result:?}"))),
            End::Error(error) => {
                format!("{} {:?}: {}", error.code(), error.class(), self.error_text())
            }
        };
        format!(
            "     got {end}\n  stdout {}\n  stderr {}",
            short(&self.stdout),
            short(&self.stderr)
        )
    }
}

impl Expect<'_> {
    fn text(&self) -> String {
        match self {
            Self::Succeeded(detail) => format!("`succeeded` with `{detail}`"),
            Self::Refused(detail) => format!("`refused` with `{detail}`"),
            Self::Exit(code) => format!("exit code {code}"),
            Self::Returns(value) => format!("the value {:.600}", value.to_string()),
            Self::Limit(limit) => format!("the limit `{limit}`"),
            Self::Error(code, parts) => format!("the error {code} with {parts:?}"),
        }
    }
}

/// Runs one misdeed twice: `refused` with its protection on, `twin` with that one protection off.
#[track_caller]
pub(crate) fn check(refused: Run<'_>, reason: &Expect<'_>, twin: Run<'_>, result: &Expect<'_>) {
    let which = refused.guest.clone();
    block_on(refused.end()).expect(&format!("{which} (protection on)"), reason);
    block_on(twin.end()).expect(&format!("{which} (protection off)"), result);
}

/// Runs one guest and returns how it ended, as expected.
#[track_caller]
pub(crate) fn one(run: Run<'_>, expected: &Expect<'_>) -> Ended {
    let which = run.guest.clone();
    block_on(run.end()).expect(&which, expected)
}

/// Waits for `future` on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// Returns the bytes of a guest, text guests encoded.
pub(crate) fn guest_bytes(name: &str) -> Vec<u8> {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/out");
    if out.join(format!("{name}.wat")).exists() {
        return wat::parse_str(guest_text(name)).unwrap();
    }
    let built = out.join(format!("{name}.wasm"));
    std::fs::read(&built)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests`", built.display()))
}

/// Returns the text of a guest that is kept as text, for variants of it that end.
pub(crate) fn guest_text(name: &str) -> String {
    let text =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/guests/wat/{name}.wat"));
    std::fs::read_to_string(&text).unwrap_or_else(|error| panic!("{}: {error}", text.display()))
}

/// Returns a grant for requests to one host and port.
pub(crate) fn http(host: &str, port: u16, methods: MethodClass) -> Capability {
    let host = host.parse::<HostPattern>().unwrap();
    Capability::Http { host, port: Port::Number(port), methods }
}

/// Returns a grant to read a directory of the workspace, seen by the guest as `guest`.
pub(crate) fn read(path: &str, guest: &str) -> Capability {
    Capability::FsRead(PathScope::workspace(path, guest).unwrap())
}

/// Returns a grant to write a directory of the workspace, seen by the guest as `guest`.
pub(crate) fn write(path: &str, guest: &str) -> Capability {
    Capability::FsWrite(PathScope::workspace(path, guest).unwrap())
}

fn is_limit(error: &RunError, limit: Limit) -> bool {
    let (RunError::Engine(EngineError::Limit(LimitExceeded { limit: is, .. }))
    | RunError::Output(LimitExceeded { limit: is, .. })) = error
    else {
        return false;
    };
    let named = error.to_string().contains(limit.name());
    *is == limit && named && error.code() == "engine::limit" && error.class() == Class::LimitReached
}

/// Keeps what a guest prints.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Sink for Kept {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

/// Keeps what a guest logs.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn message(&self, _: Level, text: &str, _: &[(String, String)]) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn progress(&self, _: f64, _: Option<f64>, _: &str) {}
}
