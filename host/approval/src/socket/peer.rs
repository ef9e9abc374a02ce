//! Who is at the other end.

use super::unusable;
use crate::ApprovalError;
use rustix::fs::{CWD, readlinkat};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, geteuid};
use std::os::fd::AsFd;

/// Returns the process at the other end of `socket`, if it may take part.
///
/// # Security
/// The kernel says who it is, as of the moment of connecting or listening. A program in a sandbox
/// often has the same user id; it has a user namespace of its own, and that is refused. Where the
/// namespace of the other process cannot be seen it counts as another one.
///
/// # Errors
/// [`ApprovalError::Stranger`] when it is another user than this one or root, or in another user
/// namespace.
pub(super) fn check(socket: impl AsFd) -> Result<Pid, ApprovalError> {
    let peer = socket_peercred(socket)
        .map_err(|errno| unusable("the other end of the socket is not known", errno))?;
    let stranger = ApprovalError::Stranger { uid: peer.uid.as_raw() };
    let me = geteuid();
    if peer.uid != me {
        // Root can do whatever it wants to; nobody gets this id inside a sandbox of another user.
        return if peer.uid.is_root() { Ok(peer.pid) } else { Err(stranger) };
    }
    let mine = namespace("/proc/self/ns/user");
    let theirs = namespace(&format!("/proc/{}/ns/user", peer.pid.as_raw_nonzero()));
    if mine.is_some() && mine == theirs { Ok(peer.pid) } else { Err(stranger) }
}

fn namespace(link: &str) -> Option<Vec<u8>> {
    readlinkat(CWD, link, Vec::new()).ok().map(std::ffi::CString::into_bytes)
}
