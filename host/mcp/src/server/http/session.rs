//! Clients of older revisions: what each said when it began, and what it waits for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::guard::random_text;
use crate::message::Id;
use crate::server::talk::Talk;

/// The most sessions at once.
pub(super) const SESSIONS: usize = 64;
/// How long one is kept that nobody uses.
pub(super) const IDLE: Duration = Duration::from_mins(30);
/// The most requests of one session that are not answered yet.
const MAX_OPEN: usize = 256;

/// Every session by its name.
#[derive(Default)]
pub(super) struct Sessions {
    all: Mutex<HashMap<String, Arc<Session>>>,
}

/// One client.
pub(super) struct Session {
    pub(super) talk: Arc<Talk>,
    state: Mutex<State>,
}

struct State {
    open: HashMap<Id, AbortHandle>,
    /// What tells it of changes.
    listener: Option<AbortHandle>,
    used: Instant,
    over: bool,
}

/// Why a request of a session cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// Another of the same id is not answered yet.
    SameId,
    /// Too many are not.
    TooMany,
    /// The session is over.
    Over,
}

impl Sessions {
    /// Begins a session; returns its name. Nothing when there is no room: the longest unused makes
    /// room, and none that waits for something.
    pub(super) fn begin(&self, talk: Arc<Talk>) -> Option<String> {
        let name = random_text()?;
        let now = Instant::now();
        let mut all = lock(&self.all);
        all.retain(|_, session| session.unused_for(now).is_none_or(|unused| unused <= IDLE));
        if all.len() >= SESSIONS {
            let unused = all.iter().filter_map(|(name, one)| Some((one.unused_for(now)?, name)));
            let longest = unused.max().map(|(_, name)| name.clone())?;
            all.remove(&longest);
        }
        let state = State { open: HashMap::new(), listener: None, used: now, over: false };
        all.insert(name.clone(), Arc::new(Session { talk, state: Mutex::new(state) }));
        Some(name)
    }

    /// Returns a session that is not over.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Session>> {
        let session = lock(&self.all).get(name).cloned()?;
        lock(&session.state).used = Instant::now();
        Some(session)
    }

    /// Ends a session and all it waits for; tells whether there was one.
    pub(super) fn end(&self, name: &str) -> bool {
        let Some(session) = lock(&self.all).remove(name) else { return false };
        let mut state = lock(&session.state);
        state.over = true;
        state.open.values().chain(&state.listener).for_each(AbortHandle::abort);
        true
    }
}

impl Session {
    /// Returns for how long nobody used it; nothing when it waits for something.
    fn unused_for(&self, now: Instant) -> Option<Duration> {
        let state = lock(&self.state);
        let waits = !state.open.is_empty() || state.listener.is_some();
        (!waits).then(|| now.saturating_duration_since(state.used))
    }

    /// Keeps what answers a request; it is forgotten when what is returned is dropped.
    pub(super) fn opened(
        self: &Arc<Self>,
        id: &Id,
        running: impl FnOnce() -> AbortHandle,
    ) -> Result<Open, NoRoom> {
        let mut state = lock(&self.state);
        if state.over {
            return Err(NoRoom::Over);
        }
        if state.open.contains_key(id) {
            return Err(NoRoom::SameId);
        }
        if state.open.len() >= MAX_OPEN {
            return Err(NoRoom::TooMany);
        }
        state.open.insert(id.clone(), running());
        Ok(Open { session: Arc::clone(self), id: Some(id.clone()) })
    }

    /// Keeps what tells the client of changes; nothing when there is one already.
    pub(super) fn listens(self: &Arc<Self>, running: impl FnOnce() -> AbortHandle) -> Option<Open> {
        let mut state = lock(&self.state);
        if state.over || state.listener.is_some() {
            return None;
        }
        state.listener = Some(running());
        Some(Open { session: Arc::clone(self), id: None })
    }

    /// Ends what answers a request.
    pub(super) fn withdraw(&self, id: &Id) {
        if let Some(running) = lock(&self.state).open.get(id) {
            running.abort();
        }
    }
}

/// Something a session waits for, until it is dropped.
pub(super) struct Open {
    session: Arc<Session>,
    /// The request; nothing for what tells of changes.
    id: Option<Id>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = lock(&self.session.state);
        state.used = Instant::now();
        match &self.id {
            Some(id) => drop(state.open.remove(id)),
            None => state.listener = None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_unused_session_makes_room_and_none_that_waits() {
        let sessions = Sessions::default();
        let begin = || sessions.begin(Arc::default());
        let running = || tokio::spawn(std::future::pending::<()>()).abort_handle();
        let first = begin().unwrap();
        let waits = sessions.find(&first).unwrap().opened(&Id::Number(1), running).unwrap();
        let all: Vec<_> = (1..SESSIONS).map(|_| begin().unwrap()).collect();
        let next = begin().unwrap();
        assert!(sessions.find(&first).is_some() && sessions.find(&next).is_some());
        assert!(sessions.find(&all[0]).is_none() && sessions.find(&all[1]).is_some());
        drop(waits);
        assert_eq!(lock(&sessions.all).len(), SESSIONS);
        // Where all wait, there is no room.
        let busy: Vec<_> = lock(&sessions.all).values().cloned().collect();
        let held: Vec<_> = busy.iter().map(|one| one.listens(running).unwrap()).collect();
        assert_eq!(begin(), None);
        drop(held);
        assert!(begin().is_some());
    }

    #[tokio::test]
    async fn the_end_of_a_session_ends_what_it_waits_for() {
        let sessions = Sessions::default();
        let name = sessions.begin(Arc::default()).unwrap();
        let session = sessions.find(&name).unwrap();
        let task = tokio::spawn(std::future::pending::<()>());
        let _open = session.opened(&Id::Number(1), || task.abort_handle()).unwrap();
        let again = session.opened(&Id::Number(1), || panic!("it must not run"));
        assert_eq!(again.err(), Some(NoRoom::SameId));
        assert!(sessions.end(&name) && !sessions.end(&name));
        assert!(task.await.unwrap_err().is_cancelled());
        let late = session.opened(&Id::Number(2), || panic!("it must not run"));
        assert_eq!(late.err(), Some(NoRoom::Over));
    }
}
