//! Reading a log that went through several files, as it was at one moment.

use crate::AuditError;
use crate::chain::{Chain, next_line, skip_line};
use crate::fault::{Broken, Fault};
use crate::names::{self, Names};
use crate::record::Record;
use cap_std::fs::{Dir, File};
use fd_lock::RwLock;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Take};

/// How often the file that is written is looked for again when it is set aside meanwhile.
const ATTEMPTS: usize = 256;

/// The files of a log, as they were at one moment.
#[derive(Debug)]
pub struct LogFiles {
    dir: Dir,
    names: Names,
    numbers: Vec<u64>,
    live: Option<(File, u64)>,
}

impl LogFiles {
    /// Returns the files of the log whose newest one is `name` in `dir`. Whoever is writing is waited
    /// for, so that no record is seen in half.
    ///
    /// # Errors
    /// [`AuditError::Open`] and [`AuditError::Io`].
    pub fn find(dir: &Dir, name: &str) -> Result<Self, AuditError> {
        let fail = |source| AuditError::Open { name: name.to_owned(), source };
        let names = Names::new(name);
        for _ in 0..ATTEMPTS {
            let dir = dir.try_clone().map_err(fail)?;
            let file = match names::open_to_read(&dir, name) {
                Ok(file) => RwLock::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let numbers = names.segments(&dir).map_err(fail)?;
                    return Ok(Self { dir, names, numbers, live: None });
                }
                Err(error) => return Err(fail(error)),
            };
            let read = || -> io::Result<Option<(u64, Vec<u64>)>> {
                let locked = file.read()?;
                let metadata = locked.metadata()?;
                let same = names::is_same(&dir, name, &metadata)?;
                Ok(if same { Some((metadata.len(), names.segments(&dir)?)) } else { None })
            };
            if let Some((length, numbers)) = read().map_err(fail)? {
                let live = Some((file.into_inner(), length));
                return Ok(Self { dir, names, numbers, live });
            }
        }
        Err(fail(io::Error::other("it is set aside again and again")))
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.live.as_ref().is_none_or(|(_, length)| *length == 0)
    }

    /// Returns the names of the files, the oldest first.
    pub fn names(&self) -> Vec<String> {
        let full = self.numbers.iter().map(|number| self.names.segment(*number));
        full.chain(self.live.as_ref().map(|_| self.names.live.clone())).collect()
    }

    /// Returns the records in order, each checked; the first fault is the last item.
    pub fn into_records(self) -> LogRecords {
        LogRecords::new(self)
    }
}

/// The records of a log in order, across its files.
#[derive(Debug)]
pub struct LogRecords {
    dir: Dir,
    names: Names,
    waiting: VecDeque<Waiting>,
    current: Option<Current>,
    chain: Chain,
    done: bool,
    buffer: Vec<u8>,
    /// What was before the first record, when that is not the first one ever written.
    pub(crate) origin: Option<(u64, ringfence_capability::Digest)>,
    first: bool,
    first_file: Option<String>,
    /// Whether a file is missing in front of the next record.
    gap: bool,
}

/// A file that was not reached yet.
#[derive(Debug)]
enum Waiting {
    Full(u64),
    Missing(u64),
    Live(File, u64),
}

#[derive(Debug)]
struct Current {
    name: String,
    before: Option<String>,
    line: u64,
    reader: BufReader<Take<File>>,
}

impl LogRecords {
    fn new(files: LogFiles) -> Self {
        let LogFiles { dir, names, numbers, live } = files;
        let mut waiting = VecDeque::new();
        let mut expected = numbers.first().copied();
        for number in numbers {
            // One entry stands for a whole gap: a number can be as large as its name allows.
            if expected.is_some_and(|expected| expected < number) {
                waiting.extend(expected.map(Waiting::Missing));
            }
            waiting.push_back(Waiting::Full(number));
            expected = number.checked_add(1);
        }
        waiting.extend(live.map(|(file, length)| Waiting::Live(file, length)));
        let (chain, buffer) = (Chain::new(), Vec::new());
        Self {
            dir,
            names,
            waiting,
            current: None,
            chain,
            done: false,
            buffer,
            origin: None,
            first: true,
            first_file: None,
            gap: false,
        }
    }

    /// Returns the line that was read last and the file it is in.
    pub(crate) fn place(&self) -> (Option<String>, u64) {
        let current = self.current.as_ref();
        (current.map(|at| at.name.clone()), current.map_or(0, |at| at.line))
    }

