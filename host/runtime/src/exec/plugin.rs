//! A plugin's native programs: the same path as `ringfence exec`, with the plugin as who asks.
//!
//! Invariants: what a program reaches is made from the grants of the plugin's own run and nothing
//! else; the words a person reads as the reason are those of the manifest, which cannot change with
//! the call; one program of a plugin runs at a time; what was written stays beside the workspace unless
//! a person approves exactly those changes.

#[cfg(target_os = "linux")]
mod keep;
mod pipes;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringfence_approval::{
    Answer, ApprovalError, Approver, Asker, Channel, Denied, NoApprover, Prompt, Request,
};
use ringfence_capability::{
    ArgvPattern, Capability, Digest, GrantSet, Place, Profile, Request as Asked,
};
use ringfence_engine::Meter;
use ringfence_interfaces::exec::{
    Changed, ProgramEnd, ProgramError, ProgramExit, ProgramStart, Programs, Stop,
};
use ringfence_policy::{Layer, Verdicts};
use ringfence_sandbox::{Exit, ProcessLimits, SandboxError, SandboxExecutor};

use super::{ExecError, ExecIo, ExecOptions, Executed, PATIENCE};
use crate::{Host, Plan, Plugin, RunError, RunOptions};
use pipes::Pipes;

/// How often a person may be asked in vain in one run: whoever is asked again and again says yes in
/// the end without reading.
const MAX_REFUSALS: u32 = 5;
/// How long a program that was stopped may take to be gone.
const ENDING: Duration = Duration::from_secs(1);
/// How much longer than its run a program could last, were nobody there to kill it with the run.
const SLACK: Duration = Duration::from_secs(1);

/// How the native programs of a plugin are found, asked about and bounded.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct NativeOptions {
    /// Who is asked; without one every program is denied, with the command that approves it.
    pub approver: Option<Arc<dyn Approver>>,
    /// Whether the person at the other end of a run is asked in place of that one, where there is
    /// somebody: whoever uses the client that made the call.
    pub at_client: bool,
    /// Where programs that are called by name are looked for. Places in the workspace are left out.
    pub path: Vec<PathBuf>,
    /// How much one program and all it starts may use.
    pub limits: ProcessLimits,
    /// How long a person is waited for.
    pub patience: Duration,
    /// What starts them; this system's own sandbox unless told otherwise.
    pub executor: Option<Arc<dyn SandboxExecutor>>,
}

impl Default for NativeOptions {
    fn default() -> Self {
        let path = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).to_vec();
        let limits = ProcessLimits::default();
        Self { approver: None, at_client: false, path, limits, patience: PATIENCE, executor: None }
    }
}

/// The native programs of one prepared plugin.
pub(crate) struct PluginPrograms {
    host: Host,
    name: String,
    digest: Digest,
    signer: Option<String>,
    grants: Arc<GrantSet>,
    requests: Vec<Asked>,
    profile: Profile,
    layers: Vec<Layer>,
    environment: BTreeMap<String, OsString>,
    addresses: Vec<String>,
    options: NativeOptions,
    /// Held while a program runs.
    one: Gate,
}

impl PluginPrograms {
    /// Returns them; `layers` are those of the run, with the cap of the plugin.
    pub(crate) fn new(
        host: &Host,
        plugin: &Plugin,
        plan: &Plan,
        options: &RunOptions,
        layers: Vec<Layer>,
    ) -> Self {
        let granted = plan.verdicts.all.iter().filter(|explanation| explanation.is_given());
        let environment = options.env.iter().map(|(name, value)| (name.clone(), value.into()));
        Self {
            host: host.clone(),
            name: plugin.manifest.name.clone(),
            digest: plugin.identity,
            signer: plugin.signed_by(),
            grants: Arc::new(plan.verdicts.granted.clone()),
            requests: granted.map(|explanation| explanation.request.clone()).collect(),
            profile: plan.ceiling(),
            layers,
            environment: environment.collect(),
            addresses: options.addresses.clone(),
            options: options.native.clone(),
            one: Gate::default(),
        }
    }

    /// Returns them for one run, by its name in the audit log.
    pub(crate) fn of_run(
        self: &Arc<Self>,
        run: &str,
        meter: &Arc<Meter>,
        person: Option<Arc<dyn Approver>>,
    ) -> Arc<dyn Programs> {
        let approver = person.filter(|_| self.options.at_client);
        let approver = approver.or_else(|| self.options.approver.clone());
        Arc::new(OfRun {
            approver: approver.unwrap_or_else(|| Arc::new(NoApprover)),
            plugin: Arc::clone(self),
            run: run.to_owned(),
            meter: Arc::clone(meter),
            began: Instant::now(),
            refusals: AtomicU32::new(0),
        })
    }

