//! An executor that starts nothing and remembers what it was asked.

use super::{Command, Enforcement, Exit, Killer, Running, SandboxExecutor, StageDirs};
use crate::{SandboxError, SandboxPlan};
use ringfence_capability::Digest;
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// An executor for tests: every start ends at once, as it was told to.
#[derive(Debug, Clone)]
pub struct RecordingExecutor {
    ending: Exit,
    recorded: Arc<Mutex<Vec<Recorded>>>,
}

/// One start that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The plan.
    pub plan: SandboxPlan,
    /// The program.
    pub program: PathBuf,
    /// The program's digest.
    pub digest: Digest,
    /// The arguments.
    pub argv: Vec<OsString>,
    /// The names of its variables.
    pub environment: Vec<OsString>,
    /// Where staged writes would go.
    pub stage: Option<StageDirs>,
}

impl RecordingExecutor {
    /// Returns an executor whose programs all end with `ending`.
    pub fn new(ending: Exit) -> Self {
        Self { ending, recorded: Arc::default() }
    }

    /// Returns what it was asked so far.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl SandboxExecutor for RecordingExecutor {
    fn enforcement(&self, _plan: &SandboxPlan) -> Vec<Enforcement> {
        vec![Enforcement::absent("everything: this executor starts nothing")]
    }

    fn spawn(
        &self,
        plan: &SandboxPlan,
        command: Command,
    ) -> Result<Box<dyn Running>, SandboxError> {
        let recorded = Recorded {
            plan: plan.clone(),
            program: command.program.path().to_owned(),
            digest: command.program.digest(),
            argv: command.argv,
            environment: command.environment.into_iter().map(|(name, _)| name).collect(),
            stage: command.stage,
        };
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        Ok(Box::new(Ended(self.ending)))
    }
}

struct Ended(Exit);

impl Running for Ended {
    fn wait(&mut self) -> Result<Exit, SandboxError> {
        Ok(self.0)
    }

    fn kill(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    fn signal(&self, _number: i32) -> Result<(), SandboxError> {
        Ok(())
    }

    fn take_listener(&mut self) -> Option<TcpListener> {
        None
    }

    fn killer(&self) -> Result<Box<dyn Killer>, SandboxError> {
        Ok(Box::new(Self(self.0)))
    }
}

impl Killer for Ended {
    fn kill(&self) {}

    fn signal(&self, _number: i32) {}
}
