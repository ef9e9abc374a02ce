//! The Linux back end: namespaces, mounts, Landlock, a system call filter, and a first process that
//! takes everything with it.
//!
//! The host prepares everything (`prepare`), copies itself into new namespaces (`running`), the copy
//! walks through the steps (`child`) with nothing but system calls (`sys`), then starts the program
//! and stays as the first process (`init`). A step that fails is reported by number and nothing
//! starts. Start reading at `child`: its opening lists the order.

mod base;
mod child;
pub mod danger;
mod enforce;
mod environment;
mod filter;
mod helper;
mod init;
mod layout;
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

pub(crate) use probe::{look_ahead, probe};

use crate::{Baseline, Command, Enforcement, Running, SandboxError, SandboxExecutor, SandboxPlan};
use base::Base;
use danger::Without;
use std::sync::OnceLock;

/// The port of the proxy's listener inside the sandbox.
pub const PROXY_PORT: u16 = 3128;

/// Starts programs on Linux. Make one and use it for every start: it remembers the system part of
/// the root.
#[derive(Debug, Default)]
pub struct LinuxExecutor {
    base: OnceLock<Base>,
    without: Without,
}

impl LinuxExecutor {
    /// Returns the executor, with every protection.
    pub fn new() -> Self {
        Self::default()
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
        let base = self.base.get_or_init(|| Base::look(&Baseline::native()));
        let run = running::start(plan, command, base, self.without)?;
        Ok(Box::new(run))
    }
}
