//! Asks over a socket, without a daemon: a host that waits offers its request in the private
//! directory, and `ringfence approvals` answers it.
//!
//! Each waiting host listens at `<state>/approvals/<short id>.sock`. Whoever connects gets one frame
//! with the request, and may send one frame with an answer, which gets a receipt. A frame is its
//! length as four bytes, most significant first, and that many bytes of JSON:
//!
//! - offer: `{"version":1,"request":"<canonical request>","pattern":[…]|null,"warnings":[…]}`,
//!   and `"detail":"…"` where there is something to look at
//! - reply: `{"version":1,"request":"sha256:…","answer":{"kind":"once"}}`
//! - receipt: `{"version":1,"accepted":true}`
//!
//! Invariants: the answer names the digest of the request that was shown, and no other is taken;
//! both ends must be the same user (or root) in the same user namespace, so that a program in a
//! sandbox never answers for a person; no peer makes the host wait longer than a few seconds, or
//! read more than `MAX_REPLY` bytes.
//!
//! Linux only: the other systems have no way here to ask who is at the other end.

mod client;
mod frame;
mod peer;
mod waiter;
mod watch;

pub use client::{Pending, answer, pending};
pub use waiter::SocketApprover;
pub use watch::{Change, Watch};

use crate::{ApprovalError, Place};
use rustix::net::SocketAddrUnix;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Returns the address of `name` in the private directory, however long the directory's path is.
fn address(place: &Place, name: &str) -> Result<SocketAddrUnix, ApprovalError> {
    let directory = place.dir().as_fd().as_raw_fd();
    SocketAddrUnix::new(format!("/proc/self/fd/{directory}/{name}"))
        .map_err(|errno| unusable("the socket cannot be named", errno))
}

fn unusable(what: &'static str, source: impl Into<io::Error>) -> ApprovalError {
    ApprovalError::Unusable { what, source: Some(source.into()) }
}
