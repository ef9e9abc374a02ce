//! A first process forked ahead of its plan: it makes its namespaces and the part of the root that
//! every plan has while the host still decides.
//!
//! It is forked while the host has one thread and little memory, which makes the copy cheap, and
//! lets it allocate, unlike one that is cloned from a host with many threads. It holds nothing that
//! was granted and runs nothing but this: without a script, or when the host goes, it ends.

use super::base::Base;
use super::child;
use super::prepared::{Carried, Prepared};
use super::running::{self, Handle};
use super::step::Step;
use super::sys::{self, Errno};
use super::wire;
use crate::Baseline;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Forks it; nothing where that cannot be done safely or at all. Then the start itself makes the
/// first process, and says what is missing.
pub(super) fn fork() -> Option<Handle> {
    if !has_one_thread() {
        return None;
    }
    let (ours, theirs) = running::socket_pair().ok()?;
    let mut prepared = Prepared::new(theirs.as_raw_fd(), Carried::default());
    let process = running::launch(&mut prepared, run).ok()?;
    Some(Handle::new(process, ours))
}

/// Tells whether this process has one thread: the kernel counts the directories of all of them.
fn has_one_thread() -> bool {
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
}

/// The forked process's whole life.
fn run(prepared: &mut Prepared) -> ! {
    let _only_here = OnlyHere;
    let ground = |prepared: &mut Prepared| {
        let ground = Base::look(&Baseline::native()).ground(&prepared.owner);
        prepared.ground = ground.map_err(|_| Step::Layout.failed(Errno(libc::EINVAL)))?;
        Ok(())
    };
    let done = child::begin(prepared, ground).and_then(|root| {
        // When the host is gone, nobody hears it.
        let received = wire::receive_script(prepared.socket);
        let (script, carried) = received.ok_or(Step::Script.failed(Errno(libc::EPROTO)))?;
        (prepared.script, prepared.carried) = (script, carried);
        child::go_on(prepared, root)
    });
    child::finish(prepared, done)
}

/// Ends the process where a panic would go on into what the host was doing.
struct OnlyHere;

impl Drop for OnlyHere {
    fn drop(&mut self) {
        sys::exit(1);
    }
}
