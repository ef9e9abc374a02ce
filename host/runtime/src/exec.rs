//! Running a native program: decided, shown, approved, recorded, sandboxed, and its writes staged.
//!
//! The order is the invariant: policy decides ([`Host::plan_exec`]); the sandbox plan is made from
//! what was granted and nothing else; a person approves exactly that plan, command and program
//! ([`Host::exec`]); the approval is on the disk before anything runs; the program is hashed again;
//! what it wrote into the workspace waits beside it until somebody says what becomes of it
//! ([`Staged`]), and that is on the disk first too.
//!
//! Everything here blocks. Start with [`Host::plan_exec`], then [`Host::exec`].

mod agreed;
mod approve;
mod decide;
mod error;
mod made;
mod plan;
mod plugin;
mod proxy;
mod record;
mod server;
#[cfg(target_os = "linux")]
mod staged;
mod start;
mod toolchains;
#[cfg(not(target_os = "linux"))]
mod unstaged;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringfence_approval::Asker;
use ringfence_capability::{Grant, GrantSet, Limits, Profile, Request};
use ringfence_policy::Layer;
use ringfence_sandbox::{Exit, Killer, ProcessLimits, SandboxExecutor, Stdio, WriteMode};

pub use agreed::AgreedBy;
pub use error::ExecError;
pub use made::{Made, MadeRule};
pub use plan::ExecPlan;
pub use plugin::NativeOptions;
pub(crate) use plugin::PluginPrograms;
pub use server::ServerBinding;
pub(crate) use server::{Hold, Written};
#[cfg(target_os = "linux")]
pub use staged::{ExecUndo, Staged};
pub use toolchains::Toolchains;
#[cfg(not(target_os = "linux"))]
pub use unstaged::{ExecUndo, Staged};

#[cfg(doc)]
use crate::Host;

/// How long a person is waited for unless told otherwise.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the operator, or a plugin, says about one start of a native program.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct ExecOptions {
    /// The ceiling. `WorkspaceWrite` unless told otherwise.
    pub profile: Profile,
    /// What the program needs besides the workspace: directories, hosts, variables.
    pub requests: Vec<Request>,
    /// What a person approved already, such as by a flag.
    pub approved: Vec<Grant>,
    /// Further layers, narrowest last.
    pub layers: Vec<Layer>,
    /// How the workspace is written.
    pub write: WriteMode,
    /// What becomes of protected names that direct writes make.
    pub made: MadeRule,
    /// Where the program starts; the workspace unless told otherwise.
    pub working_directory: Option<PathBuf>,
    /// The variables it gets, by name. One that was not granted is left out.
    pub environment: BTreeMap<String, OsString>,
    /// How much the program and all it starts may use.
    pub limits: ProcessLimits,
    /// How much may go through the proxy.
    pub network: Limits,
    /// How long it may run.
    pub deadline: Option<Duration>,
    /// Address ranges outside the public internet that granted hosts may resolve to.
    pub addresses: Vec<String>,
    /// The person's home directory, where toolchains are looked for.
    pub home: Option<PathBuf>,
    /// Toolchains to show beside the one the program belongs to, by name.
    pub toolchains: Vec<String>,
    /// Who asks.
    pub asker: Asker,
    /// Who signed the plugin that asks.
    pub signer: Option<String>,
    /// Why the plugin says it needs it.
    pub reason: Option<String>,
    /// What a plugin that asks was granted: the program gets that, and neither the workspace nor
    /// anything in `requests` by itself.
    pub grants: Option<GrantSet>,
    /// The name in the audit log of the run that asks; one of its own without.
    pub run: Option<String>,
    /// How long a person is waited for.
    pub patience: Duration,
    /// What starts it; this system's own sandbox unless told otherwise.
    pub executor: Option<Arc<dyn SandboxExecutor>>,
    /// The outside server it is, when it is one: then policy decides about the server.
    pub server: Option<ServerBinding>,
}

impl Default for ExecOptions {
    fn default() -> Self {
        Self {
            profile: Profile::WorkspaceWrite,
            requests: Vec::new(),
            approved: Vec::new(),
            layers: Vec::new(),
            write: WriteMode::default(),
            made: MadeRule::default(),
            working_directory: None,
            environment: BTreeMap::new(),
            limits: ProcessLimits::default(),
            network: network_limits(),
            deadline: None,
            addresses: Vec::new(),
            home: None,
            toolchains: Vec::new(),
            asker: Asker::Operator,
            signer: None,
            reason: None,
            grants: None,
            run: None,
            patience: PATIENCE,
            executor: None,
            server: None,
        }
    }
}

/// Returns what may go through the proxy: a package manager fetches more than a plugin does.
fn network_limits() -> Limits {
    const MIB: u64 = 1 << 20;
    Limits {
        connections: 4_096,
        request_bytes: 64 * MIB,
        response_bytes: 4 * 1024 * MIB,
        ..Limits::default()
    }
}

/// What the program is connected to, and who is told about it.
#[non_exhaustive]
pub struct ExecIo {
    /// Standard input, output and error.
    pub stdio: [Stdio; 3],
    /// Told when it is approved and recorded, and starts next.
    pub starting: Option<Box<dyn FnOnce() + Send>>,
    /// Told, once the program runs, how to signal and kill it.
    pub started: Option<Started>,
    /// Gets hold of the program and its proxy, which then is only there while it is opened.
    pub(crate) held: Option<Holding>,
}

/// Gets what holds a program.
pub(crate) type Holding = Box<dyn FnOnce(Hold) + Send>;

/// Gets what signals and kills the program.
pub type Started = Box<dyn FnOnce(Box<dyn Killer>) + Send>;

impl ExecIo {
    /// Returns the host's own standard descriptors.
    pub fn inherited() -> Self {
        Self::new([Stdio::Inherit, Stdio::Inherit, Stdio::Inherit])
    }

    /// Returns these descriptors.
    pub fn new(stdio: [Stdio; 3]) -> Self {
        Self { stdio, starting: None, started: None, held: None }
    }

    /// Returns the same, with somebody who is told right before the program starts: a signal that
    /// comes from then on is meant for the program.
    #[must_use]
    pub fn announcing(self, starting: Box<dyn FnOnce() + Send>) -> Self {
        Self { starting: Some(starting), ..self }
    }

    /// Returns the same, with somebody who gets hold of the program: its proxy is there only while
    /// that opens it.
    pub(crate) fn holding(self, held: Holding) -> Self {
        Self { held: Some(held), ..self }
    }

    /// Returns the same, with somebody who is told how to signal and kill the program.
    #[must_use]
    pub fn telling(self, started: Started) -> Self {
        Self { started: Some(started), ..self }
    }
}

/// How a native program ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Executed {
    /// Its end.
    pub exit: Exit,
    /// The name of the run in the audit log.
    pub run: String,
    /// How long it ran.
    pub duration: Duration,
    /// What went through the proxy, when there was one.
    pub network: Option<ringfence_interfaces::proxy::ProxySummary>,
    /// What it wrote, when writes were staged and something changed.
    pub staged: Option<Staged>,
    /// The protected names it made by direct writes, and what became of them.
    pub made: Option<Made>,
}
