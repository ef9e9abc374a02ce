//! `ringfence:host/exec`: native programs for a plugin.
//!
//! This room checks that the command is one the plugin was granted to ask for, records it, and waits;
//! what runs it, asks a person and makes the sandbox is a [`Programs`] that the run was set up with.
//! Invariants: a command that no granted pattern covers never reaches it; the wait is on a thread that
//! may block; when the call is withdrawn, whatever runs is told to stop.
//!
//! Start with [`Programs`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringfence_capability::{ArgvPattern, Capability, GrantSet, Kind, text};
use wasmtime::component::{HasData, Linker};

use crate::{Effect, Effects, HostState};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1/host",
        inline: "package ringfence:link; world imports {
            import ringfence:host/exec@0.1.0;
        }",
        imports: { default: async | trappable },
    });
}

use bindings::ringfence::host::exec as wit;

/// The most of a program's name that is recorded.
const NAME_BYTES: usize = 200;

/// Runs native programs for one run of one plugin.
pub trait Programs: Send + Sync + 'static {
    /// Has `start` approved, runs it and waits for its end. Blocks. `stop` says when nobody waits any
    /// more: what runs is then killed.
    ///
    /// # Errors
    /// [`ProgramError`], which the plugin gets; nothing ran, or nothing of it is left.
    fn run(&self, start: ProgramStart, stop: &Stop) -> Result<ProgramEnd, ProgramError>;
}

/// One start of a program that a plugin asks for and a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramStart {
    /// The program, a name or an absolute path, then its arguments. Never empty.
    pub argv: Vec<String>,
    /// What it reads.
    pub stdin: Option<Vec<u8>>,
    /// How long it may run.
    pub timeout: Option<Duration>,
}

/// How a program of a plugin ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever runs programs states every part")]
pub struct ProgramEnd {
    /// Its end.
    pub exit: ProgramExit,
    /// What it wrote to standard output.
    pub stdout: Captured,
    /// What it wrote to standard error.
    pub stderr: Captured,
    /// What it changed in the workspace.
    pub changes: Changed,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the WIT variant is closed")]
pub enum ProgramExit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
    /// Its time was over.
    TimedOut,
}

/// The beginning of what a program wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever runs programs states every part")]
pub struct Captured {
    /// What was kept.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// What a program changed in the workspace, as numbers of paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever runs programs states every part")]
pub struct Changed {
    /// What became of it.
    pub kept: KeptChanges,
    /// New paths.
    pub added: u64,
    /// Paths that are another now.
    pub changed: u64,
    /// Paths that are gone.
    pub removed: u64,
    /// Paths that were left out of a commit.
    pub left_out: u64,
}

/// What became of the changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the WIT enum is closed")]
pub enum KeptChanges {
    /// There were none.
    #[default]
    Nothing,
    /// They are in the workspace.
    Committed,
    /// They are gone.
    Discarded,
}

/// Why a program did not run. The texts are for the plugin: they name no path of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the WIT variant is closed")]
pub enum ProgramError {
    /// It was not granted or not approved.
    #[error("{0}")]
    Denied(String),
    /// There is no such program.
    #[error("there is no such program")]
    NotFound,
    /// Too much of something.
    #[error("{0}")]
    Budget(String),
    /// Nobody answered in time, or no time was left.
    #[error("there was no time left for it")]
    Timeout,
    /// The host cannot run it safely.
    #[error("{0}")]
    Unavailable(String),
}

/// Says that nobody waits for a program any more. Clones say the same.
#[derive(Clone, Default)]
pub struct Stop(Arc<Mutex<Stopping>>);

#[derive(Default)]
struct Stopping {
    stopped: bool,
    kill: Option<Box<dyn FnOnce() + Send>>,
}

impl Stop {
    /// Says so, and kills what runs.
    pub fn stop(&self) {
        let kill = {
            let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            stopping.stopped = true;
            stopping.kill.take()
        };
        if let Some(kill) = kill {
            kill();
        }
    }

