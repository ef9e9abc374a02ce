//! Checking a log: the chain, the signatures, and that nothing is missing at either end.

use crate::AuditError;
use crate::chain::{Chain, next_line};
use crate::fault::{Broken, Fault};
use crate::files::{LogFiles, LogRecords};
use crate::kept::{Damaged, Kept};
use crate::key::PublicKey;
use crate::names::{self, Names};
use crate::own::{Checkpoint, RECOVERED};
use crate::record::Record;
use cap_std::fs::{Dir, File};
use ringfence_capability::Digest;
use std::io::{BufRead, BufReader, Read as _, Take};
use std::iter::Peekable;

/// The most faults a report lists: whoever wants to know more has the files.
pub const MAX_FAULTS: usize = 32;

/// What a log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many records of decisions and effects; what the log wrote for its own sake apart.
    pub records: u64,
    /// How many of them stand for a half-written one.
    pub recovered: u64,
    /// The hash of the last record; nothing when there is none. Kept elsewhere, it is what makes a
    /// cut at the end noticeable.
    pub head: Option<Digest>,
    /// How many signed checkpoints.
    pub checkpoints: u64,
    /// The number of the last record that is signed for.
    pub signed_through: Option<u64>,
    /// The number of the last record.
    pub last_seq: u64,
    /// How many records at the beginning were pruned.
    pub pruned: u64,
    /// How many files.
    pub files: u64,
    /// How many copies of checkpoints there are beside the key.
    pub kept: u64,
}

/// What checking a log came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// What it holds, as far as it is readable.
    pub summary: Summary,
    /// Where it is not what was written, in order; at most [`MAX_FAULTS`].
    pub faults: Vec<Broken>,
    /// How many more there are.
    pub unlisted: u64,
}

/// Checks every record of `log`, one file that begins with the first record ever written, and the
/// chain between them. With `expect_head`, the hash of some record known to have been written, it
/// also notices when the log was cut off before that record. Signatures are not checked, see
/// [`Verifier`].
///
/// # Errors
/// [`Broken`], naming the first line that is wrong.
///
/// # Security
/// Whoever can write the file can compute the whole chain anew. Against that only a hash kept
/// elsewhere helps: pass it as `expect_head`.
pub fn verify(log: impl BufRead, expect_head: Option<Digest>) -> Result<Summary, Broken> {
    let mut summary = Summary { files: 1, ..Summary::default() };
    let mut wanted = expect_head;
    for record in Records::new(log) {
        let record = record?;
        summary.count(&record);
        wanted = wanted.filter(|hash| *hash != record.hash);
    }
    match wanted {
        Some(_) => {
            let line = summary.last_seq + 1;
            Err(Broken { file: None, line, seq: Some(line), what: Fault::HeadMissing })
        }
        None => Ok(summary),
    }
}

impl Summary {
    fn count(&mut self, record: &Record) {
        self.records += u64::from(!record.entry.is_own());
        self.recovered += u64::from(record.entry.operation == RECOVERED);
        self.head = Some(record.hash);
        self.last_seq = record.seq;
        if let Some(checkpoint) = &record.entry.checkpoint {
            self.checkpoints += 1;
            self.signed_through = Some(checkpoint.seq);
        }
    }
}

/// The records of one file that begins with the first record ever written, each checked; ends after
/// the first fault.
#[derive(Debug)]
pub struct Records<R> {
    log: R,
    line: u64,
    chain: Chain,
    buffer: Vec<u8>,
    done: bool,
}

impl<R: BufRead> Records<R> {
    /// Returns the records of `log`.
    pub fn new(log: R) -> Self {
        Self { log, line: 0, chain: Chain::new(), buffer: Vec::new(), done: false }
    }

    fn read(&mut self) -> Result<Option<Record>, Fault> {
        if next_line(&mut self.log, &mut self.buffer)? {
            self.chain.take(&self.buffer).map(Some)
        } else {
            Ok(None)
        }
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
        let broken = |what| Broken { file: None, line: self.line, seq: Some(self.line), what };
        read.map_err(broken).transpose()
    }
}

/// Checks a log with all of its files and signatures.
pub struct Verifier<'d> {
    dir: &'d Dir,
    keys_dir: &'d Dir,
    names: Names,
    keys: Vec<PublicKey>,
    head: Option<Digest>,
}

