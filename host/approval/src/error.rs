//! The errors of this room. Whoever gets one does not do the action.

use jiff::Timestamp;
use ringfence_capability::{Class, Diagnostic, Digest};
use std::io;
use std::path::PathBuf;

/// Why something is not a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It has no canonical form, or is not in it.
    #[error("a request is not canonical: {why}")]
    NotCanonical {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A part of it cannot be.
    #[error("the {what} of a request is refused: {why}")]
    Invalid {
        /// The part.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is longer than a request may be.
    #[error("a request of {size_bytes} bytes is longer than {most}")]
    TooLarge {
        /// Its length.
        size_bytes: usize,
        /// The most there may be.
        most: usize,
    },
    /// It is not JSON, or lacks a member, or has one too many.
    #[error("a request cannot be read")]
    Unreadable {
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("a request has version {found}, this host knows 1")]
    Version {
        /// The version in it.
        found: u32,
    },
    /// The system has no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
}

/// Why kept answers cannot be used or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Others may look into it or write to it.
    #[error("`{}` is open to other users (mode {mode:04o})", path.display())]
    TooOpen {
        /// The directory or file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// It belongs to somebody else.
    #[error("`{}` belongs to user {owner}, not to user {me}", path.display())]
    ForeignOwner {
        /// The directory or file.
        path: PathBuf,
        /// Whom it belongs to.
        owner: u32,
        /// Who runs this.
        me: u32,
    },
    /// It is damaged, or was written by something else.
    #[error("`{}` is not a store of approvals that can be trusted: {why}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was written by another version.
    #[error("`{}` has version {found}, this host knows {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: i64,
        /// The version known.
        known: i64,
    },
    /// The system refused to open, make or look at a file.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process did not let go of it in time.
    #[error("another process holds `{}`", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A question to the store failed.
    #[error("the store of approvals does not answer")]
    Sql {
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The clock is far behind what it was before.
    #[error("the clock says {now}, but it was already {latest}")]
    ClockBehind {
        /// What it says.
        now: Timestamp,
        /// The latest time it ever said.
        latest: Timestamp,
    },
    /// There is no room for another answer.
    #[error("{most} answers are kept already")]
    Full {
        /// The most there may be.
        most: u32,
    },
    /// Nothing has this id.
    #[error("nothing here has the id `{id}`")]
    Unknown {
        /// The id.
        id: String,
    },
    /// The answer does not fit the request.
    #[error("the answer does not fit the request: {why}")]
    Misfit {
        /// What does not fit.
        why: &'static str,
    },
    /// What was kept cannot be written or read as a request.
    #[error("the request is refused")]
    Request {
        /// Why.
        #[source]
        source: RequestError,
    },
}

/// Why nobody said yes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is nobody to ask.
    #[error("request `{id}` needs a person to approve it, and nobody can be asked here")]
    NobodyToAsk {
        /// The request.
        id: String,
        /// The digest of what it is about: what a person approves ahead.
        subject: Digest,
        /// The command that lets a person approve it.
        command: String,
    },
    /// Nobody answered in time.
    #[error("nobody answered in time")]
    TimedOut,
    /// The input ended before an answer.
    #[error("the input ended before an answer")]
    EndOfInput,
    /// The answer is none of those offered.
    #[error("the answer cannot be understood")]
    NotUnderstood,
    /// It is too long for a person to look through.
    #[error(
        "the action takes {lines} lines to show, more than the {most} a person can look through"
    )]
    TooLongToReview {
        /// How many lines it takes.
        lines: usize,
        /// The most there may be.
        most: usize,
    },
    /// The place to ask in cannot be used.
    #[error("cannot ask: {what}")]
    Unusable {
        /// What is wrong.
        what: &'static str,
        /// Why.
        #[source]
        source: Option<io::Error>,
    },
    /// Whoever is at the other end may not answer.
    #[error("user {uid} at the other end of the socket may not answer")]
    Stranger {
        /// Who it is.
        uid: u32,
    },
    /// What came over the socket is not what this host says there.
    #[error("the other end of the socket does not keep to the protocol: {why}")]
    Protocol {
        /// What it did.
        why: &'static str,
    },
    /// The answer is for another request.
    #[error("the answer is for {answered}, what waits is {waiting}")]
    OtherRequest {
        /// The digest in the answer.
        answered: Digest,
        /// The digest of what waits.
        waiting: Digest,
    },
    /// No request with this id waits.
    #[error("no request with the id `{id}` is waiting")]
    NotWaiting {
        /// The id.
        id: String,
    },
    /// The waiting request is damaged.
    #[error("the waiting request is refused")]
    Request {
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The private directory cannot be used.
    #[error("the place where requests wait cannot be used")]
    Place {
        /// Why.
        #[source]
        source: StoreError,
    },
}

impl Diagnostic for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical { .. } => "approval::not-canonical",
            Self::Invalid { .. } => "approval::bad-request",
            Self::TooLarge { .. } => "approval::request-too-large",
            Self::Unreadable { .. } => "approval::unreadable-request",
            Self::Version { .. } => "approval::request-version",
            Self::NoRandomness { .. } => "approval::no-randomness",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NoRandomness { .. } => Class::Internal,
            Self::TooLarge { .. } => Class::LimitReached,
            Self::NotCanonical { .. }
            | Self::Invalid { .. }
            | Self::Unreadable { .. }
            | Self::Version { .. } => Class::BadInput,
        }
    }
}

