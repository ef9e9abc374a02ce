//! Answers that are kept, in one `SQLite` file that many processes use at once.
//!
//! Invariants: whether an answer holds is decided, and counted where it has a count, in one
//! transaction; a kept denial wins; a request is used once at most; time never goes backwards (the
//! latest time seen is stored, and what was seen to run out stays run out); a file that is damaged,
//! foreign or open to others is refused, never made anew.
//!
//! What an answer without a count allows changes nothing in the file, so that it waits for no disk:
//! the request is remembered by this process, which alone has it, and the time is stored when it
//! moved on by a minute. The audit log has each use.
//!
//! Start with [`Store::claim`].

mod change;
mod file;
mod lease;
mod rows;

pub use change::Expected;
pub use lease::{Asked, By, Claim, Effect, Lease, LeaseId, LeaseState, Scope};

use crate::{Answer, Place, Request, RunId, ShortId, StoreError};
use jiff::Timestamp;
use ringfence_capability::Digest;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Tells the time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The most answers that are kept.
const MAX_LEASES: u32 = 10_000;
/// The most requests that are remembered for a person to approve later.
const MAX_ASKED: u32 = 256;
/// How long a request is remembered for a person to approve later: until the next working day.
const ASKED_FOR_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an answer for one run holds at most: a run that takes longer asks again.
const RUN_FOR_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a single yes given ahead of the action holds.
const AHEAD_FOR_MS: i64 = 60 * 60 * 1000;
/// How long an answer that no longer holds is listed; the audit log remembers it.
const LISTED_FOR_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// How far the clock may be behind the latest time it ever told: what setting it right costs.
const CLOCK_SLACK_MS: i64 = 60 * 60 * 1000;
/// How far the stored time may be behind while nothing else is written.
const CLOCK_STEP_MS: i64 = 60 * 1000;

/// Requests that an answer without a count allowed in this process, and when they expire.
type Uncounted = RefCell<BTreeMap<Digest, i64>>;

/// Kept answers.
pub struct Store {
    connection: Mutex<(Connection, Uncounted)>,
    clock: Clock,
    path: PathBuf,
}

impl Store {
    /// Returns the store in `place`, which is made when there is none.
    ///
    /// # Errors
    /// [`StoreError`] for anything but a sound store of this user and this version; the file is left
    /// as it is.
    pub fn open(place: &Place, clock: Clock) -> Result<Self, StoreError> {
        let (connection, path) = file::open(place)?;
        Ok(Self { connection: Mutex::new((connection, Uncounted::default())), clock, path })
    }

    /// Decides about `request` from what is kept, and counts the use, in one step over all
    /// processes.
    ///
    /// # Errors
    /// Any [`StoreError`]; then the action must not happen.
    pub fn claim(&self, request: &Request, run: &RunId) -> Result<Claim, StoreError> {
        self.transaction(|change| change.claim(request, run))
    }

    /// Keeps what a person answered to `request`. Returns nothing when there is nothing to keep: the
    /// answer was [`Answer::Deny`].
    ///
    /// # Errors
    /// [`StoreError::Misfit`] when the answer cannot be for this request, and any other.
    pub fn keep(
        &self,
        request: &Request,
        answer: &Answer,
        run: Option<&RunId>,
        by: By,
    ) -> Result<Option<Lease>, StoreError> {
        self.transaction(|change| change.keep(request, answer, run, by))
    }

    /// Keeps a yes and claims it for `request` at once. A denial that was kept while the person
    /// thought about it still wins.
    ///
    /// # Errors
    /// Any [`StoreError`]; then nothing is kept and the action must not happen.
    pub fn keep_and_claim(
        &self,
        request: &Request,
        answer: &Answer,
        run: &RunId,
        by: By,
    ) -> Result<Claim, StoreError> {
        self.transaction(|change| change.keep_and_claim(request, answer, run, by))
    }

    /// Remembers a request that nobody could answer, so that a person can approve it by its id.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn remember(&self, request: &Request) -> Result<(), StoreError> {
        self.transaction(|change| change.remember(request))
    }

    /// Returns the requests that are remembered, oldest first.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn asked(&self) -> Result<Vec<Asked>, StoreError> {
        self.transaction(|change| change.asked(None))
    }

    /// Keeps an answer to a remembered request, and forgets the request. A single yes holds for an
    /// hour, once; so the same action must be asked for again in that time.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when no such request is remembered; [`StoreError::Misfit`] for
    /// [`Answer::ForThisRun`], as the run is over.
    pub fn answer(
        &self,
        id: &ShortId,
        answer: &Answer,
        expected: Expected,
        by: By,
    ) -> Result<Option<Lease>, StoreError> {
        self.transaction(|change| change.answer(id, answer, expected, by))
    }

    /// Returns every answer that is kept, oldest first, also those that no longer hold.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn list(&self) -> Result<Vec<Lease>, StoreError> {
        self.transaction(|change| change.leases("ORDER BY created_ms, id", []))
    }

    /// Ends one answer, a yes or a no.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none with this id.
    pub fn revoke(&self, id: &LeaseId) -> Result<Lease, StoreError> {
        self.transaction(|change| change.revoke(id))
    }

    /// Ends every yes and forgets what is remembered; denials stay. Time begins anew with what the
    /// clock says now. Returns how many were ended.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn revoke_all(&self) -> Result<usize, StoreError> {
        let now = self.now();
        self.begin(|transaction, _| {
            change::revoke_all(&transaction, now).and_then(commit(transaction))
        })
    }

    /// Removes what no longer holds. Returns how many were removed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn prune(&self) -> Result<usize, StoreError> {
        self.transaction(|change| {
            change.forget_old()?;
            change.prune(i64::MAX)
        })
    }

    fn now(&self) -> i64 {
        (self.clock)().as_millisecond()
    }

    /// Runs `work` in a transaction that no other process is in, at a time that never goes back.
    fn transaction<T>(
        &self,
        work: impl FnOnce(&change::Change<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = self.now();
        self.begin(|transaction, uncounted| {
            let change = change::Change::begin(&transaction, now, uncounted, &self.path)?;
            let result = work(&change)?;
            change.keep_time()?;
            transaction.commit()?;
            Ok(result)
        })
    }

    fn begin<T>(
        &self,
        work: impl FnOnce(Transaction<'_>, &Uncounted) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A thread that died in here left a transaction that was rolled back.
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, uncounted) = &mut *held;
        connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)
            .and_then(|transaction| work(transaction, uncounted))
            .map_err(|error| file::explained(error, &self.path))
    }
}

fn commit<T>(transaction: Transaction<'_>) -> impl FnOnce(T) -> Result<T, StoreError> {
    |result| {
        transaction.commit()?;
        Ok(result)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}
