//! Appending: one lock, one write, one cached tail.

use crate::AuditError;
use crate::entry::Entry;
use crate::record::{self, GENESIS, MAX_LINE};
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use fd_lock::RwLock;
use jiff::Timestamp;
use ringfence_capability::Digest;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

/// The log of one file. Any number of these, in any number of processes, may append to it at once.
pub struct AuditLog {
    dir: Dir,
    name: String,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    state: Mutex<State>,
}

/// What a written record can be cited by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its number.
    pub seq: u64,
    /// Its hash; as long as somebody keeps it, nothing up to it can vanish unnoticed.
    pub hash: Digest,
}

/// When an append counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Durability {
    /// When the operating system has it: survives the end of the process.
    Written,
    /// When the disk has it: survives a power failure. For actions of the high rail.
    Synced,
}

struct State {
    file: RwLock<File>,
    tail: Tail,
}

/// The end of the last whole record known.
#[derive(Clone, Copy)]
struct Tail {
    end: u64,
    seq: u64,
    hash: Digest,
}

/// How much of the end of the file is read first: a usual record and room to spare.
const SHORT_TAIL: u64 = 4 * 1024;

/// How often an append looks for the file again when its name moves on: log rotation does it once.
const REOPENINGS: usize = 4;

const START: Tail = Tail { end: 0, seq: 0, hash: GENESIS };

impl AuditLog {
    /// Returns the log in the file `name` of `dir`, which is created when absent. `clock` tells the
    /// time of each record.
    ///
    /// # Errors
    /// [`AuditError::Open`].
    pub fn open(
        dir: &Dir,
        name: &str,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, AuditError> {
        let fail = |source| AuditError::Open { name: name.to_owned(), source };
        let dir = dir.try_clone().map_err(fail)?;
        let file = RwLock::new(open_file(&dir, name).map_err(fail)?);
        let state = Mutex::new(State { file, tail: START });
        Ok(Self { dir, name: name.to_owned(), clock: Box::new(clock), state })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// Any [`AuditError`]; then the action the record is about must not happen.
    pub fn append(&self, entry: &Entry) -> Result<Receipt, AuditError> {
        let receipts = self.append_all(std::slice::from_ref(entry), Durability::Written)?;
        let gone = || self.io("write", io::Error::other("no record was made"));
        receipts.last().copied().ok_or_else(gone)
    }

    /// Writes several records under one lock, with nothing in between.
    ///
    /// # Errors
    /// Any [`AuditError`]; then none of the actions must happen. Records that did reach the file
    /// stay.
    pub fn append_all(
        &self,
        entries: &[Entry],
        durability: Durability,
    ) -> Result<Vec<Receipt>, AuditError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        // A thread that died in here left at worst a half-written line, which the next append
        // repairs.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..REOPENINGS {
            if let Some(receipts) = self.try_append(&mut state, entries, durability)? {
                return Ok(receipts);
            }
            let file = open_file(&self.dir, &self.name);
            let file =
                file.map_err(|source| AuditError::Open { name: self.name.clone(), source })?;
            *state = State { file: RwLock::new(file), tail: START };
        }
        Err(self
            .io("keep hold of", io::Error::other("its name is given to one file after another")))
    }

    /// Writes the records, or returns nothing when the file's name now belongs to another one:
    /// records must not go into a file that nobody finds any more.
    fn try_append(
        &self,
        state: &mut State,
        entries: &[Entry],
        durability: Durability,
    ) -> Result<Option<Vec<Receipt>>, AuditError> {
        let State { file, tail } = state;
        let mut file = file.write().map_err(|source| self.io("lock", source))?;
        let metadata = file.metadata().map_err(|source| self.io("read", source))?;
        if !is_same(&self.dir, &self.name, &metadata).map_err(|source| self.io("find", source))? {
            return Ok(None);
        }
        let length = metadata.len();
        let mut tip = self.tip(&mut file, *tail, length)?;
        let start = tip.end;
        let (bytes, receipts) = self.lines(&mut tip, entries, length)?;
        let write = |file: &mut File| -> io::Result<()> {
            file.seek(SeekFrom::Start(start))?;
            file.write_all(&bytes)?;
            // What is left of a half-written record has no line end: until it is cut off here it
            // still counts as half-written, so that dying in between loses nothing.
            if tip.end < length {
                file.set_len(tip.end)?;
            }
            if durability == Durability::Synced { file.sync_data() } else { Ok(()) }
        };
        write(&mut file).map_err(|source| self.io("write", source))?;
        *tail = tip;
        Ok(Some(receipts))
    }