impl Diagnostic for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooOpen { .. } => "approval::store-too-open",
            Self::ForeignOwner { .. } => "approval::store-foreign-owner",
            Self::Untrusted { .. } => "approval::store-untrusted",
            Self::Version { .. } => "approval::store-version",
            Self::Io { .. } => "approval::store-io",
            Self::Busy { .. } => "approval::store-busy",
            Self::Sql { .. } => "approval::store-failed",
            Self::ClockBehind { .. } => "approval::clock-behind",
            Self::Full { .. } => "approval::store-full",
            Self::Unknown { .. } => "approval::unknown-id",
            Self::Misfit { .. } => "approval::misfit",
            Self::Request { source } => source.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Io { .. } | Self::Sql { .. } | Self::Busy { .. } => Class::Internal,
            Self::Full { .. } => Class::LimitReached,
            Self::Unknown { .. } | Self::Misfit { .. } => Class::BadInput,
            Self::Request { source } => source.class(),
            Self::TooOpen { .. }
            | Self::ForeignOwner { .. }
            | Self::Untrusted { .. }
            | Self::Version { .. }
            | Self::ClockBehind { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooOpen { path, wanted, .. } => Some(format!(
                "look at what is in it, then run `chmod {wanted:o} {}`",
                crate::terminal::quote::word(&path.as_path().into())
            )),
            Self::ForeignOwner { .. } => Some(
                "run this as the user it belongs to, or name another state directory".to_owned(),
            ),
            Self::Untrusted { path, .. } => {
                let path = crate::terminal::quote::word(&path.as_path().into());
                Some(format!(
                    "move it aside with `mv {path} {path}.damaged` and a new one is begun; every \
                     answer kept in it is then forgotten, also what was denied for always"
                ))
            }
            Self::Busy { path } => Some(format!(
                "run it again; `fuser {}` shows who holds it",
                crate::terminal::quote::word(&path.as_path().into())
            )),
            Self::Version { .. } => Some("use the version of ringfence that wrote it".to_owned()),
            Self::ClockBehind { .. } => Some(
                "set the clock; if the later time was the wrong one, `ringfence approvals revoke \
                 --all` drops everything that was allowed and begins with the present time"
                    .to_owned(),
            ),
            Self::Full { .. } => Some(
                "look through `ringfence approvals list` and drop some with `ringfence approvals \
                 revoke <ID>`"
                    .to_owned(),
            ),
            Self::Unknown { .. } => Some("`ringfence approvals list` shows every id".to_owned()),
            Self::Request { source } => source.hint(),
            Self::Io { .. } | Self::Sql { .. } | Self::Misfit { .. } => None,
        }
    }
}

impl Diagnostic for ApprovalError {
    fn code(&self) -> &'static str {
        match self {
            Self::NobodyToAsk { .. } => "approval::nobody-to-ask",
            Self::TimedOut => "approval::timed-out",
            Self::EndOfInput => "approval::end-of-input",
            Self::NotUnderstood => "approval::not-understood",
            Self::TooLongToReview { .. } => "approval::too-long-to-review",
            Self::Unusable { .. } => "approval::cannot-ask",
            Self::Stranger { .. } => "approval::stranger",
            Self::Protocol { .. } => "approval::protocol",
            Self::OtherRequest { .. } => "approval::other-request",
            Self::NotWaiting { .. } => "approval::not-waiting",
            Self::Request { source } => source.code(),
            Self::Place { source } => source.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Unusable { .. } => Class::Internal,
            Self::NotWaiting { .. } => Class::BadInput,
            Self::Request { source } => source.class(),
            Self::Place { source } => source.class(),
            Self::NobodyToAsk { .. }
            | Self::TimedOut
            | Self::EndOfInput
            | Self::NotUnderstood
            | Self::TooLongToReview { .. }
            | Self::Stranger { .. }
            | Self::Protocol { .. }
            | Self::OtherRequest { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NobodyToAsk { command, .. } => Some(format!(
                "if it is intended, run `{command}` and then the same again; or run it in a terminal"
            )),
            Self::TimedOut | Self::EndOfInput | Self::NotUnderstood => {
                Some("run it again and answer with one of the words offered".to_owned())
            }
            Self::TooLongToReview { .. } => {
                Some("put the arguments into a file or a script that can be read first".to_owned())
            }
            Self::OtherRequest { .. } => Some(
                "look at what waits with `ringfence approvals list` and answer that".to_owned(),
            ),
            Self::NotWaiting { .. } => {
                Some("`ringfence approvals list` shows what is waiting".to_owned())
            }
            Self::Request { source } => source.hint(),
            Self::Place { source } => source.hint(),
            Self::Unusable { .. } | Self::Stranger { .. } | Self::Protocol { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sql { source }
    }
}

impl From<StoreError> for ApprovalError {
    fn from(source: StoreError) -> Self {
        Self::Place { source }
    }
}

impl From<RequestError> for StoreError {
    fn from(source: RequestError) -> Self {
        Self::Request { source }
    }
}
