//! The person's end: what is waiting, and answering it.

use super::frame::{self, HEADER, MAX_OFFER, MAX_REPLY, Offer, Receipt, Reply};
use super::{address, peer, unusable};
use crate::{Answer, ApprovalError, Place, Prompt, Request, ShortId};
use ringfence_capability::Digest;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a host may take: it waits for nothing else.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most sockets that are looked at.
const MAX_PENDING: usize = 1_000;

/// A request that waits for an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pending {
    /// The request.
    pub request: Request,
    /// What its host adds: a pattern for `always`, and warnings.
    pub prompt: Prompt,
    /// The process that waits.
    pub process: i32,
}

/// Returns the requests that are waiting in `place`, in the order of their ids, and sweeps the sockets
/// of hosts that are gone. A host that does not answer in time, or belongs to somebody else, is
/// left out.
///
/// # Errors
/// [`ApprovalError::Unusable`] when the directory cannot be read.
pub fn pending(place: &Place) -> Result<Vec<Pending>, ApprovalError> {
    let unreadable = |error| unusable("the directory of requests cannot be read", error);
    let mut ids = Vec::new();
    for entry in place.dir().entries().map_err(unreadable)?.take(MAX_PENDING) {
        let name = entry.map_err(unreadable)?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".sock"));
        ids.extend(id.and_then(|id| id.parse::<ShortId>().ok()));
    }
    ids.sort_unstable();
    let visit = |id: &ShortId| Visit::begin(place, id).ok().map(|(_, pending)| pending);
    Ok(ids.iter().filter_map(visit).collect())
}

/// Gives `answer` to the waiting request with exactly this digest: the one that was shown.
///
/// # Errors
/// [`ApprovalError::NotWaiting`] when it no longer waits, [`ApprovalError::OtherRequest`] when
/// another one has its id, [`ApprovalError::Stranger`] and [`ApprovalError::Protocol`] when its host
/// is not one of ours.
pub fn answer(place: &Place, request: &Digest, answer: &Answer) -> Result<(), ApprovalError> {
    let id = ShortId::of(request);
    let (visit, pending) = Visit::begin(place, &id)?;
    let waiting = pending.request.digest();
    if waiting != *request {
        return Err(ApprovalError::OtherRequest { answered: *request, waiting });
    }
    visit.send(&Reply::frame(*request, answer)?)?;
    if Receipt::open(&visit.read(MAX_REPLY)?)? {
        return Ok(());
    }
    Err(ApprovalError::Protocol { why: "it does not take the answer" })
}

/// A connection to a waiting host.
struct Visit {
    socket: OwnedFd,
    until: Instant,
}

impl Visit {
    /// Connects to the host that waits with `id` and reads what it offers.
    fn begin(place: &Place, id: &ShortId) -> Result<(Self, Pending), ApprovalError> {
        let visit = Self::connect(place, id)?;
        let process = peer::check(visit.socket.as_fd())?.as_raw_nonzero().get();
        let (request, prompt) = Offer::open(&visit.read(MAX_OFFER)?)?;
        if request.short_id() != *id {
            return Err(ApprovalError::Protocol {
                why: "it waits under the id of another request",
            });
        }
        Ok((visit, Pending { request, prompt, process }))
    }

    fn connect(place: &Place, id: &ShortId) -> Result<Self, ApprovalError> {
        let name = format!("{id}.sock");
        let gone = || ApprovalError::NotWaiting { id: id.to_string() };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|errno| unusable("no socket can be made", errno))?;
        match connect(&socket, &address(place, &name)?) {
            Ok(()) => Ok(Self { socket, until: Instant::now() + PATIENCE }),
            Err(Errno::NOENT) => Err(gone()),
            Err(Errno::CONNREFUSED) => {
                // Nobody listens there: a socket has its name only while it listens. Names are
                // random, so that no other host has taken this one in the meantime.
                let _ = unlinkat(place.dir(), &name, AtFlags::empty());
                Err(gone())
            }
            Err(errno) => Err(unusable("the waiting host cannot be reached", errno)),
        }
    }

    /// Reads one frame and returns what is in it.
    fn read(&self, most: usize) -> Result<Vec<u8>, ApprovalError> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let length = frame::length(&bytes, most)?;
            if length.is_some_and(|length| bytes.len() >= length) {
                bytes.drain(..HEADER);
                return Ok(bytes);
            }
            // Never more than the frame: what comes after it belongs to the next one.
            let left = length.unwrap_or(HEADER) - bytes.len();
            let buffer = &mut buffer[..left.min(16 * 1024)];
            self.wait(PollFlags::IN)?;
            match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Err(ApprovalError::EndOfInput),
                Ok((_, count)) => bytes.extend_from_slice(&buffer[..count.min(left)]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(unusable("the waiting host cannot be heard", errno)),
            }
        }
    }

    fn send(&self, mut bytes: &[u8]) -> Result<(), ApprovalError> {
        while !bytes.is_empty() {
            self.wait(PollFlags::OUT)?;
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(unusable("the waiting host cannot be answered", errno)),
            }
        }
        Ok(())
    }

    fn wait(&self, what: PollFlags) -> Result<(), ApprovalError> {
        let left = self.until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.socket, what)], Some(&timeout)) {
            Ok(0) => Err(ApprovalError::TimedOut),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(unusable("the socket cannot be waited for", errno)),
        }
    }
}
