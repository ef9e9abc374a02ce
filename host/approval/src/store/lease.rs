//! The words of the store: leases, claims, and who gave them.

use crate::request::is_hex;
use crate::{Channel, Request, RunId, StoreError, place};
use jiff::Timestamp;
use ringfence_capability::ArgvPattern;
use std::fmt;
use std::str::FromStr;

/// A kept answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// Whether it is a yes or a no.
    pub effect: Effect,
    /// What it is for.
    pub scope: Scope,
    /// The run it is for, when only for one.
    pub run: Option<RunId>,
    /// The request it was given for.
    pub request: Request,
    /// The last moment at which it holds.
    pub expires: Option<Timestamp>,
    /// How many uses are left.
    pub uses_left: Option<u32>,
    /// How often it was used, when its uses are counted; the audit log has each use of every answer.
    pub uses: Option<u32>,
    /// When it was given.
    pub created: Timestamp,
    /// Who gave it.
    pub by: By,
    /// Whether it still holds.
    pub state: LeaseState,
}

/// Whether a kept answer is a yes or a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an answer is one or the other")]
pub enum Effect {
    /// A yes.
    Allow,
    /// A no.
    Deny,
}

/// What a kept answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever lists answers must show every scope")]
pub enum Scope {
    /// Exactly the action of its request: [`Request::subject`] is the same.
    Exact,
    /// The same with any arguments that match: [`Request::frame`] is the same.
    Pattern(ArgvPattern),
    /// What was denied, whatever surrounds it: [`Request::deed`] is the same.
    Deed,
}

/// Whether a kept answer still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever lists answers must show every state")]
pub enum LeaseState {
    /// It holds.
    Holds,
    /// Its time is over.
    Expired,
    /// It was used as often as it could be.
    UsedUp,
    /// It was taken back.
    Revoked,
}

/// What the store says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every claim must be acted on")]
#[must_use]
pub enum Claim {
    /// This yes was used for it.
    Allowed(Box<Lease>),
    /// This kept denial is about it.
    Denied(LeaseId),
    /// The request was used before.
    Used,
    /// The request has expired.
    Expired,
    /// Nothing is kept about it: ask.
    Unknown,
}

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct By {
    /// Over which channel.
    pub channel: Channel,
    /// Which user, where users have numbers.
    pub user: Option<u32>,
}

impl By {
    /// Returns the user who runs this, over `channel`.
    pub fn me(channel: Channel) -> Self {
        Self { channel, user: place::user() }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.user {
            Some(user) => write!(f, "{} (user {user})", self.channel),
            None => write!(f, "{}", self.channel),
        }
    }
}

/// The name of a kept answer: twelve hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(String);

impl LeaseId {
    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)
            .map_err(|source| crate::RequestError::NoRandomness { source })?;
        Ok(Self(format!("{:012x}", u64::from_be_bytes(bytes) >> 16)))
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LeaseId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        if !is_hex(text, 12) {
            let id = ringfence_capability::text::brief(text, 40);
            return Err(StoreError::Unknown { id });
        }
        Ok(Self(text.to_owned()))
    }
}

/// A request that nobody could answer, remembered for a day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The request.
    pub request: Request,
    /// When it was made.
    pub at: Timestamp,
}
