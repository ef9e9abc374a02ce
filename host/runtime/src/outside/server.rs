//! One outside server: started when it is needed, called one call at a time, stopped in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence_approval::Approver;
use ringfence_audit::{Decision, Outcome as Logged, Target};
use ringfence_capability::{Diagnostic, Digest, GrantSet, text};
use ringfence_interfaces::proxy::ProxySummary;
use ringfence_mcp::client::{Asking, Called, ClientBounds, ClientError};
use ringfence_mcp::contract::{Contract, Standing, Unusable};
use ringfence_mcp::{Answers, CallError, Listener, Outcome, Tool};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{OutsideError, ServerSpec};
use crate::exec::{Hold, Written};
use crate::{ExecOptions, Executed, Host, RunError};

#[cfg(unix)]
use super::run::Run;

/// How many written files a record names.
const NAMED: usize = 20;
/// The longest a server that fails is left alone.
const MOST_WAIT: Duration = Duration::from_mins(1);

/// How one outside server is held.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct ServerOptions {
    /// What it is given.
    pub exec: ExecOptions,
    /// Who is asked where nothing is kept about it.
    pub approver: Arc<dyn Approver>,
    /// The definitions that were accepted, by tool.
    pub pins: BTreeMap<String, Digest>,
    /// What it may send.
    pub bounds: ClientBounds,
}

/// An outside server. Dropping it kills it with all it started.
pub struct OutsideServer {
    host: Host,
    spec: ServerSpec,
    options: ServerOptions,
    #[cfg(unix)]
    run: Option<Run>,
    tools: Vec<Contract>,
    unusable: Vec<Unusable>,
    granted: GrantSet,
    backoff: Backoff,
}

/// Every tool of a server and what became of it since it was accepted.
pub type Standings = Vec<(String, Standing, Option<Contract>)>;

/// What is left of a server that was closed.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ServerClosed {
    /// How its last process ended, with what it wrote into its stage.
    pub executed: Option<Executed>,
}

/// One call, as its caller sees it.
pub(crate) struct OneCall {
    pub(crate) tool: String,
    pub(crate) input: Value,
    pub(crate) answers: Option<Answers>,
    pub(crate) deadline: Instant,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) asking: Arc<dyn Asking>,
    /// Ready when nobody waits for the call any more.
    pub(crate) withdrawn: oneshot::Receiver<()>,
}

impl OutsideServer {
    /// Starts a server and lists its tools. It is stopped when this returns.
    ///
    /// # Errors
    /// When it is not what was approved, nobody approves it, it cannot be started, or it is no server.
    pub async fn start(
        host: &Host,
        spec: ServerSpec,
        options: ServerOptions,
    ) -> Result<Self, RunError> {
        let mut server = Self::of(host, spec, options);
        server.up().await?;
        Ok(server)
    }

    /// Returns a server that its first call starts.
    ///
    /// # Errors
    /// When it is not what was approved, or policy does not allow it.
    pub fn idle(host: &Host, spec: ServerSpec, options: ServerOptions) -> Result<Self, RunError> {
        let plan = host.plan_server(&spec, options.exec.clone())?;
        Ok(Self { granted: plan.verdicts.granted, ..Self::of(host, spec, options) })
    }

    fn of(host: &Host, spec: ServerSpec, options: ServerOptions) -> Self {
        Self {
            host: host.clone(),
            spec,
            options,
            #[cfg(unix)]
            run: None,
            tools: Vec::new(),
            unusable: Vec::new(),
            granted: GrantSet::default(),
            backoff: Backoff::default(),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        self.spec.name.as_str()
    }

    /// Returns the revision of the protocol it speaks.
    pub fn revision(&self) -> Option<&str> {
        self.spec.revision.as_deref()
    }

    /// Returns what was granted to it.
    pub fn granted(&self) -> &GrantSet {
        &self.granted
    }

    /// Returns its tools as it defines them now.
    pub fn tools(&self) -> &[Contract] {
        &self.tools
    }

    /// Returns what it lists that is no tool.
    pub fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }

