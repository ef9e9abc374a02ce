//! A bounded mailbox. A full one is an answer, never a wait.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Cancel;

/// Holds what was sent to one agent and not received yet, the oldest first.
#[derive(Debug)]
pub struct Mailbox<M> {
    inner: Mutex<Inner<M>>,
    arrived: Notify,
    most: usize,
}

#[derive(Debug)]
struct Inner<M> {
    queue: VecDeque<M>,
    closed: bool,
}

/// Why a message was not sent. It holds the message.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a sender must handle both")]
pub enum NotSent<M> {
    /// The mailbox is full.
    Full(M),
    /// Its owner has ended.
    Closed(M),
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a receiver must handle both")]
pub enum NotReceived {
    /// Nothing arrived in time.
    Timeout,
    /// The receiver is to end.
    Cancelled,
}

impl<M> Mailbox<M> {
    /// Returns an empty mailbox for at most this many messages.
    pub fn new(most: NonZeroUsize) -> Self {
        let inner = Mutex::new(Inner { queue: VecDeque::new(), closed: false });
        Self { inner, arrived: Notify::new(), most: most.get() }
    }

    /// Puts `message` into it.
    ///
    /// # Errors
    /// [`NotSent`], with the message.
    pub fn send(&self, message: M) -> Result<(), NotSent<M>> {
        {
            let mut inner = self.lock();
            if inner.closed {
                return Err(NotSent::Closed(message));
            }
            if inner.queue.len() == self.most {
                return Err(NotSent::Full(message));
            }
            inner.queue.push_back(message);
        }
        self.arrived.notify_waiters();
        Ok(())
    }

    /// Returns the oldest message that is `wanted`, waiting for it until `end`; without one until the
    /// receiver is to end.
    ///
    /// # Errors
    /// [`NotReceived`]. A receiver that is to end gets no message, even one that is there.
    ///
    /// # Cancellation
    /// Dropping the future loses no message: one is taken out only when it is returned.
    pub async fn receive(
        &self,
        cancel: &Cancel,
        end: Option<Instant>,
        wanted: impl Fn(&M) -> bool,
    ) -> Result<M, NotReceived> {
        loop {
            // Listening starts before looking: what arrives in between is not missed.
            let mut arrived = pin!(self.arrived.notified());
            arrived.as_mut().enable();
            if cancel.is_asked() {
                return Err(NotReceived::Cancelled);
            }
            if let Some(message) = self.take(&wanted) {
                return Ok(message);
            }
            tokio::select! {
                biased;
                _ = cancel.asked() => return Err(NotReceived::Cancelled),
                () = arrived => {}
                () = over(end) => return Err(NotReceived::Timeout),
            }
        }
    }

    /// Closes it and returns what nobody received.
    pub fn close(&self) -> Vec<M> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.queue.drain(..).collect()
    }

    /// Returns how many messages wait in it.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Tells whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&self, wanted: impl Fn(&M) -> bool) -> Option<M> {
        let mut inner = self.lock();
        let place = inner.queue.iter().position(wanted)?;
        inner.queue.remove(place)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until `end`; for ever without one, which takes no timer.
async fn over(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}