    /// Returns the reason the manifest gives for the first request that covers the command.
    fn reason(&self, command: &Capability) -> Option<String> {
        let mut covering = self.requests.iter().filter(|asked| asked.capability.contains(command));
        covering.next().map(|asked| asked.reason.clone())
    }

    /// Returns where the program is.
    fn find(&self, name: &str) -> Result<PathBuf, ProgramError> {
        if name.contains('/') {
            return Ok(PathBuf::from(name));
        }
        let workspace = self.host.places.workspace();
        // Whoever can write the workspace could put a program of that name there.
        let trusted = |place: &&PathBuf| place.is_absolute() && !place.starts_with(workspace);
        let mut found = self.options.path.iter().filter(trusted).map(|place| place.join(name));
        found.find(|file| file.is_file()).ok_or(ProgramError::NotFound)
    }

    /// Returns where programs start: in the workspace where it was granted, else in the first
    /// granted directory of it, else where nothing of the host is.
    fn working_directory(&self) -> PathBuf {
        let scopes = self.grants.iter().filter_map(|grant| match &grant.capability {
            Capability::FsRead(scope) | Capability::FsWrite(scope) => Some(scope),
            _ => None,
        });
        let mut inside = scopes.filter(|scope| scope.place() == Place::Workspace).peekable();
        if inside.peek().is_none() {
            return PathBuf::from("/");
        }
        let mut paths: Vec<PathBuf> = inside.map(|scope| self.host.places.path(scope)).collect();
        paths.retain(|path| path.is_dir());
        paths.sort_by_key(|path| path.components().count());
        paths
            .into_iter()
            .next()
            .map_or_else(|| PathBuf::from("/"), |path| path.components().collect())
    }

    fn exec_options(&self, command: &Capability, deadline: Duration) -> ExecOptions {
        ExecOptions {
            profile: self.profile,
            layers: self.layers.clone(),
            working_directory: Some(self.working_directory()),
            environment: self.environment.clone(),
            limits: self.options.limits,
            deadline: Some(deadline),
            addresses: self.addresses.clone(),
            asker: Asker::Plugin { name: self.name.clone(), digest: self.digest },
            signer: self.signer.clone(),
            reason: self.reason(command),
            patience: self.options.patience,
            executor: self.options.executor.clone(),
            grants: Some(GrantSet::clone(&self.grants)),
            ..ExecOptions::default()
        }
    }
}

/// Returns what a plugin's program is given: what the plugin was, decided when it was prepared.
pub(super) fn given(grants: &GrantSet) -> Verdicts {
    let mut verdicts = Verdicts::default();
    verdicts.granted = grants.clone();
    verdicts
}

/// Lets one program of a plugin through at a time.
#[derive(Default)]
struct Gate {
    taken: Mutex<bool>,
    free: Condvar,
}

impl Gate {
    /// Returns the right to run, until it is dropped; nothing while another has it. One that ends just
    /// now is waited for.
    fn pass(&self) -> Option<Passed<'_>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.free.wait_timeout_while(taken, ENDING, |taken| *taken);
        let (mut taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && *taken {
            return None;
        }
        *taken = true;
        Some(Passed(self))
    }
}

/// The right to run.
struct Passed<'g>(&'g Gate);

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}

/// The native programs of one run.
struct OfRun {
    plugin: Arc<PluginPrograms>,
    run: String,
    meter: Arc<Meter>,
    /// Who is asked.
    approver: Arc<dyn Approver>,
    began: Instant,
    /// How often a person refused in this run.
    refusals: AtomicU32,
}

impl Programs for OfRun {
    fn run(&self, start: ProgramStart, stop: &Stop) -> Result<ProgramEnd, ProgramError> {
        let Some(_one) = self.plugin.one.pass() else {
            let busy = "another program of this plugin still runs";
            return Err(ProgramError::Budget(busy.to_owned()));
        };
        if self.refusals.load(Ordering::Relaxed) >= MAX_REFUSALS {
            let text = format!("a person refused this plugin {MAX_REFUSALS} times in this run");
            return Err(ProgramError::Budget(text));
        }
        let left = self.left();
        if left.is_zero() || stop.is_stopped() {
            return Err(ProgramError::Timeout);
        }
        let deadline = start.timeout.map_or(left + SLACK, |timeout| timeout.min(left + SLACK));
        self.approved(start, deadline, stop).map_err(|error| self.told(&error))
    }
}

impl OfRun {
    /// Returns how much of the run's own time is left.
    fn left(&self) -> Duration {
        let own = self.began.elapsed().saturating_sub(self.meter.waited_for_person());
        self.meter.limits().wall_time().saturating_sub(own)
    }

