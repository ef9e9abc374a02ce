//! Turns to run: so many at once, so many that wait, and no more.
//!
//! An agent that waits for others gives its turn back meanwhile ([`Slot::while_waiting`]): a parent that
//! kept it while its children queue for one would wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Cancel;

/// The turns of one run.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever waits must handle both")]
pub enum NoSlot {
    /// Too many wait already.
    Full,
    /// What wants it is to end.
    Cancelled,
}

/// A turn, given back when this is dropped.
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A place in the queue, given back when this is dropped.
struct Queued<'a>(&'a Shared);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Slots {
    /// Returns turns for `at_once`, at least one, and a queue for `waiting` more.
    pub fn new(at_once: usize, waiting: usize) -> Self {
        let turns = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared { turns, waiting: AtomicUsize::new(0), most_waiting: waiting }))
    }

    /// Returns a turn, in the order in which they are asked for.
    ///
    /// # Errors
    /// [`NoSlot`]. Nothing waits in the queue then.
    ///
    /// # Cancellation
    /// Dropping the future gives the place in the queue back.
    pub async fn acquire(&self, cancel: &Cancel) -> Result<Slot, NoSlot> {
        if cancel.is_asked() {
            return Err(NoSlot::Cancelled);
        }
        if let Ok(permit) = Arc::clone(&self.0.turns).try_acquire_owned() {
            return Ok(Slot { shared: Arc::clone(&self.0), permit: Some(permit) });
        }
        let most = self.0.most_waiting;
        let joins = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let joined = self.0.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, joins);
        joined.map_err(|_| NoSlot::Full)?;
        let _queued = Queued(&self.0);
        let permit = self.0.turn(cancel).await?;
        Ok(Slot { shared: Arc::clone(&self.0), permit: Some(permit) })
    }

    /// Returns how many wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    /// Returns how many turns are free.
    pub fn free(&self) -> usize {
        self.0.turns.available_permits()
    }
}

impl Shared {
    async fn turn(&self, cancel: &Cancel) -> Result<OwnedSemaphorePermit, NoSlot> {
        // One that is free is nobody's: whoever waits has the next before it is free.
        if !cancel.is_asked()
            && let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned()
        {
            return Ok(permit);
        }
        tokio::select! {
            biased;
            _ = cancel.asked() => Err(NoSlot::Cancelled),
            permit = Arc::clone(&self.turns).acquire_owned() => permit.map_err(|_| NoSlot::Cancelled),
        }
    }
}

impl Slot {
    /// Gives the turn back while `work` waits for others, and takes one again before it returns. Whoever
    /// is to end meanwhile goes on without one: what is left of it is its end.
    ///
    /// # Cancellation
    /// Dropping the future leaves the slot without a turn.
    pub async fn while_waiting<T>(&mut self, cancel: &Cancel, work: impl Future<Output = T>) -> T {
        self.permit = None;
        let done = work.await;
        // It counted among those that run already, so that the bound of the queue is not for it.
        self.permit = self.shared.turn(cancel).await.ok();
        done
    }
}
