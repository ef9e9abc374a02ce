//! What comes and goes while somebody looks.

use super::{Pending, pending, unusable};
use crate::{ApprovalError, Place};
use ringfence_capability::Digest;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use std::collections::{BTreeSet, VecDeque};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How often the directory is looked through although nothing was told: a host that was killed
/// leaves its socket behind without a word.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "a request comes, and it goes")]
pub enum Change {
    /// A request waits.
    Waiting(Box<Pending>),
    /// The request with this digest no longer waits.
    Gone(Digest),
}

/// Watches the requests that wait.
#[derive(Debug)]
pub struct Watch<'a> {
    place: &'a Place,
    events: OwnedFd,
    seen: BTreeSet<Digest>,
    changes: VecDeque<Change>,
}

impl<'a> Watch<'a> {
    /// Returns the watch over `place`. What waits already comes first.
    ///
    /// # Errors
    /// [`ApprovalError::Unusable`] when the directory cannot be watched.
    pub fn open(place: &'a Place) -> Result<Self, ApprovalError> {
        let fail = |errno| unusable("the directory of requests cannot be watched", errno);
        let events = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
            .map_err(fail)?;
        let directory = format!("/proc/self/fd/{}", place.dir().as_fd().as_raw_fd());
        let flags = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::DELETE;
        inotify::add_watch(&events, directory, flags).map_err(fail)?;
        let mut watch = Self { place, events, seen: BTreeSet::new(), changes: VecDeque::new() };
        watch.look()?;
        Ok(watch)
    }

    /// Returns what happens next within `patience`; nothing when nothing does.
    ///
    /// # Errors
    /// [`ApprovalError::Unusable`] when the directory can no longer be read.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Change>, ApprovalError> {
        let start = Instant::now();
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(Some(change));
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left.min(LOOK_AGAIN))?;
            self.look()?;
        }
    }

    fn wait(&mut self, patience: Duration) -> Result<(), ApprovalError> {
        let timeout = Timespec::try_from(patience).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.events, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(unusable("the directory cannot be waited for", errno)),
        }
        // What the events say does not matter: each makes the directory be looked through.
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        while reader.next().is_ok() {}
        Ok(())
    }

    fn look(&mut self) -> Result<(), ApprovalError> {
        let waiting = pending(self.place)?;
        let now: BTreeSet<Digest> = waiting.iter().map(|one| one.request.digest()).collect();
        self.changes.extend(self.seen.difference(&now).copied().map(Change::Gone));
        let new = waiting.into_iter().filter(|one| !self.seen.contains(&one.request.digest()));
        self.changes.extend(new.map(Box::new).map(Change::Waiting));
        self.seen = now;
        Ok(())
    }
}
