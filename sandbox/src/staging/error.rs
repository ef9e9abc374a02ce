//! Why a stage could not be made, read, committed or undone.

use super::{Flag, RelPath};
use ringfence_capability::{Class, Diagnostic};
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// How many paths an error names; the rest is a count.
const NAMED_PATHS: usize = 5;

/// A stage that could not be made, read, committed or undone. Unless the variant says otherwise
/// the workspace is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagingError {
    /// The state directory lies inside the workspace, so the program could reach its own stage.
    #[error("the state directory `{state}` lies inside the workspace `{workspace}`")]
    StateInsideWorkspace {
        /// The state directory.
        state: PathBuf,
        /// The workspace.
        workspace: PathBuf,
    },
    /// The file system of the state directory cannot hold the upper layer of an overlay.
    #[error("the file system of the state directory `{state}` cannot hold staged writes: {why}")]
    Unsupported {
        /// The state directory.
        state: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// A file operation failed.
    #[error("cannot {what} `{path}`")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is more than is looked at.
    #[error("the staged changes exceed the limit of {limit} {what} at `{path}`")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much is looked at.
        limit: u64,
        /// Where the limit was reached.
        path: RelPath,
    },
    /// The stage holds something that this overlay never makes.
    #[error("the stage holds `{what}` at `{path}`, which is never made by this overlay")]
    Unexpected {
        /// What was found.
        what: &'static str,
        /// Where.
        path: RelPath,
    },
    /// Changes that need an approval of their own did not get one.
    #[error("not approved on their own: {}", list_flagged(.paths))]
    Unapproved {
        /// The paths and what is special about each.
        paths: Vec<(RelPath, Vec<Flag>)>,
    },
    /// A path was approved whose parent, which changes too, was not.
    #[error("`{path}` cannot be written without the change of `{parent}`")]
    NeedsParent {
        /// The approved path.
        path: RelPath,
        /// The change it depends on.
        parent: RelPath,
    },
    /// An approved path is none of the changes.
    #[error("`{path}` is not among the staged changes")]
    NotAChange {
        /// The path.
        path: RelPath,
    },
    /// The workspace is not as it was when the changes were shown. Nothing was written.
    #[error("changed meanwhile: {}", list(.paths))]
    Conflict {
        /// The paths, each with what is different.
        paths: Vec<(RelPath, &'static str)>,
    },
    /// The staged content is not what was shown. Nothing was written.
    #[error("the staged content of `{path}` is not what was shown")]
    StageChanged {
        /// The path.
        path: RelPath,
    },
    /// The path lies on another file system than the workspace.
    #[error("`{path}` lies on another file system than the workspace")]
    OtherFileSystem {
        /// The path.
        path: RelPath,
    },
    /// A commit that was not finished waits for recovery.
    #[error("the commit of the stage `{id}` was interrupted and is not recovered")]
    NeedsRecovery {
        /// The stage.
        id: String,
    },
    /// There is nothing to undo in this workspace.
    #[error("there is no commit to undo in `{workspace}`")]
    NothingToUndo {
        /// The workspace.
        workspace: PathBuf,
    },
    /// The journal or the undo record is not sound.
    #[error("the {what} is not sound: {why}")]
    BrokenRecord {
        /// Which record.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A test stopped the work at this step, as a crash would.
    #[cfg(test)]
    #[error("stopped by a test")]
    Stopped,
}

impl StagingError {
    /// Returns the error for a file operation that failed on `path`.
    pub(super) fn io(
        what: &'static str,
        path: impl std::fmt::Display,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Io { what, path: path.to_string(), source: source.into() }
    }

    /// Returns the conflict at one path.
    pub(super) fn conflict(path: &RelPath, why: &'static str) -> Self {
        Self::Conflict { paths: vec![(path.clone(), why)] }
    }

    /// Returns whether a test pretended a crash: then nothing may be cleaned up.
    #[cfg(test)]
    pub(super) fn is_crash(&self) -> bool {
        matches!(self, Self::Stopped)
    }

    /// Returns whether a test pretended a crash: never outside one.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "it has the shape of the one for tests")]
    pub(super) fn is_crash(&self) -> bool {
        false
    }
}

impl Diagnostic for StagingError {
    fn code(&self) -> &'static str {
        match self {
            Self::StateInsideWorkspace { .. } => "staging::state-inside-workspace",
            Self::Unsupported { .. } => "staging::unsupported",
            Self::Io { .. } => "staging::io",
            Self::TooMuch { .. } => "staging::too-much",
            Self::Unexpected { .. } => "staging::unexpected",
            Self::Unapproved { .. } => "staging::unapproved",
            Self::NeedsParent { .. } => "staging::needs-parent",
            Self::NotAChange { .. } => "staging::not-a-change",
            Self::Conflict { .. } => "staging::conflict",
            Self::StageChanged { .. } => "staging::stage-changed",
            Self::OtherFileSystem { .. } => "staging::other-file-system",
            Self::NeedsRecovery { .. } => "staging::needs-recovery",
            Self::NothingToUndo { .. } => "staging::nothing-to-undo",
            Self::BrokenRecord { .. } => "staging::broken-record",
            #[cfg(test)]
            Self::Stopped => "staging::stopped",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Unapproved { .. } | Self::Conflict { .. } | Self::Unexpected { .. } => {
                Class::Refused
            }
            Self::TooMuch { .. } => Class::LimitReached,
            Self::StateInsideWorkspace { .. }
            | Self::Unsupported { .. }
            | Self::NeedsParent { .. }
            | Self::NotAChange { .. }
            | Self::OtherFileSystem { .. }
            | Self::NothingToUndo { .. } => Class::BadInput,
            Self::Io { .. }
            | Self::StageChanged { .. }
            | Self::NeedsRecovery { .. }
            | Self::BrokenRecord { .. } => Class::Internal,
            #[cfg(test)]
            Self::Stopped => Class::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::StateInsideWorkspace { .. } => {
                "use a workspace that does not contain the state directory, or set \
                 `XDG_STATE_HOME` to a directory outside the workspace"
            }
            Self::Unsupported { .. } => {
                "set `XDG_STATE_HOME` to a directory on a local file system such as ext4, xfs, \
                 btrfs or tmpfs"
            }
            Self::TooMuch { .. } => "run the program in a smaller workspace",
            Self::Unapproved { .. } => "approve each of these paths by name, or leave them out",
            Self::NeedsParent { .. } => "approve the parent too",
            Self::Conflict { .. } => {
                "nothing was written over: look at these paths, then run the program again"
            }
            Self::NeedsRecovery { .. } => "recover the workspace before the next run",
            Self::OtherFileSystem { .. } => {
                "use the directory that is mounted there as the workspace"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn list(paths: &[(RelPath, &'static str)]) -> String {
    join(paths.len(), paths.iter().map(|(path, why)| format!("`{path}` ({why})")))
}

fn list_flagged(paths: &[(RelPath, Vec<Flag>)]) -> String {
    join(
        paths.len(),
        paths.iter().map(|(path, flags)| {
            let flags: Vec<&str> = flags.iter().map(|flag| flag.label()).collect();
            format!("`{path}` ({})", flags.join(", "))
        }),
    )
}

fn join(count: usize, items: impl Iterator<Item = String>) -> String {
    let mut text = items.take(NAMED_PATHS).collect::<Vec<_>>().join(", ");
    if count > NAMED_PATHS {
        let _ = write!(text, " and {} more", count - NAMED_PATHS);
    }
    text
}
