//! What happens inside one transaction.

use super::rows::{self, LEASE, Stored, blob};
use super::{
    AHEAD_FOR_MS, ASKED_FOR_MS, Asked, By, CLOCK_SLACK_MS, CLOCK_STEP_MS, Claim, Effect,
    LISTED_FOR_MS, Lease, LeaseId, LeaseState, MAX_ASKED, MAX_LEASES, RUN_FOR_MS, Scope, Uncounted,
};
use crate::{Answer, Request, RunId, ShortId, StoreError};
use ringfence_capability::{ArgvPattern, Digest};
use rusqlite::{Connection, OptionalExtension, Params, params};
use std::cell::Cell;
use std::path::Path;

/// Which request a person means when they name it by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Expected {
    /// The one with exactly this digest: it was shown.
    Digest(Digest),
    /// Whichever has the id: it was named at the command line, from a message that told it.
    AnyWithId,
}

/// An open transaction at a time that never goes back.
pub(super) struct Change<'a> {
    connection: &'a Connection,
    now: i64,
    /// The time in the file.
    stored: i64,
    /// Whether all that happened was an answer without a count that holds.
    is_unwritten: Cell<bool>,
    uncounted: &'a Uncounted,
    path: &'a Path,
}

/// A lease that is about to be kept.
struct New<'a> {
    scope: Scope,
    run: Option<&'a RunId>,
    expires_ms: Option<i64>,
    uses_left: Option<u32>,
}

impl<'a> Change<'a> {
    /// Takes the time, and refuses a clock that went back far.
    pub(super) fn begin(
        connection: &'a Connection,
        clock: i64,
        uncounted: &'a Uncounted,
        path: &'a Path,
    ) -> Result<Self, StoreError> {
        let latest: i64 =
            connection.query_row("SELECT latest_ms FROM clock", [], |row| row.get(0))?;
        if clock.saturating_add(CLOCK_SLACK_MS) < latest {
            let (now, latest) = (rows::time(clock, path)?, rows::time(latest, path)?);
            return Err(StoreError::ClockBehind { now, latest });
        }
        let (now, is_unwritten) = (clock.max(latest), Cell::new(false));
        Ok(Self { connection, now, stored: latest, is_unwritten, uncounted, path })
    }

    /// Moves the stored time on. Where nothing else is written, only by a minute or more.
    pub(super) fn keep_time(&self) -> Result<(), StoreError> {
        let step = if self.is_unwritten.get() { CLOCK_STEP_MS } else { 1 };
        if self.now.saturating_sub(self.stored) >= step {
            self.connection.execute("UPDATE clock SET latest_ms = ?1", [self.now])?;
        }
        Ok(())
    }

    pub(super) fn claim(&self, request: &Request, run: &RunId) -> Result<Claim, StoreError> {
        if let Some(refusal) = self.refusal(request)? {
            return Ok(refusal);
        }
        match self.allowance(request, run)? {
            Some(lease) => self.take(request, lease),
            None => Ok(Claim::Unknown),
        }
    }

    /// Keeps a yes and uses it, unless it came too late.
    pub(super) fn keep_and_claim(
        &self,
        request: &Request,
        answer: &Answer,
        run: &RunId,
        by: By,
    ) -> Result<Claim, StoreError> {
        if let Some(refusal) = self.refusal(request)? {
            return Ok(refusal);
        }
        match self.keep(request, answer, Some(run), by)? {
            Some(lease) if lease.effect == Effect::Allow => self.take(request, lease),
            Some(denial) => Ok(Claim::Denied(denial.id)),
            None => Ok(Claim::Unknown),
        }
    }

    /// Uses `lease` for `request`, which nothing refuses.
    fn take(&self, request: &Request, lease: Lease) -> Result<Claim, StoreError> {
        match lease.uses_left {
            Some(left) => self.count(request, lease, left.saturating_sub(1)),
            None => Ok(self.take_uncounted(request, lease)),
        }
    }

    /// Remembers the request in this process. No other process has it: its nonce is random.
    fn take_uncounted(&self, request: &Request, lease: Lease) -> Claim {
        let mut uncounted = self.uncounted.borrow_mut();
        uncounted.retain(|_, expires| *expires >= self.now);
        uncounted.insert(request.digest(), request.parts().expires.as_millisecond());
        self.is_unwritten.set(true);
        Claim::Allowed(Box::new(lease))
    }

    fn count(&self, request: &Request, mut lease: Lease, left: u32) -> Result<Claim, StoreError> {
        self.connection.execute(
            "UPDATE lease SET uses = uses + 1, uses_left = ?2 WHERE id = ?1",
            params![lease.id.as_str(), left],
        )?;
        let expires = request.parts().expires.as_millisecond();
        self.connection.execute(
            "INSERT INTO used (request, expires_ms, lease) VALUES (?1, ?2, ?3)",
            params![blob(&request.digest()), expires, lease.id.as_str()],
        )?;
        // What has expired is refused before it is looked for here.
        self.connection.execute("DELETE FROM used WHERE expires_ms < ?1", [self.now])?;
        lease.uses = lease.uses.map(|uses| uses.saturating_add(1));
        lease.uses_left = Some(left);
        Ok(Claim::Allowed(Box::new(lease)))
    }

