//! Appending: one lock, one write, one cached tail.

use crate::AuditError;
use crate::entry::Entry;
use crate::kept;
use crate::key::SigningKey;
use crate::names::{self, Names};
use crate::own::Checkpoint;
use crate::record;
use crate::tail::{self, START, Tail};
use cap_std::fs::{Dir, File};
use fd_lock::RwLock;
use jiff::Timestamp;
use ringfence_capability::Digest;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

/// How many records there are at most between two signed checkpoints: often enough that little can be
/// cut off unnoticed, seldom enough that signing costs a run next to nothing.
pub const CHECKPOINT_EVERY: u64 = 64;
/// How large a file gets before the log goes on in the next one: what an editor still opens.
pub const ROTATE_BYTES: u64 = 64 * 1024 * 1024;

/// The log of one file. Any number of these, in any number of processes, may append to it at once.
pub struct AuditLog {
    dir: Dir,
    names: Names,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    rotate_bytes: u64,
    /// Where the key and the copies of checkpoints are; with the log when nothing is said.
    keys: Option<Dir>,
    key: OnceLock<SigningKey>,
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

/// Whether a checkpoint is written whatever the number of records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    WhenDue,
    Now,
}

/// What is to be written, one append.
struct Batch<'b> {
    entries: &'b [Entry],
    durability: Durability,
    signing: Signing,
}

/// What an append came to.
struct Written {
    bytes: Vec<u8>,
    receipts: Vec<Receipt>,
    checkpoint: Option<Checkpoint>,
}

