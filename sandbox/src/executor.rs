//! Starting a program under a plan: the trait, what goes in, what comes out.
//!
//! [`SandboxExecutor`] has one implementation per system and one that only records, for tests.
//! Everything here blocks; a caller with an event loop waits on a thread of its own.

mod recording;

pub use recording::{Recorded, RecordingExecutor};

use crate::{Program, SandboxError, SandboxPlan};
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a descriptor of this system is called.
#[cfg(unix)]
pub type Descriptor = std::os::fd::OwnedFd;
/// What a descriptor of this system is called.
#[cfg(windows)]
pub type Descriptor = std::os::windows::io::OwnedHandle;

/// Starts programs under plans.
pub trait SandboxExecutor: Send + Sync {
    /// Returns, for each rule of `plan`, whether this system holds it.
    fn enforcement(&self, plan: &SandboxPlan) -> Vec<Enforcement>;

    /// Starts `command` under `plan`.
    ///
    /// # Errors
    /// [`SandboxError::MissingFeature`] when the system lacks a mechanism the plan needs, and the
    /// other variants by their meaning. In every case nothing was started and nothing is left.
    fn spawn(&self, plan: &SandboxPlan, command: Command)
    -> Result<Box<dyn Running>, SandboxError>;

    /// Sets everything up for `command` and returns what starts it, so that the caller can do
    /// meanwhile what has to be done before the program runs. Nothing of the program's runs before
    /// that is called; dropping it leaves nothing.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn), here or when it starts.
    fn set_up<'a>(
        &'a self,
        plan: &'a SandboxPlan,
        command: Command,
    ) -> Result<Starting<'a>, SandboxError> {
        Ok(Box::new(move || self.spawn(plan, command)))
    }
}

/// What starts a program for which everything is set up.
pub type Starting<'a> = Box<dyn FnOnce() -> Result<Box<dyn Running>, SandboxError> + 'a>;

/// Returns this system's executor with its first start begun before anything is decided about it,
/// where this system can do that; [`LinuxExecutor::forking_ahead`](crate::LinuxExecutor) says when it
/// is worth it.
#[cfg(target_os = "linux")]
pub fn forking_ahead() -> Option<Arc<dyn SandboxExecutor>> {
    Some(Arc::new(crate::LinuxExecutor::forking_ahead()))
}

/// Nothing can be begun on this system.
#[cfg(not(target_os = "linux"))]
pub fn forking_ahead() -> Option<Arc<dyn SandboxExecutor>> {
    None
}

/// One program start.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the caller states every part")]
pub struct Command {
    /// What runs.
    pub program: Program,
    /// The arguments, the program's own name first.
    pub argv: Vec<OsString>,
    /// The variables it gets; each name is in the plan.
    pub environment: Vec<(OsString, OsString)>,
    /// Standard input, output and error.
    pub stdio: [Stdio; 3],
    /// Where staged writes go; needed exactly when the plan stages writes.
    pub stage: Option<StageDirs>,
    /// How long it may run before it is killed.
    pub deadline: Option<Duration>,
}

impl Command {
    /// Returns the start of `program` with `argv`, with the caller's standard descriptors and
    /// nothing else.
    pub fn new(program: Program, argv: Vec<OsString>) -> Self {
        Self {
            program,
            argv,
            environment: Vec::new(),
            stdio: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
            stage: None,
            deadline: None,
        }
    }
}

/// Where one of the standard descriptors leads.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "back ends must handle every one")]
pub enum Stdio {
    /// Where the caller's own leads.
    Inherit,
    /// Nowhere.
    Null,
    /// Into this descriptor, which the program gets and the caller loses.
    Fd(Descriptor),
}

/// The two directories of a stage, on one file system, outside the workspace and `/tmp`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller states both")]
pub struct StageDirs {
    /// What the program wrote, laid out as the workspace.
    pub upper: PathBuf,
    /// A scratch directory of the overlay file system.
    pub work: PathBuf,
}

/// A started program with everything it starts. Dropping it kills all of them.
pub trait Running: Send {
    /// Waits for the end, or kills everything at the deadline.
    ///
    /// When this returns, the program and all it started are gone and collected. Asking again gives
    /// the same answer.
    ///
    /// # Errors
    /// [`SandboxError::Wait`] when the system does not say how it ended; everything is killed.
    fn wait(&mut self) -> Result<Exit, SandboxError>;