    /// Returns why the request cannot be allowed whatever else is kept.
    pub(super) fn refusal(&self, request: &Request) -> Result<Option<Claim>, StoreError> {
        let denials = self.matching(&request.deed())?;
        let holds =
            |lease: &&Lease| lease.effect == Effect::Deny && lease.state == LeaseState::Holds;
        if let Some(denial) = denials.iter().find(holds) {
            return Ok(Some(Claim::Denied(denial.id.clone())));
        }
        if request.parts().expires.as_millisecond() < self.now {
            return Ok(Some(Claim::Expired));
        }
        if self.uncounted.borrow().contains_key(&request.digest()) {
            return Ok(Some(Claim::Used));
        }
        let used = self
            .connection
            .query_row("SELECT 1 FROM used WHERE request = ?1", [blob(&request.digest())], |_| {
                Ok(())
            })
            .optional()?;
        Ok(used.map(|()| Claim::Used))
    }

    /// Returns the yes to use: one without a count before one that would be used up.
    fn allowance(&self, request: &Request, run: &RunId) -> Result<Option<Lease>, StoreError> {
        let mut leases = self.matching(&request.subject())?;
        leases.extend(self.matching(&request.frame())?);
        leases.retain(|lease| {
            lease.effect == Effect::Allow
                && lease.state == LeaseState::Holds
                && lease.run.as_ref().is_none_or(|only| only == run)
                && match &lease.scope {
                    Scope::Exact => lease.request.subject() == request.subject(),
                    Scope::Pattern(pattern) => {
                        lease.request.frame() == request.frame() && fits(pattern, request)
                    }
                    Scope::Deed => false,
                }
        });
        Ok(leases.into_iter().min_by_key(|lease| (lease.uses_left.is_some(), lease.expires)))
    }

    fn matching(&self, digest: &Digest) -> Result<Vec<Lease>, StoreError> {
        self.leases(
            "WHERE matches = ?1 AND revoked = 0 AND (uses_left IS NULL OR uses_left > 0)
             AND (expires_ms IS NULL OR expires_ms >= ?2) ORDER BY created_ms, id",
            params![blob(digest), self.now],
        )
    }

    /// Returns the leases that the end of a statement picks out.
    pub(super) fn leases(&self, rest: &str, values: impl Params) -> Result<Vec<Lease>, StoreError> {
        let mut statement =
            self.connection.prepare_cached(&format!("SELECT {LEASE} FROM lease {rest}"))?;
        let found = statement.query_map(values, Stored::read)?;
        found.map(|stored| stored?.lease(self.now, self.path)).collect()
    }

    pub(super) fn keep(
        &self,
        request: &Request,
        answer: &Answer,
        run: Option<&RunId>,
        by: By,
    ) -> Result<Option<Lease>, StoreError> {
        let expiry = request.parts().expires.as_millisecond();
        self.keep_until(request, answer, (run, expiry), by)
    }

    fn keep_until(
        &self,
        request: &Request,
        answer: &Answer,
        (run, once_ms): (Option<&RunId>, i64),
        by: By,
    ) -> Result<Option<Lease>, StoreError> {
        let exact = New { scope: Scope::Exact, run: None, expires_ms: None, uses_left: None };
        let new = match answer {
            Answer::Deny => return Ok(None),
            Answer::DenyAlways => New { scope: Scope::Deed, ..exact },
            Answer::Once => New { expires_ms: Some(once_ms), uses_left: Some(1), ..exact },
            Answer::ForThisRun => {
                let why = "the run it is for is not known";
                let run = Some(run.ok_or(StoreError::Misfit { why })?);
                New { run, expires_ms: Some(self.now.saturating_add(RUN_FOR_MS)), ..exact }
            }
            Answer::Until { time } if time.as_millisecond() <= self.now => {
                return Err(StoreError::Misfit { why: "its time is over already" });
            }
            Answer::Until { time } => New { expires_ms: Some(time.as_millisecond()), ..exact },
            Answer::Always { pattern: None } => exact,
            Answer::Always { pattern: Some(pattern) } if fits(pattern, request) => {
                New { scope: Scope::Pattern(pattern.clone()), ..exact }
            }
            Answer::Always { pattern: Some(_) } => {
                let why = "the pattern does not stand for these arguments";
                return Err(StoreError::Misfit { why });
            }
        };
        self.insert(request, &new, by).map(Some)
    }

