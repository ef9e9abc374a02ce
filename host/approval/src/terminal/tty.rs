//! A real terminal.

use super::Terminal;
use crate::ApprovalError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, isatty, tcflush, tcgetpgrp, tcgetwinsize};
use std::fs::File;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

/// The longest answer; every word offered is shorter.
const MAX_ANSWER: usize = 256;

/// A terminal device that is open for reading and writing, such as `/dev/tty`.
#[derive(Debug)]
pub struct Tty(File);

impl Tty {
    /// Returns the terminal behind `file`.
    ///
    /// # Errors
    /// [`ApprovalError::Unusable`] when it is no terminal: nobody would see the question.
    pub fn new(file: File) -> Result<Self, ApprovalError> {
        if isatty(&file) { Ok(Self(file)) } else { Err(unusable("it is not a terminal", None)) }
    }
}

impl Terminal for Tty {
    fn discard_input(&mut self) -> Result<(), ApprovalError> {
        // In the background another program has the keyboard, and reading would stop this one.
        let front = tcgetpgrp(&self.0);
        let front = front.map_err(|e| unusable("it is not the terminal of this host", Some(e)))?;
        if front != rustix::process::getpgrp() {
            return Err(unusable("this host runs in the background of the terminal", None));
        }
        tcflush(&self.0, QueueSelector::IFlush)
            .map_err(|e| unusable("what was typed before cannot be thrown away", Some(e)))
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())?;
        self.0.flush()
    }

    fn read_line(&mut self, patience: Duration) -> Result<String, ApprovalError> {
        let start = Instant::now();
        let mut line = Vec::with_capacity(MAX_ANSWER);
        while !line.contains(&b'\n') && !line.contains(&b'\r') {
            if line.len() >= MAX_ANSWER {
                return Err(ApprovalError::NotUnderstood);
            }
            if !wait(&self.0, patience.saturating_sub(start.elapsed()))? {
                continue;
            }
            let mut buffer = [0; MAX_ANSWER];
            match rustix::io::read(&self.0, &mut buffer) {
                // The second is a terminal that was hung up.
                Ok(0) | Err(Errno::IO) => return Err(ApprovalError::EndOfInput),
                Ok(count) => line.extend_from_slice(&buffer[..count.min(MAX_ANSWER)]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(unusable("the terminal cannot be read", Some(errno))),
            }
        }
        let end = line.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(line.len());
        line.truncate(end);
        String::from_utf8(line).map_err(|_| ApprovalError::NotUnderstood)
    }

    fn width(&self) -> usize {
        tcgetwinsize(&self.0)
            .map_or(80, |size| if size.ws_col == 0 { 80 } else { size.ws_col.into() })
    }
}

/// Waits until there is something to read; false when a signal came first.
fn wait(file: &File, patience: Duration) -> Result<bool, ApprovalError> {
    let timeout = Timespec::try_from(patience).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
        Ok(0) => Err(ApprovalError::TimedOut),
        Ok(_) => Ok(true),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(unusable("the terminal cannot be waited for", Some(errno))),
    }
}

fn unusable(what: &'static str, errno: Option<Errno>) -> ApprovalError {
    ApprovalError::Unusable { what, source: errno.map(io::Error::from) }
}
