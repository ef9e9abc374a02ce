//! The person's terminal: lent to the program for the run, taken back at the end.
//!
//! It is lent when standard input and output both lead to it and the host is in its foreground.
//! The program then is a process group of its own in the foreground: Ctrl-C reaches it and not the
//! host, which lives on to clean up. It cannot type for the person (`TIOCSTI` is filtered) and not
//! signal the host (another process namespace, Landlock). In every other case the sandbox is a
//! session of its own without a terminal, and Ctrl-C reaches the host alone, whose end is the
//! sandbox's.

use super::sys::process;
use crate::Stdio;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// A terminal that is lent.
pub(super) struct Terminal {
    descriptor: OwnedFd,
    foreground: i32,
    settings: Option<libc::termios>,
    devices: Vec<PathBuf>,
}

impl Terminal {
    /// Returns the terminal if it is to be lent.
    pub(super) fn to_lend(stdio: &[Stdio; 3]) -> Option<Self> {
        if !matches!(stdio, [Stdio::Inherit, Stdio::Inherit, _]) {
            return None;
        }
        let input = std::io::stdin();
        let devices = |fd: RawFd| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok();
        let device = devices(0).filter(|device| Some(device) == devices(1).as_ref())?;
        // SAFETY: both calls only ask; a descriptor that is no terminal answers -1.
        let (foreground, own) = unsafe { (libc::tcgetpgrp(0), libc::getpgrp()) };
        if foreground != own {
            return None;
        }
        let descriptor = rustix::io::fcntl_dupfd_cloexec(input.as_fd(), 3).ok()?;
        let settings = settings(descriptor.as_raw_fd());
        let mut devices = vec![PathBuf::from("/dev/tty")];
        if device.starts_with("/dev") && !devices.contains(&device) {
            devices.push(device);
        }
        Some(Self { descriptor, foreground, settings, devices })
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Returns the devices by which the program reaches it.
    pub(super) fn devices(&self) -> Vec<PathBuf> {
        self.devices.clone()
    }

    /// Takes the terminal back; after a violent end also its settings, as a shell would.
    pub(super) fn take_back(self, violent: bool) {
        // A background process that touches its terminal is stopped, unless this is blocked.
        let Ok(before) = process::block_signals(process::ALL_SIGNALS) else { return };
        let _ = process::set_foreground(self.descriptor(), self.foreground);
        if let (true, Some(settings)) = (violent, self.settings) {
            // SAFETY: `settings` came from the same terminal and is only read.
            unsafe { libc::tcsetattr(self.descriptor(), libc::TCSADRAIN, &raw const settings) };
        }
        let _ = process::block_signals(before);
    }
}

fn settings(fd: RawFd) -> Option<libc::termios> {
    let mut settings = MaybeUninit::uninit();
    // SAFETY: `tcgetattr` fills the structure when it answers 0.
    unsafe { (libc::tcgetattr(fd, settings.as_mut_ptr()) == 0).then(|| settings.assume_init()) }
}