    fn insert(&self, request: &Request, new: &New<'_>, by: By) -> Result<Lease, StoreError> {
        self.make_room()?;
        let id = LeaseId::random()?;
        let (effect, scope, matches, pattern) = match &new.scope {
            Scope::Exact => ("allow", "exact", request.subject(), None),
            Scope::Deed => ("deny", "deed", request.deed(), None),
            Scope::Pattern(pattern) => {
                let text = serde_json::to_string(pattern)
                    .map_err(|source| crate::RequestError::Unreadable { source })?;
                ("allow", "pattern", request.frame(), Some(text))
            }
        };
        self.connection.execute(
            &format!(
                "INSERT INTO lease ({LEASE})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12, 0)"
            ),
            params![
                id.as_str(),
                effect,
                scope,
                blob(&matches),
                pattern,
                new.run.map(RunId::as_str),
                request.as_bytes(),
                new.expires_ms,
                new.uses_left,
                self.now,
                by.channel.name(),
                by.user,
            ],
        )?;
        self.one(&id)
    }

    fn make_room(&self) -> Result<(), StoreError> {
        self.prune(self.now.saturating_sub(LISTED_FOR_MS))?;
        let count = || {
            self.connection.query_row("SELECT count(*) FROM lease", [], |row| row.get::<_, u32>(0))
        };
        if count()? >= MAX_LEASES {
            self.prune(i64::MAX)?;
            if count()? >= MAX_LEASES {
                return Err(StoreError::Full { most: MAX_LEASES });
            }
        }
        Ok(())
    }

    pub(super) fn remember(&self, request: &Request) -> Result<(), StoreError> {
        self.forget_old()?;
        self.connection.execute(
            "INSERT OR REPLACE INTO asked (id, subject, request, at_ms) VALUES (?1, ?2, ?3, ?4)",
            params![
                request.short_id().as_str(),
                blob(&request.subject()),
                request.as_bytes(),
                self.now
            ],
        )?;
        self.connection.execute(
            "DELETE FROM asked WHERE id NOT IN
             (SELECT id FROM asked ORDER BY at_ms DESC, rowid DESC LIMIT ?1)",
            [MAX_ASKED],
        )?;
        Ok(())
    }

    pub(super) fn asked(&self, id: Option<&ShortId>) -> Result<Vec<Asked>, StoreError> {
        self.forget_old()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT id, request, at_ms FROM asked WHERE ?1 IS NULL OR id = ?1 ORDER BY at_ms, rowid",
        )?;
        let found = statement.query_map([id.map(ShortId::as_str)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        found.map(|stored| rows::asked(stored?, self.path)).collect()
    }

    pub(super) fn answer(
        &self,
        id: &ShortId,
        answer: &Answer,
        expected: Expected,
        by: By,
    ) -> Result<Option<Lease>, StoreError> {
        let unknown = || StoreError::Unknown { id: id.to_string() };
        let asked = self.asked(Some(id))?.pop().ok_or_else(unknown)?;
        if let Expected::Digest(digest) = expected
            && digest != asked.request.digest()
        {
            return Err(StoreError::Misfit { why: "another request has the id now" });
        }
        let once_ms = self.now.saturating_add(AHEAD_FOR_MS);
        let lease = self.keep_until(&asked.request, answer, (None, once_ms), by)?;
        self.connection.execute("DELETE FROM asked WHERE id = ?1", [id.as_str()])?;
        Ok(lease)
    }

    /// Forgets remembered requests that are too old to be approved.
    pub(super) fn forget_old(&self) -> Result<(), StoreError> {
        let oldest = self.now.saturating_sub(ASKED_FOR_MS);
        self.connection.execute("DELETE FROM asked WHERE at_ms < ?1", [oldest])?;
        Ok(())
    }

    pub(super) fn revoke(&self, id: &LeaseId) -> Result<Lease, StoreError> {
        self.connection.execute("UPDATE lease SET revoked = 1 WHERE id = ?1", [id.as_str()])?;
        self.one(id)
    }

    /// Removes what no longer holds and was kept before `before`.
    pub(super) fn prune(&self, before: i64) -> Result<usize, StoreError> {
        let removed = self.connection.execute(
            "DELETE FROM lease WHERE created_ms < ?2
             AND (revoked = 1 OR uses_left = 0 OR expires_ms < ?1)",
            [self.now, before],
        )?;
        Ok(removed)
    }

    fn one(&self, id: &LeaseId) -> Result<Lease, StoreError> {
        let found = self.leases("WHERE id = ?1", [id.as_str()])?.pop();
        found.ok_or_else(|| StoreError::Unknown { id: id.to_string() })
    }
}

/// Ends every yes, forgets what is remembered, and sets the stored time to what the clock says.
pub(super) fn revoke_all(connection: &Connection, clock: i64) -> Result<usize, StoreError> {
    let ended = connection
        .execute("UPDATE lease SET revoked = 1 WHERE effect = 'allow' AND revoked = 0", [])?;
    connection.execute("DELETE FROM asked", [])?;
    connection.execute("UPDATE clock SET latest_ms = ?1", [clock])?;
    Ok(ended)
}

fn fits(pattern: &ArgvPattern, request: &Request) -> bool {
    request
        .exec()
        .is_some_and(|exec| pattern.matches(exec.argv.iter().map(crate::Argument::as_bytes)))
}
