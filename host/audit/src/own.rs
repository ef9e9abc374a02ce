//! What the log says about itself: checkpoints, where a file goes on, and what was removed.

use crate::entry::Entry;
use ringfence_capability::Digest;
use serde::{Deserialize, Serialize};

/// The operation of the record that stands for a half-written one.
pub(crate) const RECOVERED: &str = "recovered";
/// The operation of a signed checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The operation of the record that a file after the first begins with.
pub(crate) const CONTINUED: &str = "continued";
/// The operation of the record that says which files were removed.
pub(crate) const PRUNED: &str = "pruned";

/// A signature over everything up to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The number of the last record that is signed for.
    pub seq: u64,
    /// Its hash.
    pub head: Digest,
    /// When it was signed, in RFC 3339 and UTC.
    pub time: String,
    /// The key, by the SHA-256 of its public half in DER.
    pub key: Digest,
    /// The Ed25519 signature over [`Checkpoint::line`], in base64.
    pub signature: String,
}

/// Which file a file goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Continues {
    /// The name of the file before.
    pub file: String,
    /// The hash of the last record in it.
    pub hash: Digest,
}

/// Which records were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pruned {
    /// How many files.
    pub files: u64,
    /// The number of the last record that was removed.
    pub through: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Checkpoint {
    /// Returns the line that is signed, without a line end.
    pub fn line(&self) -> String {
        let Self { seq, head, time, key, .. } = self;
        format!("ringfence-audit-checkpoint-1 {seq} {head} {time} {key}")
    }
}

impl Entry {
    pub(crate) fn recovered(dropped: u64) -> Self {
        let reason = Some("a half-written record at the end was dropped".to_owned());
        Self { reason, dropped: Some(dropped), ..Self::new(RECOVERED) }
    }

    pub(crate) fn signed(checkpoint: Checkpoint) -> Self {
        Self { checkpoint: Some(checkpoint), ..Self::new(CHECKPOINT) }
    }

    pub(crate) fn continued(file: &str, hash: Digest) -> Self {
        let continues = Some(Continues { file: file.to_owned(), hash });
        Self { continues, ..Self::new(CONTINUED) }
    }

    pub(crate) fn removed(pruned: Pruned) -> Self {
        Self { pruned: Some(pruned), ..Self::new(PRUNED) }
    }

    /// Tells whether the log itself wrote this for its own sake, neither a decision nor an effect.
    pub(crate) fn is_own(&self) -> bool {
        self.checkpoint.is_some() || self.continues.is_some() || self.pruned.is_some()
    }
}
