//! Reading the log: checking the chain, and finding records.

use crate::entry::Decision;
use crate::record::{self, GENESIS, MAX_LINE, RECOVERED, Record, Unsound};
use ringfence_capability::{Class, Diagnostic, Digest};
use std::io::{self, BufRead, Read};

/// What a sound log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many records.
    pub records: u64,
    /// How many of them stand for a half-written one.
    pub recovered: u64,
    /// The hash of the last record; nothing when there is none. Kept elsewhere, it is what makes a
    /// cut at the end noticeable.
    pub head: Option<Digest>,
}

/// The first place where a log is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("the audit log is broken at line {line}")]
#[non_exhaustive]
pub struct Broken {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    #[source]
    pub what: Fault,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The line does not have the form of a record.
    #[error("it is not a record")]
    NotARecord,
    /// The record was edited.
    #[error("the record was changed after it was written")]
    Edited,
    /// Records are missing in front of this one.
    #[error("{count} records before it are missing")]
    Missing {
        /// How many.
        count: u64,
    },
    /// The record stands too late, or a second time.
    #[error("record {seq} stands here a second time or out of order")]
    OutOfOrder {
        /// Its number.
        seq: u64,
    },
    /// The record does not follow the one before it.
    #[error("it does not follow the record before it, which was put in or replaced")]
    Unchained,
    /// The last line has no end.
    #[error("the record is only half written; the next one appended will repair it")]
    HalfWritten,
    /// The line is longer than any record.
    #[error("the line is longer than any record")]
    TooLong,
    /// The record that was known to be there is not.
    #[error("the log ends without the record that is known to have been written")]
    HeadMissing,
    /// The log cannot be read on.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
}

impl Diagnostic for Broken {
    fn code(&self) -> &'static str {
        match self.what {
            Fault::HalfWritten => "audit::half-written",
            Fault::Unreadable(_) => "audit::unreadable",
            _ => "audit::tampered",
        }
    }

    fn class(&self) -> Class {
        match self.what {
            Fault::Unreadable(_) => Class::Internal,
            _ => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self.what {
            Fault::Unreadable(_) => return None,
            Fault::HalfWritten => {
                "a process died while writing; the next record repairs it and says so"
            }
            _ => "keep the file as evidence by moving it aside; a new one is begun",
        };
        Some(text.to_owned())
    }
}

/// Checks every record of `log` and the chain between them. With `expect_head`, the hash of some
/// record known to have been written, it also notices when the log was cut off before that record.
///
/// # Errors
/// [`Broken`], naming the first line that is wrong.
///
/// # Security
/// Whoever can write the file can compute the whole chain anew. Against that only a hash kept
/// elsewhere helps: pass it as `expect_head`.
pub fn verify(log: impl BufRead, expect_head: Option<Digest>) -> Result<Summary, Broken> {
    let mut summary = Summary { records: 0, recovered: 0, head: None };
    let mut wanted = expect_head;
    for record in Records::new(log) {
        let record = record?;
        summary.records += 1;
        summary.recovered += u64::from(record.entry.operation == RECOVERED);
        summary.head = Some(record.hash);
        wanted = wanted.filter(|hash| *hash != record.hash);
    }
    match wanted {
        Some(_) => Err(Broken { line: summary.records + 1, what: Fault::HeadMissing }),
        None => Ok(summary),
    }
}

/// The records of a log in order, each checked; ends after the first fault.
#[derive(Debug)]
pub struct Records<R> {
    log: R,
    line: u64,
    head: Digest,
    done: bool,
}

impl<R: BufRead> Records<R> {
    /// Returns the records of `log`, which begins with the first one ever written.
    pub fn new(log: R) -> Self {
        Self { log, line: 0, head: GENESIS, done: false }
    }

    fn read(&mut self) -> Result<Option<Record>, Fault> {
        let mut bytes = Vec::new();
        let mut bounded = self.log.by_ref().take(MAX_LINE as u64 + 1);
        bounded.read_until(b'\n', &mut bytes).map_err(Fault::Unreadable)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() > MAX_LINE {
            return Err(Fault::TooLong);
        }
        let line = bytes.strip_suffix(b"\n").ok_or(Fault::HalfWritten)?;
        let record = record::open(line).map_err(|unsound| match unsound {
            Unsound::Form => Fault::NotARecord,
            Unsound::Hash => Fault::Edited,
        })?;
        if record.seq > self.line {
            return Err(Fault::Missing { count: record.seq - self.line });
        }
        if record.seq < self.line {
            return Err(Fault::OutOfOrder { seq: record.seq });
        }
        if record.prev != self.head {
            return Err(Fault::Unchained);
        }
        self.head = record.hash;
        Ok(Some(record))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<Record, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.line += 1;
        let read = self.read();
        self.done = !matches!(read, Ok(Some(_)));
        read.map_err(|what| Broken { line: self.line, what }).transpose()
    }
}

/// Which records to show; what is not set matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this run.
    pub run: Option<String>,
    /// Only of plugins of this name.
    pub plugin: Option<String>,
    /// Only so decided.
    pub decision: Option<Decision>,
    /// Only this operation.
    pub operation: Option<String>,
}

impl Filter {
    /// Tells whether `record` is one of those to show.
    pub fn matches(&self, record: &Record) -> bool {
        let entry = &record.entry;
        let plugin = entry.plugin.as_ref().map(|plugin| plugin.name.as_str());
        self.run.as_ref().is_none_or(|run| entry.run.as_ref() == Some(run))
            && self.plugin.as_ref().is_none_or(|name| plugin == Some(name))
            && self.decision.is_none_or(|decision| entry.decision == Some(decision))
            && self.operation.as_ref().is_none_or(|operation| entry.operation == *operation)
    }
}