/// How often an append looks for the file again when its name moves on. The lock is not fair: who waits
/// for it while others fill one file after another is late several times in a row.
const REOPENINGS: usize = 256;

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
        let file = RwLock::new(names::open_or_create(&dir, name).map_err(fail)?);
        Ok(Self {
            dir,
            names: Names::new(name),
            clock: Box::new(clock),
            rotate_bytes: ROTATE_BYTES,
            keys: None,
            key: OnceLock::new(),
            state: Mutex::new(State { file, tail: START }),
        })
    }

    /// Returns the same log, going on in a new file whenever one has `size_bytes` or more.
    #[must_use]
    pub fn rotating_at(self, size_bytes: u64) -> Self {
        Self { rotate_bytes: size_bytes, ..self }
    }

    /// Returns the same log, with its key and the copies of its checkpoints in `dir`.
    #[must_use]
    pub fn keys_in(self, dir: Dir) -> Self {
        Self { keys: Some(dir), ..self }
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

    /// Writes several records under one lock, with nothing in between. Every [`CHECKPOINT_EVERY`]
    /// records, and always with [`Durability::Synced`], a signed checkpoint follows.
    ///
    /// # Errors
    /// Any [`AuditError`]; then none of the actions must happen. What had reached the file is taken
    /// back, where the disk still lets it.
    pub fn append_all(
        &self,
        entries: &[Entry],
        durability: Durability,
    ) -> Result<Vec<Receipt>, AuditError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let entries: Vec<_> = entries.iter().map(Entry::neutralised).collect();
        let signing = match durability {
            Durability::Written => Signing::WhenDue,
            Durability::Synced => Signing::Now,
        };
        Ok(self.write(&Batch { entries: &entries, durability, signing })?.receipts)
    }

    /// Signs what is in the log and returns the checkpoint; nothing when the log is empty.
    ///
    /// # Errors
    /// Any [`AuditError`].
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, AuditError> {
        let (durability, signing) = (Durability::Synced, Signing::Now);
        Ok(self.write(&Batch { entries: &[], durability, signing })?.checkpoint)
    }

    /// Writes one record of the log's own and a checkpoint right behind it.
    pub(crate) fn append_own(&self, entry: Entry) -> Result<Receipt, AuditError> {
        let (durability, signing) = (Durability::Synced, Signing::Now);
        let written = self.write(&Batch { entries: &[entry], durability, signing })?;
        let gone = || self.io("write", io::Error::other("no record was made"));
        written.receipts.last().copied().ok_or_else(gone)
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    fn write(&self, batch: &Batch<'_>) -> Result<Written, AuditError> {
        // A thread that died in here left at worst a half-written line, which the next append
        // repairs.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..REOPENINGS {
            if let Some(written) = self.try_write(&mut state, batch)? {
                return Ok(written);
            }
            let name = &self.names.live;
            let file = names::open_or_create(&self.dir, name)
                .map_err(|source| AuditError::Open { name: name.clone(), source })?;
            *state = State { file: RwLock::new(file), tail: START };
        }
        Err(self
            .io("keep hold of", io::Error::other("its name is given to one file after another")))
    }

    /// Writes the records, or returns nothing when the file's name now belongs to another one:
    /// records must not go into a file that nobody finds any more.
    fn try_write(
        &self,
        state: &mut State,
        batch: &Batch<'_>,
    ) -> Result<Option<Written>, AuditError> {
        let State { file, tail } = state;
        let mut file = file.write().map_err(|source| self.io("lock", source))?;
        let metadata = file.metadata().map_err(|source| self.io("read", source))?;
        let name = &self.names.live;
        let same = names::is_same(&self.dir, name, &metadata);
        if !same.map_err(|source| self.io("find", source))? {
            return Ok(None);
        }
        let length = metadata.len();
        let mut tip = tail::find(&mut file, name, *tail, length)?;
        if self.is_full(tip, length) {
            self.set_aside()?;
            return Ok(None);
        }
        let start = tip.end;
        let written = self.lines(&mut tip, batch, length)?;
        let Some(end) = (!written.bytes.is_empty()).then_some(tip.end) else {
            return Ok(Some(written));
        };
        let whole = Span { start, end, length };
        if let Err(source) = self.put(&mut file, whole, &written, batch.durability) {
            whole.take_back(&mut file);
            return Err(self.io("write", source));
        }
        *tail = tip;
        Ok(Some(written))
    }

    fn put(
        &self,
        file: &mut File,
        span: Span,
        written: &Written,
        durability: Durability,
    ) -> io::Result<()> {
        file.seek(SeekFrom::Start(span.start))?;
        file.write_all(&written.bytes)?;
        // What is left of a half-written record has no line end: until it is cut off here it still
        // counts as half-written, so that dying in between loses nothing.
        if span.end < span.length {
            file.set_len(span.end)?;
        }
        if durability == Durability::Synced {
            file.sync_data()?;
            if cfg!(unix) && span.start == 0 {
                // The name of a new file has to last as well.
                self.dir.open(".")?.sync_all()?;
            }
        }
        match &written.checkpoint {
            Some(checkpoint) => kept::add(self.keys(), &self.names.kept(), checkpoint),
            None => Ok(()),
        }
    }

    /// Returns the bytes of all records, the receipts of the entries, and moves `tip` behind them.
    fn lines(&self, tip: &mut Tail, batch: &Batch<'_>, length: u64) -> Result<Written, AuditError> {
        let time = format!("{:.3}", (self.clock)());
        let mut bytes = Vec::with_capacity((batch.entries.len() + 1) * 512);
        let mut add = |entry: &Entry, tip: &mut Tail| -> Result<Receipt, AuditError> {
            let before = bytes.len();
            let seq = tip.seq.saturating_add(1);
            let sealed = record::seal(&mut bytes, seq, &time, entry, tip.hash);
            let hash = sealed.map_err(|source| AuditError::Encode { source })?;
            *tip = Tail { end: tip.end + (bytes.len() - before) as u64, seq, hash };
            Ok(Receipt { seq, hash })
        };
        let dropped = length - tip.end;
        if tip.end == 0
            && let Some((before, end)) = self.before()?
        {
            *tip = Tail { end: 0, ..end };
            add(&Entry::continued(&before, end.hash), tip)?;
        }
        let first = tip.seq;
        if dropped > 0 {
            add(&Entry::recovered(dropped), tip)?;
        }
        let receipts = batch.entries.iter().map(|entry| add(entry, tip));
        let receipts = receipts.collect::<Result<_, _>>()?;
        let due = first / CHECKPOINT_EVERY != tip.seq / CHECKPOINT_EVERY;
        let mut checkpoint = None;
        if tip.seq > 0 && (due || batch.signing == Signing::Now) {
            let signed = self.key()?.sign(tip.seq, tip.hash, &time);
            add(&Entry::signed(signed.clone()), tip)?;
            checkpoint = Some(signed);
        }
        Ok(Written { bytes, receipts, checkpoint })
    }

    /// Tells whether the log has to go on in a new file. What is half-written is repaired first, and
    /// where an open file cannot be given another name, there is only one.
    fn is_full(&self, tip: Tail, length: u64) -> bool {
        cfg!(unix) && tip.end > 0 && tip.end == length && length >= self.rotate_bytes
    }

    /// Gives the file the name of a full one. The next append makes a new one, and whoever holds
    /// this one notices.
    fn set_aside(&self) -> Result<(), AuditError> {
        let full = || -> io::Result<()> {
            let last = self.names.segments(&self.dir)?.last().copied().unwrap_or(0);
            let name = self.names.segment(last.saturating_add(1));
            self.dir.rename(&self.names.live, &self.dir, name)
        };
        full().map_err(|source| self.io("set aside", source))
    }

    /// Returns the name and the end of the file that a new one goes on from.
    fn before(&self) -> Result<Option<(String, Tail)>, AuditError> {
        let numbers = self.names.segments(&self.dir).map_err(|source| self.io("list", source))?;
        let Some(name) = numbers.last().map(|number| self.names.segment(*number)) else {
            return Ok(None);
        };
        let fail = |source| AuditError::Open { name: name.clone(), source };
        let mut file = names::open_to_read(&self.dir, &name).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        let end = tail::find(&mut file, &name, START, length)?;
        // A file is whole and not empty when it is set aside.
        if end.end == 0 || end.end < length {
            Err(AuditError::BrokenTail { name })
        } else {
            Ok(Some((name, end)))
        }
    }

    fn keys(&self) -> &Dir {
        self.keys.as_ref().unwrap_or(&self.dir)
    }

    fn key(&self) -> Result<&SigningKey, AuditError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let key = SigningKey::load_or_make(self.keys(), &self.names.key())?;
        Ok(self.key.get_or_init(|| key))
    }

    fn io(&self, what: &'static str, source: io::Error) -> AuditError {
        AuditError::Io { name: self.names.live.clone(), what, source }
    }
}

/// Where an append writes in a file that was `length` long.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
    length: u64,
}

impl Span {
    /// Undoes what was written, as far as the disk lets it: nothing of an append that failed stays
    /// valid. A half-written record that was to be repaired stays one, of the same length.
    fn take_back(self, file: &mut File) {
        let repairing = self.start < self.length;
        if file.set_len(self.start + u64::from(repairing)).is_ok() && repairing {
            let _ = file.set_len(self.length);
        }
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("name", &self.names.live).finish_non_exhaustive()
    }
}
