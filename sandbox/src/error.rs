//! What can stop a sandboxed run before or while it starts.

use crate::Feature;
use ringfence_capability::{Class, Diagnostic};
use std::io;
use std::path::PathBuf;

/// Why a plan cannot be made, or a program cannot be started under it. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The system lacks, or forbids, a mechanism the plan needs.
    #[error("this system does not provide {feature}, which the sandbox needs (step `{step}`)")]
    MissingFeature {
        /// The mechanism.
        feature: Feature,
        /// The step that failed.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A step failed for another reason than a missing mechanism.
    #[error("the sandbox could not be set up (step `{step}`)")]
    Setup {
        /// The step that failed.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A path of the plan cannot be used.
    #[error("the sandbox cannot use the path `{path}`: {why}", path = path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A path of the plan could not be opened as it was named.
    #[error("the sandbox cannot open `{path}`", path = path.display())]
    Unreachable {
        /// The path.
        path: PathBuf,
        /// What the system said; a symbolic link in the path is one reason.
        source: io::Error,
    },
    /// The working directory lies outside what was granted.
    #[error("the working directory `{path}` is outside the granted files", path = path.display())]
    WorkingDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// An environment variable that neither a grant nor the baseline names.
    #[error("the environment variable `{name}` is not in the plan")]
    Environment {
        /// Its name.
        name: String,
    },
    /// The program cannot be opened, read or executed.
    #[error("the program `{path}` cannot be opened or executed", path = path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program is not one the sandbox starts.
    #[error("`{path}` cannot be started: {why}", path = path.display())]
    ProgramKind {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The program at the path is no longer the one that was opened and hashed.
    #[error("the program `{path}` was replaced after it was opened", path = path.display())]
    ProgramChanged {
        /// The program.
        path: PathBuf,
    },
    /// The command does not fit the plan or the system.
    #[error("the command cannot be started: {why}")]
    Command {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Too much to protect one by one.
    #[error("the workspace has more than {limit} {what}, the most that is searched")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The running sandbox could not be watched.
    #[error("the sandboxed program cannot be waited for")]
    Wait {
        /// What the system said.
        source: io::Error,
    },
}

impl Diagnostic for SandboxError {
    fn code(&self) -> &'static str {
        match self {
            Self::MissingFeature { .. } => "sandbox::missing-feature",
            Self::Setup { .. } => "sandbox::setup",
            Self::Path { .. } => "sandbox::path",
            Self::Unreachable { .. } => "sandbox::unreachable",
            Self::WorkingDirectory { .. } => "sandbox::working-directory",
            Self::Environment { .. } => "sandbox::environment",
            Self::Program { .. } => "sandbox::program",
            Self::ProgramKind { .. } => "sandbox::program-kind",
            Self::ProgramChanged { .. } => "sandbox::program-changed",
            Self::Command { .. } => "sandbox::command",
            Self::TooMany { .. } => "sandbox::too-many",
            Self::Wait { .. } => "sandbox::wait",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::MissingFeature { .. }
            | Self::WorkingDirectory { .. }
            | Self::Environment { .. }
            | Self::ProgramChanged { .. } => Class::Refused,
            Self::Path { .. }
            | Self::Unreachable { .. }
            | Self::Program { .. }
            | Self::ProgramKind { .. }
            | Self::Command { .. } => Class::BadInput,
            Self::TooMany { .. } => Class::LimitReached,
            Self::Setup { .. } | Self::Wait { .. } => Class::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::MissingFeature { feature, .. } => Some(feature.remedy().to_owned()),
            Self::WorkingDirectory { .. } => {
                Some("start inside the workspace, or grant `fs.read` for this directory".to_owned())
            }
            Self::Environment { name } => {
                Some(format!("ask for the capability `env:{name}` if the program needs it"))
            }
            Self::ProgramChanged { .. } => {
                Some("look at what changed, then ask for a new approval".to_owned())
            }
            Self::Unreachable { .. } => {
                Some("name the directory by its real path, without symbolic links".to_owned())
            }
            Self::TooMany { .. } => {
                Some("use staged writes, which need no search of the workspace".to_owned())
            }
            Self::Setup { .. }
            | Self::Path { .. }
            | Self::Program { .. }
            | Self::ProgramKind { .. }
            | Self::Command { .. }
            | Self::Wait { .. } => None,
        }
    }
}