impl<'d> Verifier<'d> {
    /// Returns what checks the log whose newest file is `name` in `dir`.
    pub fn new(dir: &'d Dir, name: &str) -> Self {
        Self { dir, keys_dir: dir, names: Names::new(name), keys: Vec::new(), head: None }
    }

    /// Returns the same, looking for the key and the copies of checkpoints in `dir`.
    #[must_use]
    pub fn keys_in(self, dir: &'d Dir) -> Self {
        Self { keys_dir: dir, ..self }
    }

    /// Returns the same, believing the signatures of `key` as well as those of the log's own key.
    #[must_use]
    pub fn trusting(mut self, key: PublicKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Returns the same, expecting the log to have a record with this hash.
    #[must_use]
    pub fn expecting(self, head: Digest) -> Self {
        Self { head: Some(head), ..self }
    }

    /// Checks the log.
    ///
    /// # Errors
    /// An [`AuditError`] when it cannot be read or the key cannot be used. What is wrong with it is
    /// in the report.
    ///
    /// # Security
    /// Whoever can read the key and write the files can write all of it anew. Then a checkpoint or a
    /// head that was kept elsewhere is what shows it.
    pub fn run(self) -> Result<Report, AuditError> {
        self.run_seeing(|_| {})
    }

    /// As [`Verifier::run`], showing each readable record to `see` in the order of the log.
    ///
    /// # Errors
    /// As [`Verifier::run`].
    pub fn run_seeing(mut self, mut see: impl FnMut(&Record)) -> Result<Report, AuditError> {
        // The copies are looked at first: each is about records that are in the log already.
        let kept = self.kept()?;
        let files = LogFiles::find(self.dir, &self.names.live)?;
        let key = PublicKey::of_log(self.keys_dir, &self.names.live)?;
        self.keys.extend(key);
        let summary = Summary { files: files.names().len() as u64, ..Summary::default() };
        let report = Report { summary, faults: Vec::new(), unlisted: 0 };
        let copies = Copies { kept: kept.map(|file| Kept::new(BufReader::new(file)).peekable()) };
        let mut check =
            Check { verifier: &self, report, copies, head: self.head, excused: false, last: None };
        let mut records = files.into_records();
        while let Some(record) = records.advance() {
            match record {
                Ok(record) => {
                    see(&record);
                    check.record(&records, record);
                }
                Err(broken) => check.fault(broken),
            }
        }
        check.end(&records);
        Ok(check.report)
    }

    fn kept(&self) -> Result<Option<Take<File>>, AuditError> {
        let name = self.names.kept();
        let opened = names::open_to_read(self.keys_dir, &name).and_then(|file| {
            let length = file.metadata()?.len();
            Ok(file.take(length))
        });
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(AuditError::Open { name, source }),
        }
    }

    fn judge(&self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        match self.keys.iter().find(|key| key.id() == checkpoint.key) {
            None => Err(Fault::UnknownKey { key: checkpoint.key }),
            Some(key) if key.signed(checkpoint) => Ok(()),
            Some(_) => Err(Fault::BadSignature),
        }
    }
}

/// The copies of checkpoints, read along with the log.
struct Copies {
    kept: Option<Peekable<Kept<BufReader<Take<File>>>>>,
}

impl Copies {
    /// Returns the next copy when it is about a record up to `seq`.
    fn next_up_to(&mut self, seq: u64) -> Option<Result<Checkpoint, Damaged>> {
        let due = |copy: &Result<Checkpoint, Damaged>| copy.as_ref().map_or(true, |c| c.seq <= seq);
        self.kept.as_mut()?.next_if(due)
    }
}

/// A check under way.
struct Check<'v> {
    verifier: &'v Verifier<'v>,
    report: Report,
    copies: Copies,
    /// The hash that was not found yet.
    head: Option<Digest>,
    /// Whether a signed record says that what is missing at the beginning was pruned.
    excused: bool,
    last: Option<Record>,
}

