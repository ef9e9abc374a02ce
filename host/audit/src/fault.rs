//! Where a log is not what was written, and what is wrong there.

use ringfence_capability::{Class, Diagnostic, Digest};
use std::fmt;
use std::io;

/// A place where a log is not what was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct Broken {
    /// The file, where several make up the log.
    pub file: Option<String>,
    /// The line in it, from 1; 0 when it is about the file as a whole.
    pub line: u64,
    /// The number of the record that is there or should be.
    pub seq: Option<u64>,
    /// What is wrong there.
    #[source]
    pub what: Fault,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the audit log is broken")?;
        if self.line > 0 {
            write!(f, " at line {}", self.line)?;
        }
        if let Some(file) = &self.file {
            write!(f, " {} `{file}`", if self.line > 0 { "of" } else { "at" })?;
        }
        self.seq.map_or(Ok(()), |seq| write!(f, ", record {seq}"))
    }
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The line does not have the form of a record.
    #[error("it is not a record")]
    NotARecord,
    /// The record was edited.
    #[error("the record was changed after it was written")]
    Edited,
    /// Records are missing in front of this one.
    #[error("{count} records before it are missing")]
    Missing {
        /// How many.
        count: u64,
    },
    /// The record stands too late, or a second time.
    #[error("record {seq} stands here a second time or out of order")]
    OutOfOrder {
        /// Its number.
        seq: u64,
    },
    /// The record does not follow the one before it.
    #[error("it does not follow the record before it, which was put in or replaced")]
    Unchained,
    /// The last line has no end.
    #[error("the record is only half written; the next one appended will repair it")]
    HalfWritten,
    /// The line is longer than any record.
    #[error("the line is longer than any record")]
    TooLong,
    /// The record that was known to be there is not.
    #[error("the log ends without the record that is known to have been written")]
    HeadMissing,
    /// The log ends before a record that was signed for.
    #[error("the records up to {seq}, which were signed for at {time}, are gone from the end")]
    Truncated {
        /// The number of the last record signed for.
        seq: u64,
        /// When it was signed for.
        time: String,
    },
    /// The record is another one than the one that was signed for.
    #[error("it is not the record that was signed for at {time}: the log was written anew")]
    Rewritten {
        /// When it was signed for.
        time: String,
    },
    /// A file of the log is gone.
    #[error("the file `{name}` is missing")]
    FileMissing {
        /// Its name.
        name: String,
    },
    /// The log begins later than its first record, and nothing says that what is missing was removed
    /// on purpose.
    #[error(
        "the {count} records before it are missing, and no signed record says that they were pruned"
    )]
    BeginningMissing {
        /// How many.
        count: u64,
    },
    /// A checkpoint is not about the record before it, or its signature is wrong.
    #[error("the signature of the checkpoint is not right")]
    BadSignature,
    /// A checkpoint is signed with a key nobody vouches for.
    #[error("the checkpoint is signed with the key {key}, which is not known")]
    UnknownKey {
        /// The key.
        key: Digest,
    },
    /// The copies of the checkpoints are not what was written.
    #[error("the copy of a checkpoint is not what was signed")]
    CopyDamaged,
    /// The log cannot be read on.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
}

impl Diagnostic for Broken {
    fn code(&self) -> &'static str {
        match self.what {
            Fault::HalfWritten => "audit::half-written",
            Fault::Unreadable(_) => "audit::unreadable",
            _ => "audit::tampered",
        }
    }

    fn class(&self) -> Class {
        match self.what {
            Fault::Unreadable(_) => Class::Internal,
            _ => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self.what {
            Fault::Unreadable(_) => return None,
            Fault::HalfWritten => {
                "a process died while writing; the next record repairs it and says so"
            }
            Fault::UnknownKey { .. } => {
                "if this is a key the log had before, name its public half with `--key`"
            }
            Fault::Truncated { .. } | Fault::Rewritten { .. } => {
                "if the log was moved aside on purpose, move its `audit.checkpoints.jsonl` aside as well; \
                 otherwise keep all of it as evidence"
            }
            _ => "keep the files as evidence by moving them aside; a new log is begun",
        };
        Some(text.to_owned())
    }
}
