//! The host's end: offers one request to everybody who connects, and takes the first answer to it.

use super::frame::{self, HEADER, MAX_REPLY, Offer, Receipt, Reply};
use super::{address, peer, unusable};
use crate::{Answer, ApprovalError, Approver, Channel, Place, Prompt, Request};
use ringfence_capability::Digest;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, bind, listen, recv,
    send, socket_with,
};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most that are connected at once; the rest wait in the queue.
const MAX_GUESTS: usize = 16;
/// How long each may stay: whoever wants to think connects again.
const STAY: Duration = Duration::from_secs(5);
/// The longest wait: a request never holds for as long.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// How many may wait in the queue.
const QUEUE: i32 = 32;

/// Asks whoever runs `ringfence approvals`.
#[derive(Debug, Clone)]
pub struct SocketApprover {
    place: Arc<Place>,
}

impl SocketApprover {
    /// Returns the approver whose requests wait in `place`.
    pub fn new(place: Arc<Place>) -> Self {
        Self { place }
    }
}

impl Approver for SocketApprover {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        let offer = Offer::frame(request, prompt)?;
        let door = Door::open(&self.place, request)?;
        Reception { door: &door, offer, waiting: request.digest(), guests: Vec::new() }
            .wait(Instant::now() + prompt.patience.min(LONGEST))
    }

    fn channel(&self) -> Channel {
        Channel::Socket
    }
}

/// The socket and its name, which goes when the wait is over.
struct Door<'a> {
    place: &'a Place,
    socket: OwnedFd,
    name: String,
}

impl<'a> Door<'a> {
    /// The socket gets its name when it listens: one that does not answer is dead, and swept.
    fn open(place: &'a Place, request: &Request) -> Result<Self, ApprovalError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|errno| unusable("no socket can be made", errno))?;
        let (name, before) =
            (format!("{}.sock", request.short_id()), format!(".{}", request.short_id()));
        let dir = place.dir();
        bind(&socket, &address(place, &before)?)
            .map_err(|errno| unusable("the socket cannot be given a name", errno))?;
        let named = listen(&socket, QUEUE)
            .and_then(|()| renameat_with(dir, &before, dir, &name, RenameFlags::NOREPLACE));
        named.map_err(|errno| {
            // What cannot be removed is swept later.
            let _ = unlinkat(dir, &before, AtFlags::empty());
            unusable("the socket cannot be given its name", errno)
        })?;
        Ok(Self { place, socket, name })
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        // What cannot be removed is swept later.
        let _ = unlinkat(self.place.dir(), &self.name, AtFlags::empty());
    }
}

struct Reception<'a> {
    door: &'a Door<'a>,
    offer: Vec<u8>,
    waiting: Digest,
    guests: Vec<Guest>,
}

/// One connection: first the offer goes out, then a reply comes in.
struct Guest {
    socket: OwnedFd,
    sent: usize,
    read: Vec<u8>,
    until: Instant,
}

/// What became of a connection.
enum Visit {
    Stays,
    Left,
    Answered(Answer),
}

impl Reception<'_> {
    fn wait(mut self, deadline: Instant) -> Result<Answer, ApprovalError> {
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Err(ApprovalError::TimedOut);
            }
            self.guests.retain(|guest| guest.until > now);
            let next = self.guests.iter().map(|guest| guest.until).fold(deadline, Instant::min);
            let ready = self.poll(next.saturating_duration_since(now))?;
            let guests = std::mem::take(&mut self.guests);
            for (mut guest, ready) in guests.into_iter().zip(&ready[1..]) {
                let visit =
                    if *ready { guest.serve(&self.offer, self.waiting) } else { Visit::Stays };
                match visit {
                    Visit::Stays => self.guests.push(guest),
                    Visit::Left => {}
                    Visit::Answered(answer) => return Ok(answer),
                }
            }
            if ready[0] {
                self.admit();
            }
        }
    }

    /// Returns for the door and then for each guest whether there is something to do.
    fn poll(&self, patience: Duration) -> Result<Vec<bool>, ApprovalError> {
        let room = self.guests.len() < MAX_GUESTS;
        let at_door = if room { PollFlags::IN } else { PollFlags::empty() };
        let mut all = vec![PollFd::new(&self.door.socket, at_door)];
        all.extend(self.guests.iter().map(|guest| {
            let sending = guest.sent < self.offer.len();
            PollFd::new(&guest.socket, if sending { PollFlags::OUT } else { PollFlags::IN })
        }));
        // A wait of less than a clock tick must not become none at all.
        let patience = patience + Duration::from_millis(1);
        let timeout = Timespec::try_from(patience).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut all, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(all.iter().map(|fd| !fd.revents().is_empty()).collect()),
            Err(errno) => Err(unusable("the socket cannot be waited for", errno)),
        }
    }

    /// Lets in whoever may answer; a stranger is shown nothing.
    fn admit(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        if let Ok(socket) = accept_with(&self.door.socket, flags)
            && peer::check(socket.as_fd()).is_ok()
        {
            let until = Instant::now() + STAY;
            self.guests.push(Guest { socket, sent: 0, read: Vec::new(), until });
        }
    }
}

impl Guest {
    fn serve(&mut self, offer: &[u8], waiting: Digest) -> Visit {
        if self.sent < offer.len() {
            match send(&self.socket, &offer[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Visit::Left,
            }
            return Visit::Stays;
        }
        let mut buffer = [0; 16 * 1024];
        match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((0, _)) => return Visit::Left,
            Ok((count, _)) => self.read.extend_from_slice(&buffer[..count]),
            Err(Errno::AGAIN | Errno::INTR) => return Visit::Stays,
            Err(_) => return Visit::Left,
        }
        match frame::length(&self.read, MAX_REPLY) {
            Ok(None) => Visit::Stays,
            Ok(Some(length)) if self.read.len() < length => Visit::Stays,
            Ok(Some(length)) if self.read.len() == length => self.decide(waiting),
            Ok(Some(_)) | Err(_) => Visit::Left,
        }
    }

    fn decide(&self, waiting: Digest) -> Visit {
        let answer = Reply::open(&self.read[HEADER..], waiting);
        if let Ok(receipt) = Receipt::frame(answer.is_ok()) {
            // It is a courtesy: the answer counts whether or not it arrives.
            let _ = send(&self.socket, &receipt, SendFlags::NOSIGNAL);
        }
        answer.map_or(Visit::Left, Visit::Answered)
    }
}