    /// Returns every tool, sorted, with what became of it since it was accepted.
    pub fn standings(&self) -> Standings {
        let pins = &self.options.pins;
        let mut all: BTreeMap<String, (Standing, Option<Contract>)> =
            pins.keys().map(|name| (name.clone(), (Standing::Gone, None))).collect();
        for tool in &self.tools {
            let standing = match pins.get(tool.name()) {
                None => Standing::New,
                Some(pinned) if *pinned == tool.digest() => Standing::Pinned,
                Some(_) => Standing::Changed,
            };
            all.insert(tool.name().to_owned(), (standing, Some(tool.clone())));
        }
        all.into_iter().map(|(name, (standing, tool))| (name, standing, tool)).collect()
    }

    /// Returns the tool called `name`, when it is what was accepted.
    ///
    /// # Errors
    /// [`OutsideError::NoTool`], [`OutsideError::Quarantined`].
    pub fn accepted(&self, name: &str) -> Result<&Contract, OutsideError> {
        let tool = self.tools.iter().find(|tool| tool.name() == name);
        let quarantined = |why| OutsideError::Quarantined {
            server: self.name().to_owned(),
            tool: text::brief(name, 128),
            why,
        };
        match (tool, self.options.pins.get(name)) {
            (None, Some(_)) => Err(quarantined("the server does not offer it any more")),
            (None, None) => Err(OutsideError::NoTool {
                server: self.name().to_owned(),
                tool: text::brief(name, 128),
                known: self.tools.iter().map(|tool| tool.name().to_owned()).collect(),
            }),
            (Some(_), None) => Err(quarantined("nobody has accepted its definition")),
            (Some(tool), Some(pin)) if *pin == tool.digest() => Ok(tool),
            (Some(_), Some(_)) => {
                Err(quarantined("its definition is not the one that was accepted"))
            }
        }
    }

    /// Returns who asks, as a person should read it.
    fn asker(&self) -> String {
        format!("outside server `{}`", self.name())
    }
}

#[cfg(unix)]
impl OutsideServer {
    /// Returns what it says about itself.
    pub fn introduction(&self) -> Option<&ringfence_mcp::client::Introduction> {
        self.run.as_ref().map(|run| run.client.introduction())
    }

    /// Starts it when it does not run, and lists its tools then.
    async fn up(&mut self) -> Result<(), RunError> {
        if self.run.is_some() {
            return Ok(());
        }
        if let Some(wait) = self.backoff.wait(Instant::now()) {
            return Err(OutsideError::Down { server: self.name().to_owned(), wait }.into());
        }
        let started = self.begin().await;
        if started.is_err() {
            self.backoff.failed(Instant::now());
        }
        started
    }

    async fn begin(&mut self) -> Result<(), RunError> {
        let run = Run::start(
            &self.host,
            &self.spec,
            self.options.exec.clone(),
            Arc::clone(&self.options.approver),
            self.options.bounds,
        );
        let mut run = run.await?;
        self.granted = run.hold.granted().clone();
        let listed = match run.client.list().await {
            Ok(listed) => listed,
            Err(source) => {
                let (server, said) = (self.name().to_owned(), run.said());
                drop(run.kill().await);
                return Err(OutsideError::Talk { server, said, source }.into());
            }
        };
        (self.tools, self.unusable) = (listed.tools, listed.unusable);
        self.spec.revision = Some(run.client.revision().name().to_owned());
        run.hold.freeze();
        self.run = Some(run);
        Ok(())
    }