    /// Kills everything that runs. The end is seen by [`wait`](Self::wait).
    ///
    /// # Errors
    /// [`SandboxError::Wait`] when the signal cannot be sent.
    fn kill(&self) -> Result<(), SandboxError>;

    /// Sends the program a signal by its number: 2 is what Ctrl-C sends, 15 asks it to end.
    ///
    /// # Errors
    /// [`SandboxError::Wait`] when the signal cannot be sent or the system has none.
    fn signal(&self, number: i32) -> Result<(), SandboxError>;

    /// Returns, once, the listener inside the sandbox that the host's proxy serves.
    fn take_listener(&mut self) -> Option<TcpListener>;

    /// Returns the protected names that the program made where it writes directly. Nothing keeps it
    /// from making them: ask when [`wait`](Self::wait) has returned, before anything of the host
    /// acts on them.
    ///
    /// # Errors
    /// [`SandboxError::TooMany`] when there is too much to look at: then nobody knows.
    fn made_protected(&self) -> Result<MadeProtected, SandboxError> {
        Ok(MadeProtected::default())
    }

    /// Returns something that kills the run from another thread while one waits.
    ///
    /// # Errors
    /// [`SandboxError::Wait`] when the descriptor cannot be shared.
    fn killer(&self) -> Result<Box<dyn Killer>, SandboxError>;
}

/// What a program made under protected names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "both lists are to be looked at")]
pub struct MadeProtected {
    /// Files, directories and links with a protected name that were not there before.
    pub names: Vec<PathBuf>,
    /// Directories that cannot be looked into, though all could before.
    pub unseen: Vec<PathBuf>,
}

/// Kills one run, from any thread. After the end it does nothing.
pub trait Killer: Send + Sync {
    /// Kills everything that runs.
    fn kill(&self);

    /// Sends the program a signal by its number.
    fn signal(&self, number: i32);

    /// Stops the program and all it started, until they are told to go on; false where this system
    /// cannot.
    ///
    /// # Security
    /// It keeps what waits for its next call from working on, and is no boundary: a process can ask
    /// the kernel beforehand to be woken, and is stopped again moments later.
    fn freeze(&self) -> bool {
        false
    }

    /// Lets what was stopped go on.
    fn thaw(&self) {}
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every ending")]
pub enum Exit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
    /// Killed at its deadline.
    TimedOut,
}

impl Exit {
    /// Returns the exit code a shell would report: the code, 128 and the signal, 124 at a deadline.
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 | u8::try_from(signal & 0x7f).unwrap_or(0),
            Self::TimedOut => 124,
        }
    }
}

/// One rule of a plan and whether this system holds it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a pair of rule and status")]
pub struct Enforcement {
    /// The rule, in a few words.
    pub rule: String,
    /// Whether it holds.
    pub status: Status,
}

impl Enforcement {
    /// Returns the rule as enforced.
    pub fn enforced(rule: impl Into<String>) -> Self {
        Self { rule: rule.into(), status: Status::Enforced }
    }

    /// Returns the rule as enforced but for `what`.
    pub fn partial(rule: impl Into<String>, what: impl Into<String>) -> Self {
        Self { rule: rule.into(), status: Status::Partial(what.into()) }
    }

    /// Tells whether the rule holds here, in full or in a part that somebody has seen hold.
    pub fn is_verified(&self) -> bool {
        match &self.status {
            Status::Enforced => true,
            Status::Partial(what) => !what.starts_with(crate::unverified::UNVERIFIED),
            Status::NotEnforced => false,
        }
    }

    /// Returns the rule as not enforced.
    pub fn absent(rule: impl Into<String>) -> Self {
        Self { rule: rule.into(), status: Status::NotEnforced }
    }
}

/// Whether a rule holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "status", content = "what")]
#[expect(clippy::exhaustive_enums, reason = "whoever reports it must handle every status")]
pub enum Status {
    /// The kernel holds it.
    Enforced,
    /// The kernel holds it, but for this.
    Partial(String),
    /// Nothing holds it.
    NotEnforced,
}
