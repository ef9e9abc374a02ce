//! The chain: one line after the other, each checked against the one before.

use crate::fault::Fault;
use crate::record::{self, GENESIS, MAX_LINE, Record, Unsound};
use ringfence_capability::Digest;
use std::io::{BufRead, Read};

/// What the next record has to follow.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// The number of the record before.
    pub(crate) seq: u64,
    /// Its hash; unknown behind a fault that hides it.
    pub(crate) head: Option<Digest>,
    /// How many records may be hidden behind lines that are none.
    hidden: u64,
}

impl Chain {
    /// Returns the chain before the first record.
    pub(crate) fn new() -> Self {
        Self { seq: 0, head: Some(GENESIS), hidden: 0 }
    }

    /// Returns the chain behind the record `seq`.
    pub(crate) fn behind(seq: u64, head: Digest) -> Self {
        Self { seq, head: Some(head), hidden: 0 }
    }

    /// Takes the record in `line`, and goes on behind it whether or not it is sound.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<Record, Fault> {
        let record = match record::open(line) {
            Ok(record) => record,
            Err(Unsound::Hash) => {
                *self = Self { seq: self.seq.saturating_add(1), head: None, hidden: self.hidden };
                return Err(Fault::Edited);
            }
            Err(Unsound::Form) => {
                self.unread();
                return Err(Fault::NotARecord);
            }
        };
        let next = self.seq.saturating_add(1);
        if record.seq < next {
            // What follows goes on from the record before.
            return Err(Fault::OutOfOrder { seq: record.seq });
        }
        let missing = record.seq - next;
        let follows = self.head.is_none_or(|head| record.prev == head);
        let hidden = self.hidden;
        *self = Self::behind(record.seq, record.hash);
        match missing {
            0 if follows => Ok(record),
            0 => Err(Fault::Unchained),
            1.. if missing <= hidden => Ok(record),
            1.. => Err(Fault::Missing { count: missing }),
        }
    }

    /// Goes on behind a line that is no record and may stand in the place of one.
    pub(crate) fn unread(&mut self) {
        *self = Self { seq: self.seq, head: self.head, hidden: self.hidden.saturating_add(1) };
    }
}

/// Reads the next line without its end into `line`; tells whether there was one.
pub(crate) fn next_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, Fault> {
    line.clear();
    let mut bounded = log.by_ref().take(MAX_LINE as u64 + 1);
    bounded.read_until(b'\n', line).map_err(Fault::Unreadable)?;
    if line.is_empty() {
        return Ok(false);
    }
    if line.len() > MAX_LINE {
        return Err(Fault::TooLong);
    }
    if line.pop() == Some(b'\n') { Ok(true) } else { Err(Fault::HalfWritten) }
}

/// Skips the rest of a line that is too long.
pub(crate) fn skip_line(log: &mut impl BufRead) -> Result<(), Fault> {
    loop {
        let buffer = log.fill_buf().map_err(Fault::Unreadable)?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (used, done) = match end {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        log.consume(used);
        if done {
            return Ok(());
        }
    }
}