    /// Calls a tool that is what was accepted. Its way out is open, and the server runs, until there is
    /// an answer.
    ///
    /// # Errors
    /// When the tool is none or quarantined, the input does not fit, the server fails, or it cannot be
    /// recorded.
    ///
    /// # Cancellation
    /// [`OneCall::withdrawn`] ends it on the record. Dropping the future kills the server: it is started
    /// anew for the next call.
    pub(crate) async fn call(&mut self, call: OneCall) -> Result<Outcome, CallError> {
        self.up().await.map_err(|error| CallError::of(&error))?;
        let tool = self.accepted(&call.tool).map_err(|error| CallError::of(&error))?;
        let offered = as_tool(tool, tool.name().to_owned(), &self.granted);
        offered.check_input(&call.input)?;
        let target = Target::name(&format!("{}/{}", self.name(), call.tool));
        let asker = self.asker();
        let Some(run) = self.run.take() else { return Err(CallError::of(&OutsideError::NotHere)) };
        // While it is out here, a caller that goes away takes it along.
        let (run, done) = within(run, call, &asker, &target).await;
        let usable = match &done {
            Ok(_) => true,
            Err(Failed::Talk(error)) => error.leaves_it_usable() && !run.client.is_over(),
            Err(Failed::Run(_)) => false,
        };
        let said = run.said();
        if usable {
            self.backoff.worked();
            self.run = Some(run);
            self.look_again().await;
        } else {
            self.backoff.failed(Instant::now());
            drop(run.kill().await);
        }
        match done {
            Ok(Outcome::Done(answer)) => {
                if !answer.failed {
                    offered.check_output(answer.structured.as_ref())?;
                }
                Ok(Outcome::Done(answer))
            }
            Ok(asks) => Ok(asks),
            Err(Failed::Talk(source @ ClientError::Slow { .. })) => Err(source.into()),
            Err(Failed::Talk(source)) => {
                let server = self.name().to_owned();
                Err(CallError::of(&OutsideError::Talk { server, said, source }))
            }
            Err(Failed::Run(error)) => Err(CallError::of(&error)),
        }
    }

    /// Lists the tools again when the server says that they are others.
    async fn look_again(&mut self) {
        let Some(run) = self.run.as_mut() else { return };
        if !run.client.tools_changed() {
            return;
        }
        run.hold.thaw();
        let listed = run.client.list().await;
        run.hold.freeze();
        match listed {
            Ok(listed) => (self.tools, self.unusable) = (listed.tools, listed.unusable),
            // Nothing of it is offered until it says what it has.
            Err(_) => self.tools = Vec::new(),
        }
    }

    /// Ends it. A later call starts it anew.
    ///
    /// # Errors
    /// When its end cannot be recorded, or what it wrote cannot be looked at.
    pub async fn close(&mut self) -> Result<ServerClosed, RunError> {
        let Some(run) = self.run.take() else { return Ok(ServerClosed::default()) };
        Ok(ServerClosed { executed: run.close().await.transpose()? })
    }
}

#[cfg(not(unix))]
impl OutsideServer {
    #[expect(clippy::unused_async, clippy::unused_self, reason = "as where there are servers")]
    async fn up(&mut self) -> Result<(), RunError> {
        Err(OutsideError::NotHere.into())
    }

    #[expect(clippy::unused_async, clippy::unused_self, reason = "as where there are servers")]
    pub(crate) async fn call(&mut self, _: OneCall) -> Result<Outcome, CallError> {
        Err(CallError::of(&OutsideError::NotHere))
    }

    /// Ends it.
    ///
    /// # Errors
    /// None on this system, where none was started.
    #[expect(clippy::unused_async, reason = "as where there are servers")]
    pub async fn close(&mut self) -> Result<ServerClosed, RunError> {
        Ok(ServerClosed::default())
    }
}

/// Why a call came to nothing.
enum Failed {
    Talk(ClientError),
    Run(RunError),
}

