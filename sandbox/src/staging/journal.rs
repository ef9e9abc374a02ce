//! What a commit is about to do, written before it does anything.
//!
//! The files of a journal, in the order they appear: `journal.json` (what will be done),
//! `apply.json` (everything is built, from here on it is finished or taken back), `rollback` (it is
//! being taken back) or `applied` (all done, only tidying is left).

use super::path::RawText;
use super::{Node, RelPath, StagingError, dir};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

pub(super) const JOURNAL: &str = "journal.json";
pub(super) const APPLY: &str = "apply.json";
pub(super) const ROLLBACK: &str = "rollback";
pub(super) const APPLIED: &str = "applied";

/// The largest record that is read back: half a million operations fit.
const RECORD_BYTES: u64 = 1 << 30;

/// Everything that will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// The stage that is committed.
    pub(super) id: String,
    /// What kind of work it is.
    pub(super) purpose: Purpose,
    /// The workspace, as a path and as the directory it must still be.
    pub(super) workspace: Workspace,
    /// The directory in the workspace where everything is built; gone when all is done.
    pub(super) workshop: String,
    /// The commit that is taken back, when it is an undo.
    pub(super) undoes: Option<String>,
    /// What is done, in this order.
    pub(super) operations: Vec<Operation>,
}

/// Whether new work is committed or the last commit taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Purpose {
    Commit,
    Undo,
}

/// Which directory a workspace is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workspace {
    pub(super) path: RawText,
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// One step of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    pub(super) path: RelPath,
    pub(super) action: Action,
}

/// What is done to one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Action {
    /// What was built takes the place of `expect`, or of nothing.
    Install { expect: Option<Node>, after: Node },
    /// `expect` goes away.
    Remove { expect: Node },
    /// The attributes of a directory change.
    Attributes { from: Attributes, to: Attributes },
}

/// What can be different about a directory that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) values: BTreeMap<String, String>,
}

impl Attributes {
    /// Returns those of a node.
    pub(super) fn of(node: &Node) -> Self {
        Self { mode: node.mode, values: node.attributes.clone() }
    }

    /// Returns the same with these bits of the mode set.
    pub(super) fn with(&self, bits: u32) -> Self {
        Self { mode: self.mode | bits, values: self.values.clone() }
    }
}

/// Writes a record so that it is there whole or not at all.
pub(super) fn write<T: Serialize>(
    directory: impl AsFd,
    name: &'static str,
    record: &T,
) -> Result<(), StagingError> {
    let bytes = serde_json::to_vec(record)
        .map_err(|error| StagingError::BrokenRecord { what: name, why: error.to_string() })?;
    dir::write_whole(directory, name, &bytes)
        .map_err(|source| StagingError::io("write the record", name, source))
}

/// Returns a record, or nothing when it was not written.
pub(super) fn read<T: DeserializeOwned>(
    directory: impl AsFd,
    name: &'static str,
) -> Result<Option<T>, StagingError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let fd: OwnedFd = match fs::openat(directory, name, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(source) => return Err(StagingError::io("open the record", name, source)),
    };
    let mut bytes = Vec::new();
    File::from(fd)
        .take(RECORD_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| StagingError::io("read the record", name, source))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StagingError::BrokenRecord { what: name, why: error.to_string() })
}

/// Returns whether a record was written.
pub(super) fn exists(directory: impl AsFd, name: &str) -> Result<bool, StagingError> {
    dir::stat(directory, name.as_ref())
        .map(|stat| stat.is_some())
        .map_err(|source| StagingError::io("look at the record", name, source))
}

/// Where a test can stop the work, as a crash would.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// How many steps are left before it stops; nothing means it never does.
    #[cfg(test)]
    pub(super) left: Option<usize>,
}

impl Steps {
    /// Marks the end of one step.
    #[cfg_attr(
        not(test),
        expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "only a test stops here")
    )]
    pub(super) fn done(&mut self) -> Result<(), StagingError> {
        #[cfg(test)]
        if let Some(left) = &mut self.left {
            if *left == 0 {
                return Err(StagingError::Stopped);
            }
            *left -= 1;
        }
        Ok(())
    }
}