    /// Tells whether nobody waits any more.
    pub fn is_stopped(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// Has `kill` called when nobody waits any more; at once when that is so already.
    pub fn on_stop(&self, kill: impl FnOnce() + Send + 'static) {
        {
            let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !stopping.stopped {
                stopping.kill = Some(Box::new(kill));
                return;
            }
        }
        kill();
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").field("stopped", &self.is_stopped()).finish()
    }
}

/// Says stop when the call that waits is dropped. After the end of the program that does nothing.
struct Waiting(Stop);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What serves the interface for one run.
pub(crate) struct ExecCtx {
    grants: Arc<GrantSet>,
    programs: Option<Arc<dyn Programs>>,
    effects: Effects,
}

impl ExecCtx {
    pub(crate) fn new(
        grants: Arc<GrantSet>,
        programs: Option<Arc<dyn Programs>>,
        effects: Effects,
    ) -> Self {
        Self { grants, programs, effects }
    }

    /// Returns what runs the command, when a grant covers it. Either way it is recorded.
    fn allowed(&self, argv: &[String]) -> Result<Arc<dyn Programs>, ProgramError> {
        let name = argv.first().map_or("", String::as_str);
        let name = text::brief(name, NAME_BYTES);
        let refused = |reason: &str| {
            // It is refused whether or not that could be recorded.
            let _ = self.effects.record(Effect::refused(Kind::Exec, "run", &*name, reason));
            ProgramError::Denied(reason.to_owned())
        };
        let command = ArgvPattern::exactly(argv.iter().map(String::as_bytes));
        let command = command.map_err(|error| refused(&error.to_string()))?;
        if !self.grants.allows(&Capability::Exec(command)) {
            return Err(refused("no granted command covers the program with these arguments"));
        }
        let Some(programs) = &self.programs else {
            return Err(refused("this run has nothing that runs programs"));
        };
        let done = self.effects.record(Effect::done(Kind::Exec, "run", name));
        done.map_err(|error| ProgramError::Denied(error.to_string()))?;
        Ok(Arc::clone(programs))
    }

    async fn run(&self, request: wit::Request) -> Result<ProgramEnd, ProgramError> {
        let programs = self.allowed(&request.argv)?;
        let start = ProgramStart {
            argv: request.argv,
            stdin: request.stdin,
            timeout: request.timeout_ms.map(Duration::from_millis),
        };
        let waiting = Waiting(Stop::default());
        let stop = waiting.0.clone();
        let done = tokio::task::spawn_blocking(move || programs.run(start, &stop)).await;
        drop(waiting);
        done.unwrap_or_else(|_| Err(ProgramError::Unavailable("the host failed at it".to_owned())))
    }
}

impl wit::Host for ExecCtx {
    async fn run(
        &mut self,
        request: wit::Request,
    ) -> wasmtime::Result<Result<wit::Completed, wit::Error>> {
        Ok(ExecCtx::run(self, request).await.map(Into::into).map_err(Into::into))
    }
}

impl From<ProgramEnd> for wit::Completed {
    fn from(end: ProgramEnd) -> Self {
        let output = |captured: Captured| wit::Output {
            bytes: captured.bytes,
            truncated: captured.truncated,
        };
        let Changed { kept, added, changed, removed, left_out } = end.changes;
        let kept = match kept {
            KeptChanges::Nothing => wit::Kept::Nothing,
            KeptChanges::Committed => wit::Kept::Committed,
            KeptChanges::Discarded => wit::Kept::Discarded,
        };
        Self {
            exit: match end.exit {
                ProgramExit::Code(code) => wit::Exit::Code(code),
                ProgramExit::Signal(signal) => wit::Exit::Signal(signal),
                ProgramExit::TimedOut => wit::Exit::TimedOut,
            },
            stdout: output(end.stdout),
            stderr: output(end.stderr),
            changes: wit::Changes { kept, added, changed, removed, left_out },
        }
    }
}

impl From<ProgramError> for wit::Error {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::Denied(reason) => Self::Denied(reason),
            ProgramError::NotFound => Self::NotFound,
            ProgramError::Budget(what) => Self::Budget(what),
            ProgramError::Timeout => Self::Timeout,
            ProgramError::Unavailable(what) => Self::Unavailable(what),
        }
    }
}

struct HasExec;

impl HasData for HasExec {
    type Data<'a> = &'a mut ExecCtx;
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, HasExec>(linker, |state| &mut state.exec)
}

#[cfg(test)]
mod tests;