/// Makes one call while the server runs and its way out is open.
#[cfg(unix)]
async fn within(
    mut run: Run,
    call: OneCall,
    asker: &str,
    target: &Target,
) -> (Run, Result<Outcome, Failed>) {
    let record = run.hold.record("mcp.call", target.clone(), Decision::Allow, "accepted", None);
    if let Err(error) = record {
        return (run, Err(Failed::Run(error)));
    }
    let (began, before) = (Instant::now(), run.hold.written());
    let opened = match run.hold.open() {
        Ok(opened) => opened,
        Err(error) => return (run, Err(Failed::Run(error.into()))),
    };
    run.hold.thaw();
    let called = Called {
        tool: &call.tool,
        input: call.input,
        answers: call.answers,
        deadline: call.deadline,
        listener: &*call.listener,
        asking: &*call.asking,
        asker,
    };
    let done = tokio::select! {
        biased;
        done = run.client.call(called) => Some(done),
        _ = call.withdrawn => None,
    };
    let done = if let Some(done) = done {
        done
    } else {
        run.client.withdraw().await;
        Err(ClientError::Withdrawn)
    };
    run.hold.freeze();
    let closed = tokio::task::spawn_blocking(move || opened.close()).await;
    let summary = closed.ok().and_then(Result::ok);
    let written = run.hold.written();
    let effect = Effect { summary, before, written, duration: began.elapsed() };
    let recorded = effect.record(&run.hold, target, &done);
    match recorded {
        Ok(()) => (run, done.map_err(Failed::Talk)),
        Err(error) => (run, Err(Failed::Run(error))),
    }
}

/// What one call did.
struct Effect {
    summary: Option<ProxySummary>,
    before: Written,
    written: Written,
    duration: Duration,
}

impl Effect {
    fn record(
        &self,
        hold: &Hold,
        target: &Target,
        done: &Result<Outcome, ClientError>,
    ) -> Result<(), RunError> {
        let summary = self.summary.unwrap_or_default();
        let (files, size_bytes) = self.written.since(&self.before);
        for path in files.iter().take(NAMED) {
            let path = Target::WorkspacePath { path: path.to_string_lossy().into_owned() };
            hold.record("mcp.wrote", path, Decision::Allow, "written beside the workspace", None)?;
        }
        let (decision, how) = match done {
            Ok(_) => (Decision::Allow, "answered".to_owned()),
            Err(error) => (Decision::Forbid, error.code().to_owned()),
        };
        let wrote = if hold.sees_writes() {
            let least = if self.written.is_cut() { "at least " } else { "" };
            format!("{least}{} files written, {size_bytes} bytes", files.len())
        } else {
            "no stage in which written files would be seen".to_owned()
        };
        let why = format!(
            "{how}; through the proxy {} allowed, {} refused; {wrote}",
            summary.allowed, summary.refused
        );
        let outcome = Logged::Requested {
            status: None,
            sent_bytes: summary.moved.sent_bytes,
            received_bytes: summary.moved.received_bytes,
            duration_ms: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        };
        hold.record("mcp.done", target.clone(), decision, &why, Some(outcome))
    }
}

/// Returns a tool of a server as it is offered under `name`.
pub(super) fn as_tool(tool: &Contract, name: String, granted: &GrantSet) -> Tool {
    Tool {
        name,
        title: tool.title().map(str::to_owned),
        description: tool.description().to_owned(),
        input: tool.input(),
        output: tool.output(),
        hints: super::gateway::hints(tool, granted),
    }
}

/// How long a server that fails is left alone: twice as long each time.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    fn wait(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    fn failed(&mut self, now: Instant) {
        let wait = Duration::from_millis(500).saturating_mul(1 << self.failures.min(10));
        // The first time may be chance: the next call starts it at once.
        let wait = if self.failures == 0 { Duration::ZERO } else { wait.min(MOST_WAIT) };
        self.failures = self.failures.saturating_add(1);
        self.until = now.checked_add(wait);
    }

    fn worked(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_again_and_again_is_left_alone_longer_and_longer() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..10 {
            backoff.failed(now);
            waits.push(backoff.wait(now).unwrap_or_default().as_millis());
        }
        assert_eq!(waits, [0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
        backoff.worked();
        assert_eq!(backoff.wait(now), None);
    }
}