    fn approved(
        &self,
        start: ProgramStart,
        deadline: Duration,
        stop: &Stop,
    ) -> Result<ProgramEnd, Failed> {
        let plugin = &*self.plugin;
        let name = start.argv.first().map_or("", String::as_str);
        let program = plugin.find(name).map_err(Failed::Told)?;
        let words = start.argv.iter().map(String::as_bytes);
        let command =
            ArgvPattern::exactly(words).map_err(|source| ExecError::Command { source })?;
        let options = ExecOptions {
            network: *self.meter.limits(),
            run: Some(self.run.clone()),
            ..plugin.exec_options(&Capability::Exec(command), deadline)
        };
        let argv = start.argv.iter().map(OsString::from).collect();
        let plan = plugin.host.prepare_exec(&program, argv, options)?;
        let approver = Patient { inner: &*self.approver, meter: &self.meter, stop };
        let pipes = Pipes::open(start.stdin, self.meter.limits().output_bytes)?;
        let Pipes { stdio, capture } = pipes;
        let killed = stop.clone();
        let io = ExecIo::new(stdio)
            .telling(Box::new(move |killer| killed.on_stop(move || killer.kill())));
        let executed = plugin.host.exec(plan, &approver, io)?;
        let [stdout, stderr] = capture.end();
        let exit = match executed.exit {
            Exit::Code(code) => ProgramExit::Code(code),
            Exit::Signal(signal) => ProgramExit::Signal(signal),
            Exit::TimedOut => ProgramExit::TimedOut,
        };
        let changes = self.keep(executed, &approver)?;
        Ok(ProgramEnd { exit, stdout, stderr, changes })
    }

    #[cfg(target_os = "linux")]
    fn keep(&self, executed: Executed, approver: &Patient<'_>) -> Result<Changed, Failed> {
        let Some(staged) = executed.staged else { return Ok(Changed::default()) };
        Ok(keep::keep(&self.plugin, &self.run, staged, approver)?)
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where there are stages")]
    fn keep(&self, _: Executed, _: &Patient<'_>) -> Result<Changed, Failed> {
        Ok(Changed::default())
    }

    /// Returns what the plugin is told. The log has the whole of it.
    fn told(&self, failed: &Failed) -> ProgramError {
        let error = match failed {
            Failed::Told(told) => return told.clone(),
            Failed::Run(error) => error,
        };
        match error {
            RunError::Policy(_) => {
                ProgramError::Denied("policy does not allow this command".to_owned())
            }
            RunError::Exec(ExecError::Denied(denied)) => self.denied(denied),
            RunError::Exec(ExecError::Sandbox(error)) => sandbox(error),
            RunError::Exec(ExecError::NoStaging) => {
                ProgramError::Unavailable("staged writes".to_owned())
            }
            other => {
                ProgramError::Unavailable(ringfence_capability::Diagnostic::code(other).to_owned())
            }
        }
    }

    fn denied(&self, denied: &Denied) -> ProgramError {
        match denied {
            Denied::Unanswered { source: ApprovalError::NobodyToAsk { command, .. } } => {
                ProgramError::Denied(format!(
                    "nobody can be asked here; a person approves exactly this with `{command}`, \
                     then it has to be run again"
                ))
            }
            Denied::Unanswered { source: ApprovalError::TimedOut } => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                ProgramError::Timeout
            }
            Denied::ByPerson { .. } => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                ProgramError::Denied("a person said no".to_owned())
            }
            other => ProgramError::Denied(other.to_string()),
        }
    }
}

fn sandbox(error: &SandboxError) -> ProgramError {
    match error {
        SandboxError::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            ProgramError::NotFound
        }
        SandboxError::MissingFeature { feature, .. } => {
            ProgramError::Unavailable(feature.to_string())
        }
        SandboxError::ProgramKind { why, .. } => ProgramError::Denied((*why).to_owned()),
        other => {
            ProgramError::Unavailable(ringfence_capability::Diagnostic::code(other).to_owned())
        }
    }
}

/// Why there is no end to hand over.
enum Failed {
    Told(ProgramError),
    Run(RunError),
}

impl<E: Into<RunError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

/// Asks somebody while the clock of the run stands still.
struct Patient<'a> {
    inner: &'a dyn Approver,
    meter: &'a Arc<Meter>,
    stop: &'a Stop,
}

impl Approver for Patient<'_> {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        if self.stop.is_stopped() {
            return Err(ApprovalError::TimedOut);
        }
        let _waiting = self.meter.waits_for_person();
        let answer = self.inner.ask(request, prompt)?;
        // Nobody waits for it any more: it must not run, and must not count as used.
        if self.stop.is_stopped() { Err(ApprovalError::TimedOut) } else { Ok(answer) }
    }

    fn channel(&self) -> Channel {
        self.inner.channel()
    }
}