    /// Returns the file the first record is in.
    pub(crate) fn first_file(&self) -> Option<String> {
        self.first_file.clone()
    }

    /// Returns the number of the last record that was read.
    pub(crate) fn seq(&self) -> u64 {
        self.chain.seq
    }

    /// Returns the next record. Behind a fault it goes on as well as can be, until nothing is left.
    pub(crate) fn advance(&mut self) -> Option<Result<Record, Broken>> {
        loop {
            let Some(current) = &mut self.current else {
                match self.open_next()? {
                    Ok(()) => continue,
                    Err(broken) => return Some(Err(broken)),
                }
            };
            match next_line(&mut current.reader, &mut self.buffer) {
                Ok(false) if self.waiting.is_empty() => return None,
                Ok(false) => match self.open_next()? {
                    Ok(()) => {}
                    Err(broken) => return Some(Err(broken)),
                },
                Ok(true) => {
                    current.line += 1;
                    return Some(self.check());
                }
                Err(fault) => {
                    current.line += 1;
                    return Some(Err(self.unreadable(fault)));
                }
            }
        }
    }

    fn check(&mut self) -> Result<Record, Broken> {
        if std::mem::take(&mut self.first)
            && let Ok(record) = crate::record::open(&self.buffer)
            && record.seq > 1
        {
            // Whether it may begin here is decided when all of it was read.
            self.chain = Chain::behind(record.seq - 1, record.prev);
            self.origin = Some((record.seq - 1, record.prev));
            self.first_file = self.place().0;
        }
        if std::mem::take(&mut self.gap)
            && let Ok(record) = crate::record::open(&self.buffer)
        {
            // That the records are missing was told with their file.
            self.chain = Chain::behind(record.seq.saturating_sub(1), record.prev);
        }
        let expected = self.chain.seq.saturating_add(1);
        self.chain.take(&self.buffer).map_err(|what| {
            let what = self.missing_file(&what).unwrap_or(what);
            self.broken(expected, what)
        })
    }

    /// Returns that a file is missing when this line begins a file and names another one before it
    /// than the one there is.
    fn missing_file(&self, what: &Fault) -> Option<Fault> {
        let current = self.current.as_ref().filter(|current| current.line == 1)?;
        let record = match what {
            Fault::Missing { .. } | Fault::Unchained => crate::record::open(&self.buffer).ok()?,
            _ => return None,
        };
        let name = record.entry.continues()?.file.clone();
        (current.before.as_ref() != Some(&name)).then_some(Fault::FileMissing { name })
    }

    fn unreadable(&mut self, fault: Fault) -> Broken {
        let expected = self.chain.seq.saturating_add(1);
        let current = self.current.as_mut().map(|current| &mut current.reader);
        let skipped = match (&fault, current) {
            (Fault::TooLong, Some(reader)) => skip_line(reader),
            _ => Ok(()),
        };
        self.chain.unread();
        let end = matches!(fault, Fault::Unreadable(_)) || skipped.is_err();
        let broken = self.broken(expected, fault);
        if end {
            self.waiting.clear();
            self.current = None;
        }
        broken
    }

    fn broken(&self, seq: u64, what: Fault) -> Broken {
        let (file, line) = self.place();
        Broken { file, line, seq: Some(seq), what }
    }

    /// Goes on to the next file.
    fn open_next(&mut self) -> Option<Result<(), Broken>> {
        let before = self.current.as_ref().map(|current| current.name.clone());
        let fault = |name: String, what| Broken { file: Some(name), line: 0, seq: None, what };
        let (name, file, length) = match self.waiting.pop_front()? {
            Waiting::Live(file, length) => (self.names.live.clone(), file, length),
            Waiting::Missing(number) => {
                let name = self.names.segment(number);
                self.gap = true;
                return Some(Err(fault(name.clone(), Fault::FileMissing { name })));
            }
            Waiting::Full(number) => {
                let name = self.names.segment(number);
                match names::open_to_read(&self.dir, &name) {
                    Ok(file) => (name, file, u64::MAX),
                    Err(source) => return Some(Err(fault(name, Fault::Unreadable(source)))),
                }
            }
        };
        let reader = BufReader::new(file.take(length));
        self.current = Some(Current { name, before, line: 0, reader });
        Some(Ok(()))
    }
}

impl Iterator for LogRecords {
    type Item = Result<Record, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
