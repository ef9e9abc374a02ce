//! A record: an entry with its place in the chain.
//!
//! The hash is the SHA-256 of the line without its `hash` field: cut `,"hash":"…"}` off the end,
//! put `}` there, and any tool can check it.

use crate::entry::Entry;
use ringfence_capability::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest line: texts are bounded, so that a longer one was not written by this log.
pub(crate) const MAX_LINE: usize = 64 * 1024;
/// What the first record names as the hash before it.
pub(crate) const GENESIS: Digest = Digest::from_bytes([0; 32]);

const HASH_FIELD: &str = ",\"hash\":\"";
/// The field, `sha256:` and 64 digits, `"}`.
const HASH_LENGTH: usize = HASH_FIELD.len() + 7 + 64 + 2;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When it was written, in RFC 3339 and UTC.
    pub time: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the record before it.
    pub prev: Digest,
    /// Its own hash.
    pub hash: Digest,
}

#[derive(Serialize)]
struct Unsealed<'e> {
    seq: u64,
    time: &'e str,
    #[serde(flatten)]
    entry: &'e Entry,
    prev: Digest,
}

/// Appends the line of `entry` to `line` and returns its hash.
pub(crate) fn seal(
    line: &mut Vec<u8>,
    seq: u64,
    time: &str,
    entry: &Entry,
    prev: Digest,
) -> Result<Digest, serde_json::Error> {
    let json = serde_json::to_vec(&Unsealed { seq, time, entry, prev })?;
    let hash = digest(&[&json]);
    line.extend_from_slice(json.strip_suffix(b"}").unwrap_or(&json));
    line.extend_from_slice(HASH_FIELD.as_bytes());
    line.extend_from_slice(hash.to_string().as_bytes());
    line.extend_from_slice(b"\"}\n");
    Ok(hash)
}

/// Why a line is not a sound record.
pub(crate) enum Unsound {
    /// It does not have the form of one.
    Form,
    /// Its contents do not have its hash.
    Hash,
}

/// Returns the record in `line`, given without its line end, when its hash is right.
pub(crate) fn open(line: &[u8]) -> Result<Record, Unsound> {
    let start = line.len().checked_sub(HASH_LENGTH).ok_or(Unsound::Form)?;
    let (body, seal) = line.split_at(start);
    let sealed =
        seal.strip_prefix(HASH_FIELD.as_bytes()).and_then(|rest| rest.strip_suffix(b"\"}"));
    let claimed: Digest = sealed
        .and_then(|hex| std::str::from_utf8(hex).ok())
        .and_then(|hex| hex.parse().ok())
        .ok_or(Unsound::Form)?;
    if digest(&[body, b"}"]) != claimed {
        return Err(Unsound::Hash);
    }
    let record: Record = serde_json::from_slice(line).map_err(|_| Unsound::Form)?;
    if record.hash == claimed { Ok(record) } else { Err(Unsound::Form) }
}

fn digest(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest::from_bytes(hasher.finalize().into())
}
