//! Reading what is appended, across the files a log goes on in.

use crate::AuditError;
use crate::chain::{Chain, next_line};
use crate::fault::{Broken, Fault};
use crate::names::{self, Names};
use crate::record::Record;
use cap_std::fs::{Dir, File};
use fd_lock::RwLock;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

/// The most records one call returns, so that memory is bounded however long the log is.
const BATCH: usize = 256;
/// How often a file is looked for again when it is set aside meanwhile.
const ATTEMPTS: usize = 256;

/// Reads a log from some record on, and what is appended later.
pub struct Follower {
    dir: Dir,
    names: Names,
    chain: Chain,
    current: Option<Current>,
}

struct Current {
    file: RwLock<File>,
    /// The number it has or will get when it is set aside.
    number: u64,
    line: u64,
    read: u64,
}

impl Follower {
    /// Returns what reads the log whose newest file is `name` in `dir`, behind the record `after`, the
    /// last one that was read already; from the first record there is when there is none.
    ///
    /// # Errors
    /// [`AuditError::Open`].
    pub fn new(dir: &Dir, name: &str, after: Option<&Record>) -> Result<Self, AuditError> {
        let fail = |source| AuditError::Open { name: name.to_owned(), source };
        let dir = dir.try_clone().map_err(fail)?;
        let chain = after.map_or(Chain::new(), |record| Chain::behind(record.seq, record.hash));
        Ok(Self { dir, names: Names::new(name), chain, current: None })
    }

    /// Returns the records that were appended since the last call, at most a few hundred at once;
    /// none when there are none yet.
    ///
    /// # Errors
    /// [`AuditError`] when the log cannot be read.
    pub fn poll(&mut self) -> Result<Result<Vec<Record>, Broken>, AuditError> {
        let fail = |source| AuditError::Open { name: self.names.live.clone(), source };
        if self.current.is_none() {
            self.current = self.start().map_err(fail)?;
        }
        let Some(current) = &mut self.current else { return Ok(Ok(Vec::new())) };
        // Whether it was set aside is asked first: nothing is appended to it afterwards.
        let set_aside = current.is_set_aside(&self.dir, &self.names.live).map_err(fail)?;
        let records = match current.records(&mut self.chain).map_err(fail)? {
            Ok(records) => records,
            Err(what) => {
                let (file, line) = (Some(self.names.live.clone()), current.line);
                return Ok(Err(Broken { file, line, seq: Some(self.chain.seq), what }));
            }
        };
        if set_aside && records.is_empty() {
            let next = current.number.saturating_add(1);
            self.current = self.open_from(next).map_err(fail)?;
        }
        Ok(Ok(records))
    }

    /// Opens the file that the next record is in.
    fn start(&self) -> io::Result<Option<Current>> {
        let numbers = self.names.segments(&self.dir)?;
        let first = numbers.first().copied().unwrap_or(1);
        // The record before may be in a file that was set aside meanwhile.
        for number in numbers.into_iter().rev() {
            let mut file = names::open_to_read(&self.dir, &self.names.segment(number))?;
            let length = file.metadata()?.len();
            let last = crate::tail::last(&mut file, "", 0, length).ok().flatten();
            if last.is_some_and(|(_, record)| record.seq <= self.chain.seq) {
                return self.open_from(number.saturating_add(1));
            }
        }
        self.open_from(first)
    }

    /// Opens the file `number`, or the one that is written when it is not set aside yet.
    fn open_from(&self, number: u64) -> io::Result<Option<Current>> {
        let full = self.names.segment(number);
        for _ in 0..ATTEMPTS {
            let opened = match names::open_to_read(&self.dir, &full) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    names::open_to_read(&self.dir, &self.names.live)
                }
                opened => return Ok(Some(Current::new(opened?, number))),
            };
            // It may have been set aside in between, and then this is the file after it.
            match opened {
                Ok(_) if self.dir.try_exists(&full)? => {}
                Ok(file) => return Ok(Some(Current::new(file, number))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Current {
    fn new(file: File, number: u64) -> Self {
        Self { file: RwLock::new(file), number, line: 0, read: 0 }
    }

    fn is_set_aside(&self, dir: &Dir, live: &str) -> io::Result<bool> {
        let locked = self.file.read()?;
        Ok(!names::is_same(dir, live, &locked.metadata()?)?)
    }

    /// Returns the whole lines that were not read yet and are not known from before.
    fn records(&mut self, chain: &mut Chain) -> io::Result<Result<Vec<Record>, Fault>> {
        let locked = self.file.read()?;
        let length = locked.metadata()?.len();
        if length < self.read {
            return Ok(Err(Fault::HeadMissing));
        }
        let mut file = locked.try_clone()?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut reader = BufReader::new(file.take(length - self.read));
        let (mut records, mut line) = (Vec::new(), Vec::new());
        while records.len() < BATCH {
            match next_line(&mut reader, &mut line) {
                Ok(true) => {}
                // Half a line is one that a process died over; the next append repairs it.
                Ok(false) | Err(Fault::HalfWritten) => break,
                Err(fault) => return Ok(Err(fault)),
            }
            self.line += 1;
            self.read += line.len() as u64 + 1;
            match known(&line, chain) {
                Known::Before => {}
                Known::New => match chain.take(&line) {
                    Ok(record) => records.push(record),
                    Err(fault) => return Ok(Err(fault)),
                },
            }
        }
        Ok(Ok(records))
    }
}

enum Known {
    Before,
    New,
}

/// Tells whether the record in `line` was read before following began.
fn known(line: &[u8], chain: &mut Chain) -> Known {
    match crate::record::open(line) {
        Ok(record) if record.seq <= chain.seq => Known::Before,
        // A log whose older files are not read, or gone, begins here.
        Ok(record) if chain.seq == 0 => {
            *chain = Chain::behind(record.seq.saturating_sub(1), record.prev);
            Known::New
        }
        _ => Known::New,
    }
}
