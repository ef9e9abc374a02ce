//! The Linux back end: namespaces, mounts, Landlock, a system call filter, and a first process that
//! takes everything with it.
//!
//! The host prepares everything (`prepare`), copies itself into new namespaces (`running`, or
//! `prefork` before there is a plan), the copy walks through the steps (`child`) with nothing but
//! system calls (`sys`), then starts the program on the host's word and stays as the first process
//! (`init`). A step that fails is reported by number and nothing starts. Start reading at `child`:
//! its opening lists the order.

mod base;
mod child;
pub mod danger;
mod enforce;
mod environment;
mod filter;
mod helper;
mod init;
mod layout;
mod prefork;
mod prepare;
mod prepared;
mod probe;
mod protected;
mod rights;
mod running;
mod step;
mod sys;
mod terminal;
mod wire;

pub(crate) use probe::probe;

use crate::{
    Baseline, Command, Enforcement, Running, SandboxError, SandboxExecutor, SandboxPlan, Starting,
};
use base::Base;
use danger::Without;
use running::Handle;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The port of the proxy's listener inside the sandbox.
pub const PROXY_PORT: u16 = 3128;

/// Starts programs on Linux. Make one and use it for every start: it remembers the system part of
/// the root.
#[derive(Debug, Default)]
pub struct LinuxExecutor {
    base: OnceLock<Base>,
    without: Without,
    /// The first process of the next start, where that was forked ahead.
    ahead: Mutex<Option<Handle>>,
}

impl LinuxExecutor {
    /// Returns the executor, with every protection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the executor, with the first process of its first start forked already: it makes its
    /// namespaces while the caller still decides what to start. It runs nothing and is granted
    /// nothing before a start; without one it goes with the executor, or with this process.
    ///
    /// Worth it in a short process that will most likely start something: call it first of all,
    /// since it is only done while this process has a single thread. Otherwise, and where the
    /// system refuses it, this is [`new`](Self::new).
    pub fn forking_ahead() -> Self {
        Self { ahead: Mutex::new(prefork::fork()), ..Self::default() }
    }

    /// Tells whether a first process stands ready.
    pub fn has_forked(&self) -> bool {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl SandboxExecutor for LinuxExecutor {
    fn enforcement(&self, plan: &SandboxPlan) -> Vec<Enforcement> {
        enforce::enforcement(plan)
    }

    fn spawn(
        &self,
        plan: &SandboxPlan,
        command: Command,
    ) -> Result<Box<dyn Running>, SandboxError> {
        self.set_up(plan, command)?()
    }

    fn set_up<'a>(
        &'a self,
        plan: &'a SandboxPlan,
        command: Command,
    ) -> Result<Starting<'a>, SandboxError> {
        let base = || self.base.get_or_init(|| Base::look(&Baseline::native()));
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        let standing = running::set_up(plan, command, base, self.without, ahead)?;
        Ok(Box::new(move || Ok(Box::new(standing.start()?))))
    }
}
