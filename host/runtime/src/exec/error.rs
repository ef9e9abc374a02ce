//! What can keep a native program from running, or spoil its end.

use std::io;
use std::path::PathBuf;

use ringfence_approval::{Denied, RequestError, StoreError};
use ringfence_capability::{Class, Diagnostic, ParseError, Profile};
use ringfence_interfaces::proxy::ProxyError;
use ringfence_sandbox::SandboxError;

/// Why a native program was not run, or its changes were not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The sandbox cannot be planned or built.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Staged writes cannot be made, shown, committed or undone.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Staging(#[from] ringfence_sandbox::staging::StagingError),
    /// Nobody approved it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The action cannot be written as a request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Kept approvals cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proxy cannot be started.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The command is none that a policy can decide about.
    #[error("the command cannot be decided about")]
    Command {
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// The host keeps no state, and approvals and staged writes need a place.
    #[error(
        "this host keeps no state, and native programs need it for approvals and staged writes"
    )]
    NoState,
    /// There is no such toolchain.
    #[error("there is no toolchain `{name}`")]
    NoToolchain {
        /// What was asked for.
        name: String,
        /// The ones there are.
        known: Vec<String>,
    },
    /// Something escaped from this profile's sandbox when it was attacked on this machine.
    #[error("profile `{profile}` did not hold when its sandbox was attacked on this machine")]
    AttackFailed {
        /// The profile.
        profile: Profile,
    },
    /// The sandbox has a directory of its own where the attacks would take place.
    #[error(
        "the sandbox cannot be attacked from `{}`: programs in it have a `{own}` of their own",
        path.display()
    )]
    AttackGround {
        /// The state directory.
        path: PathBuf,
        /// What it lies below.
        own: &'static str,
    },
    /// The result of an attack cannot be kept, or there is none on this system.
    #[error("the sandbox cannot be attacked, or the result cannot be kept")]
    Receipt {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Staged writes are not offered on this system.
    #[error("staged writes are not offered on this system")]
    NoStaging,
    /// The host itself lacks something it needs, such as a thread.
    #[error("the host cannot start its {what}")]
    Host {
        /// What could not be started.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ExecError {
    fn inner(&self) -> Option<&dyn Diagnostic> {
        match self {
            Self::Sandbox(error) => Some(error),
            #[cfg(target_os = "linux")]
            Self::Staging(error) => Some(error),
            Self::Denied(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Store(error) => Some(error),
            Self::Proxy(error) => Some(error),
            _ => None,
        }
    }
}

impl Diagnostic for ExecError {
    fn code(&self) -> &'static str {
        match self {
            Self::Command { .. } => "exec::command",
            Self::NoState => "exec::no-state",
            Self::NoToolchain { .. } => "exec::no-toolchain",
            Self::NoStaging => "exec::no-staging",
            Self::AttackFailed { .. } => "exec::attack-failed",
            Self::AttackGround { .. } => "exec::attack-ground",
            Self::Receipt { .. } => "exec::receipt",
            Self::Host { .. } => "exec::host",
            _ => self.inner().map_or("exec::internal", Diagnostic::code),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Command { .. }
            | Self::NoState
            | Self::NoToolchain { .. }
            | Self::AttackGround { .. } => Class::BadInput,
            Self::NoStaging | Self::AttackFailed { .. } => Class::Refused,
            Self::Host { .. } | Self::Receipt { .. } => Class::Internal,
            _ => self.inner().map_or(Class::Internal, Diagnostic::class),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoState => Some("give it a directory with `--state-dir DIR`".to_owned()),
            Self::NoToolchain { known, .. } => {
                Some(format!("the toolchains are `{}`", known.join("`, `")))
            }
            Self::NoStaging => Some(
                "write to the workspace itself with `--write direct`, or run with `-p read-only`"
                    .to_owned(),
            ),
            Self::AttackFailed { .. } => Some(
                "see what escaped with `ringfence doctor --attack`, and use a profile that holds"
                    .to_owned(),
            ),
            Self::AttackGround { .. } => Some(
                "name a state directory on a disk with `--state-dir DIR`, such as one in your home \
                 directory: what is written there by mistake would be seen"
                    .to_owned(),
            ),
            Self::Command { .. } => {
                Some("put long lists of arguments into a file or a script".to_owned())
            }
            _ => self.inner().and_then(Diagnostic::hint),
        }
    }
}
