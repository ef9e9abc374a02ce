//! A tree of cancellations: a flag, then a grace, then the end.
//!
//! Cancelling a node cancels everything below it, and what is made below a cancelled node is cancelled
//! from the start. A phase only moves forward. The owner of a run drops it when [`Cancel::over`] returns:
//! a guest gives way at every tick of the epoch, so that even one that never looks at the flag is gone.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

/// Why something is cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// A person wants it.
    Person,
    /// The time is over.
    Timeout,
    /// What started it ended.
    Parent,
    /// One that worked beside it failed, or made it needless.
    Sibling,
    /// Another reason, in words.
    Other(String),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Person => "a person stopped it",
            Self::Timeout => "the time is over",
            Self::Parent => "what started it ended",
            Self::Sibling => "it is not needed any more",
            Self::Other(why) => why,
        })
    }
}

/// How far a cancellation is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the phases")]
pub enum Phase {
    /// There is none.
    Running,
    /// It was asked to end.
    Asked(Why),
    /// It ends now.
    Now(Why),
}

impl Phase {
    /// Returns why, when there is a cancellation.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Running => None,
            Self::Asked(why) | Self::Now(why) => Some(why),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Running => 0,
            Self::Asked(_) => 1,
            Self::Now(_) => 2,
        }
    }
}

/// A node of the tree. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<Node>);

#[derive(Debug)]
struct Node {
    phase: watch::Sender<Phase>,
    below: Mutex<Vec<Weak<Node>>>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self::in_phase(Phase::Running)
    }
}

impl Cancel {
    fn in_phase(phase: Phase) -> Self {
        Self(Arc::new(Node { phase: watch::Sender::new(phase), below: Mutex::default() }))
    }

    /// Returns a new node below this one.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut below = self.0.below.lock().unwrap_or_else(PoisonError::into_inner);
        // Read while the list is held: a cancellation either finds the child in it or was seen here.
        let phase = match &*self.0.phase.borrow() {
            Phase::Running => Phase::Running,
            Phase::Asked(_) => Phase::Asked(Why::Parent),
            Phase::Now(_) => Phase::Now(Why::Parent),
        };
        let child = Self::in_phase(phase);
        below.retain(|node| node.strong_count() > 0);
        below.push(Arc::downgrade(&child.0));
        child
    }

    /// Asks this node and all below it to end. The first reason stays.
    pub fn ask(&self, why: Why) {
        self.0.advance(&Phase::Asked(why));
    }

    /// Ends this node and all below it without a grace.
    pub fn now(&self, why: Why) {
        self.0.advance(&Phase::Now(why));
    }

    /// Returns how far it is.
    pub fn phase(&self) -> Phase {
        self.0.phase.borrow().clone()
    }

    /// Tells whether it is to end.
    pub fn is_asked(&self) -> bool {
        self.0.phase.borrow().rank() > 0
    }

    /// Waits until it is to end, and returns why.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn asked(&self) -> Why {
        self.reached(1).await
    }

    /// Waits until it is over: `grace` after it was asked, or at once when it ends now.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn over(&self, grace: Duration) -> Why {
        let why = self.asked().await;
        tokio::select! {
            biased;
            why = self.reached(2) => why,
            () = tokio::time::sleep(grace) => why,
        }
    }

    async fn reached(&self, rank: u8) -> Why {
        let mut seen = self.0.phase.subscribe();
        let why = match seen.wait_for(|phase| phase.rank() >= rank).await {
            Ok(phase) => phase.why().cloned(),
            Err(_) => None,
        };
        // This node holds the sender, so that it is never gone while somebody waits.
        why.unwrap_or(Why::Parent)
    }
}

impl Node {
    fn advance(&self, to: &Phase) {
        let below = {
            let below = self.below.lock().unwrap_or_else(PoisonError::into_inner);
            self.phase.send_if_modified(|phase| {
                if phase.rank() >= to.rank() {
                    return false;
                }
                *phase = match (phase.why(), to) {
                    (Some(first), Phase::Now(_)) => Phase::Now(first.clone()),
                    _ => to.clone(),
                };
                true
            });
            below.clone()
        };
        let to = match to {
            Phase::Now(_) => Phase::Now(Why::Parent),
            _ => Phase::Asked(Why::Parent),
        };
        for node in below.iter().filter_map(Weak::upgrade) {
            node.advance(&to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn a_cancellation_reaches_everything_below_and_nothing_beside() {
        let root = Cancel::default();
        let (left, right) = (root.child(), root.child());
        let leaf = left.child();
        left.ask(Why::Timeout);
        assert_eq!(leaf.phase(), Phase::Asked(Why::Parent));
        assert_eq!((right.phase(), root.phase()), (Phase::Running, Phase::Running));
        assert_eq!(left.child().phase(), Phase::Asked(Why::Parent), "made too late to run");
        root.now(Why::Person);
        assert_eq!(left.phase(), Phase::Now(Why::Timeout), "the first reason stays");
        assert_eq!(right.phase(), Phase::Now(Why::Parent));
        left.ask(Why::Sibling);
        assert_eq!(left.phase(), Phase::Now(Why::Timeout), "a phase never moves back");
    }

    #[test]
    fn whoever_waits_is_woken_once_it_is_asked_and_not_before() {
        let node = Cancel::default();
        let mut asked = Box::pin(node.asked());
        assert_eq!(asked.as_mut().now_or_never(), None);
        node.ask(Why::Person);
        assert_eq!(asked.now_or_never(), Some(Why::Person));
        assert_eq!(node.asked().now_or_never(), Some(Why::Person));
    }
}