    /// Returns the bytes of all records, the receipts of `entries`, and moves `tip` behind them.
    fn lines(
        &self,
        tip: &mut Tail,
        entries: &[Entry],
        length: u64,
    ) -> Result<(Vec<u8>, Vec<Receipt>), AuditError> {
        let time = format!("{:.3}", (self.clock)());
        let mut bytes = Vec::with_capacity(entries.len() * 512);
        let mut add = |entry: &Entry, tip: &mut Tail| -> Result<Receipt, AuditError> {
            let before = bytes.len();
            let seq = tip.seq.saturating_add(1);
            let sealed = record::seal(&mut bytes, seq, &time, &entry.neutralised(), tip.hash);
            let hash = sealed.map_err(|source| AuditError::Encode { source })?;
            *tip = Tail { end: tip.end + (bytes.len() - before) as u64, seq, hash };
            Ok(Receipt { seq, hash })
        };
        if tip.end < length {
            add(&Entry::recovered(length - tip.end), tip)?;
        }
        let receipts = entries.iter().map(|entry| add(entry, tip)).collect::<Result<_, _>>()?;
        Ok((bytes, receipts))
    }

    /// Returns the end of the last whole record in the file, of which `known` was the last before.
    fn tip(&self, file: &mut File, known: Tail, length: u64) -> Result<Tail, AuditError> {
        if length == known.end {
            return Ok(known);
        }
        if length < known.end {
            let name = self.name.clone();
            return Err(AuditError::Shortened { name, now: length, before: known.end });
        }
        // Nearly always the last record is short and whole. Otherwise two longest lines are looked
        // at: one that is half written, and the whole one before it.
        for window in [SHORT_TAIL, 2 * MAX_LINE as u64] {
            let from = length.saturating_sub(window).max(known.end);
            let bytes = read(file, from, length).map_err(|source| self.io("read", source))?;
            match last_line(&bytes, from == known.end) {
                Some(Line { end: 0, .. }) => return Ok(known),
                Some(Line { start, end }) => {
                    let record = record::open(&bytes[start..end - 1]).map_err(|_| self.broken())?;
                    return Ok(Tail { end: from + end as u64, seq: record.seq, hash: record.hash });
                }
                None => {}
            }
        }
        Err(self.broken())
    }

    fn broken(&self) -> AuditError {
        AuditError::BrokenTail { name: self.name.clone() }
    }

    fn io(&self, what: &'static str, source: io::Error) -> AuditError {
        AuditError::Io { name: self.name.clone(), what, source }
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a line lies: its first byte, and the one after its line end.
struct Line {
    start: usize,
    end: usize,
}

/// Returns the last whole line, an empty one when there is none; nothing when it may begin before
/// `bytes` do. `whole` tells that `bytes` begin with a line.
fn last_line(bytes: &[u8], whole: bool) -> Option<Line> {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return whole.then_some(Line { start: 0, end: 0 });
    };
    let start = bytes[..end].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let start = start.or(whole.then_some(0))?;
    Some(Line { start, end: end + 1 })
}

/// Reads the part of the file from `from` to `to`.
fn read(file: &mut File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(to - from).unwrap_or(0).saturating_add(1));
    file.seek(SeekFrom::Start(from))?;
    file.take(to - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_file(dir: &Dir, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = dir.open_with(name, &options)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

#[cfg(unix)]
fn is_same(dir: &Dir, name: &str, mine: &Metadata) -> io::Result<bool> {
    use cap_std::fs::MetadataExt;
    match dir.metadata(name) {
        Ok(named) => Ok((named.dev(), named.ino()) == (mine.dev(), mine.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open file keeps its name on the other systems.
#[cfg(not(unix))]
fn is_same(_: &Dir, _: &str, _: &Metadata) -> io::Result<bool> {
    Ok(true)
}
