//! From a row to a lease. What cannot be read is damage, and damage is a denial.

use super::{Asked, By, Effect, Lease, LeaseId, LeaseState, Scope};
use crate::{Channel, Request, StoreError};
use jiff::Timestamp;
use ringfence_capability::{ArgvPattern, Digest};
use rusqlite::Row;
use std::path::Path;

/// The columns of a lease in the order [`Stored::read`] takes them.
pub(super) const LEASE: &str = "id, effect, scope, matches, pattern, run, request, expires_ms, \
     uses_left, uses, created_ms, channel, user, revoked";

/// A lease as it is stored.
pub(super) struct Stored {
    id: String,
    effect: String,
    scope: String,
    matches: Vec<u8>,
    pattern: Option<String>,
    run: Option<String>,
    request: Vec<u8>,
    expires_ms: Option<i64>,
    uses_left: Option<u32>,
    uses: u32,
    created_ms: i64,
    channel: String,
    user: Option<u32>,
    revoked: bool,
}

impl Stored {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            effect: row.get(1)?,
            scope: row.get(2)?,
            matches: row.get(3)?,
            pattern: row.get(4)?,
            run: row.get(5)?,
            request: row.get(6)?,
            expires_ms: row.get(7)?,
            uses_left: row.get(8)?,
            uses: row.get(9)?,
            created_ms: row.get(10)?,
            channel: row.get(11)?,
            user: row.get(12)?,
            revoked: row.get(13)?,
        })
    }

    /// Returns the lease, at the time `now`. What it matches is taken again from its request: the
    /// two columns must agree.
    pub(super) fn lease(self, now: i64, path: &Path) -> Result<Lease, StoreError> {
        let damaged = || damaged(path, "a kept answer cannot be read");
        let request = Request::parse(&self.request).map_err(|_| damaged())?;
        let (effect, scope, matches) = match (self.effect.as_str(), self.scope.as_str()) {
            ("allow", "exact") => (Effect::Allow, Scope::Exact, request.subject()),
            ("deny", "deed") => (Effect::Deny, Scope::Deed, request.deed()),
            ("allow", "pattern") => {
                let text = self.pattern.as_deref().ok_or_else(damaged)?;
                let pattern: ArgvPattern = serde_json::from_str(text).map_err(|_| damaged())?;
                (Effect::Allow, Scope::Pattern(pattern), request.frame())
            }
            _ => return Err(damaged()),
        };
        if *matches.as_bytes() != *self.matches {
            return Err(damaged());
        }
        let channel = Channel::ALL.into_iter().find(|channel| channel.name() == self.channel);
        let run = self.run.map(|run| run.parse()).transpose().map_err(|_| damaged())?;
        let state = match () {
            () if self.revoked => LeaseState::Revoked,
            () if self.uses_left == Some(0) => LeaseState::UsedUp,
            () if self.expires_ms.is_some_and(|last| last < now) => LeaseState::Expired,
            () => LeaseState::Holds,
        };
        Ok(Lease {
            id: self.id.parse::<LeaseId>().map_err(|_| damaged())?,
            effect,
            scope,
            run,
            request,
            expires: self.expires_ms.map(|ms| time(ms, path)).transpose()?,
            uses_left: self.uses_left,
            uses: self.uses_left.map(|_| self.uses),
            created: time(self.created_ms, path)?,
            by: By { channel: channel.ok_or_else(damaged)?, user: self.user },
            state,
        })
    }
}

/// Returns the remembered request, which must have the id it is stored under.
pub(super) fn asked(
    (id, request, at_ms): (String, Vec<u8>, i64),
    path: &Path,
) -> Result<Asked, StoreError> {
    let damaged = || damaged(path, "a remembered request cannot be read");
    let request = Request::parse(&request).map_err(|_| damaged())?;
    if request.short_id().as_str() != id {
        return Err(damaged());
    }
    Ok(Asked { request, at: time(at_ms, path)? })
}

pub(super) fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Untrusted { path: path.to_owned(), why: why.to_owned() }
}

pub(super) fn time(ms: i64, path: &Path) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| damaged(path, "a time in it is out of range"))
}

/// Returns the bytes a digest is stored as.
pub(super) fn blob(digest: &Digest) -> &[u8] {
    digest.as_bytes()
}