impl Check<'_> {
    fn fault(&mut self, broken: Broken) {
        if self.report.faults.len() < MAX_FAULTS {
            self.report.faults.push(broken);
        } else {
            self.report.unlisted += 1;
        }
    }

    fn fault_at(&mut self, records: &LogRecords, what: Fault) {
        let (file, line) = records.place();
        self.fault(Broken { file, line, seq: Some(records.seq()), what });
    }

    fn record(&mut self, records: &LogRecords, record: Record) {
        self.report.summary.count(&record);
        self.head = self.head.filter(|head| *head != record.hash);
        if let Some(checkpoint) = &record.entry.checkpoint {
            self.checkpoint(records, &record, checkpoint);
        }
        self.compare(records, &record);
        self.last = Some(record);
    }

    fn checkpoint(&mut self, records: &LogRecords, record: &Record, checkpoint: &Checkpoint) {
        let about_last = checkpoint.head == record.prev
            && checkpoint.seq.checked_add(1) == Some(record.seq)
            && checkpoint.time == record.time;
        let judged =
            if about_last { self.verifier.judge(checkpoint) } else { Err(Fault::BadSignature) };
        if let Err(what) = judged {
            return self.fault_at(records, what);
        }
        // Only what is signed for right away excuses a missing beginning.
        let pruned = self.last.as_ref().and_then(|last| last.entry.pruned.as_ref());
        if let (Some(pruned), Some((seq, hash))) = (pruned, records.origin) {
            // Less is gone when a process died while it removed the files.
            self.excused |= seq < pruned.through || (seq, hash) == (pruned.through, pruned.hash);
        }
    }

    /// Compares `record` with the copies of the checkpoints that are about it.
    fn compare(&mut self, records: &LogRecords, record: &Record) {
        while let Some(copy) = self.copies.next_up_to(record.seq) {
            let Ok(copy) = copy.map_err(|damaged| self.damaged(&damaged)) else { continue };
            self.report.summary.kept += 1;
            if copy.seq == record.seq && copy.head != record.hash {
                match self.verifier.judge(&copy) {
                    Ok(()) => self.fault_at(records, Fault::Rewritten { time: copy.time }),
                    Err(_) => self.copy_damaged(copy.seq),
                }
            }
        }
    }

    fn damaged(&mut self, damaged: &Damaged) {
        let file = Some(self.verifier.names.kept());
        self.fault(Broken { file, line: damaged.line, seq: None, what: Fault::CopyDamaged });
    }

    fn copy_damaged(&mut self, seq: u64) {
        let file = Some(self.verifier.names.kept());
        self.fault(Broken { file, line: 0, seq: Some(seq), what: Fault::CopyDamaged });
    }

    fn end(&mut self, records: &LogRecords) {
        self.beginning(records);
        self.ending(records);
        if self.head.is_some() {
            let (file, line) = records.place();
            let seq = Some(records.seq().saturating_add(1));
            self.fault(Broken { file, line: line + 1, seq, what: Fault::HeadMissing });
        }
    }

    /// Reports a beginning that is missing and was not pruned.
    fn beginning(&mut self, records: &LogRecords) {
        match records.origin {
            Some((count, _)) if self.excused => self.report.summary.pruned = count,
            Some((count, _)) => {
                let (file, seq) = (records.first_file(), count.saturating_add(1));
                let what = Fault::BeginningMissing { count };
                let broken = Broken { file, line: 1, seq: Some(seq), what };
                // It is the first that is wrong, whenever it was found.
                self.report.faults.insert(0, broken);
                if self.report.faults.len() > MAX_FAULTS {
                    self.report.faults.pop();
                    self.report.unlisted += 1;
                }
            }
            None => {}
        }
    }

    /// Reports records that are gone from the end.
    fn ending(&mut self, records: &LogRecords) {
        let mut gone: Option<Checkpoint> = None;
        while let Some(copy) = self.copies.next_up_to(u64::MAX) {
            let Ok(copy) = copy.map_err(|damaged| self.damaged(&damaged)) else { continue };
            self.report.summary.kept += 1;
            if copy.seq <= self.report.summary.last_seq {
                continue;
            }
            match self.verifier.judge(&copy) {
                Ok(()) => gone = Some(copy),
                Err(_) => self.copy_damaged(copy.seq),
            }
        }
        if let Some(Checkpoint { seq, time, .. }) = gone {
            let (file, line) = records.place();
            let next = Some(records.seq().saturating_add(1));
            let what = Fault::Truncated { seq, time };
            self.fault(Broken { file, line: line + 1, seq: next, what });
        }
    }
}
