//! Outside MCP servers: native programs that offer tools, held in the sandbox.
//!
//! Invariants: a server starts only as exactly what a person approved when it was added: the program, the
//! files it is pinned to, its arguments and its sandbox plan; a tool is offered only while its definition
//! is the one that was accepted; the network of a server is there only while one of its calls is under
//! way, and between calls it is stopped; every call is in the log, with what it moved; and nothing a
//! server says grants, approves or widens anything.
//!
//! Start with [`ServerSpec::resolve`], then [`Host::plan_server`] and [`OutsideServer::start`];
//! [`Gateway`] makes ordinary tools of several, [`OutsideServers`] those that plugins and agents are granted.

mod error;
mod gateway;
mod granted;
mod revoke;
#[cfg(unix)]
mod run;
mod server;
mod spec;

pub use error::OutsideError;
pub use gateway::{Gateway, Member};
pub use granted::{KeptServers, KnownServer, OutsideServers};
pub use server::{OutsideServer, ServerClosed, ServerOptions as OutsideOptions, Standings};
pub use spec::{Pinned, Role, ServerSpec};

use crate::{ExecOptions, ExecPlan, Host, RunError};

impl Host {
    /// Returns what starting an outside server would need and reach. Nothing is recorded and nothing
    /// runs.
    ///
    /// # Errors
    /// [`OutsideError::Changed`] when a pinned file is another than it was; else as
    /// [`Host::plan_exec`].
    pub fn plan_server(
        &self,
        spec: &ServerSpec,
        options: ExecOptions,
    ) -> Result<ExecPlan, RunError> {
        spec.check()?;
        let options = ExecOptions { server: Some(spec.binding()), ..options };
        self.prepare_exec(&spec.program, spec.argv.clone(), options)
    }
}
