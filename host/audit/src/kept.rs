//! Copies of the checkpoints, one JSON object a line, beside the key. They are what makes it show
//! when the log is cut off at its end, or written anew.

use crate::names;
use crate::own::Checkpoint;
use cap_std::fs::{Dir, File};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

/// The longest line; a checkpoint has a quarter of it.
const MAX_KEPT: usize = 2 * 1024;

/// Adds `checkpoint` to the file `name`. The caller holds the lock of the log.
pub(crate) fn add(dir: &Dir, name: &str, checkpoint: &Checkpoint) -> io::Result<()> {
    let mut file = names::open_or_create(dir, name)?;
    let end = whole(&mut file)?;
    let mut line = serde_json::to_vec(checkpoint).map_err(io::Error::other)?;
    line.push(b'\n');
    file.seek(SeekFrom::Start(end))?;
    let written = file.write_all(&line);
    if written.is_err() {
        // What cannot be cut off here is cut off by the next one.
        let _ = file.set_len(end);
    }
    written
}

/// Cuts off a line that was written in half and returns the length.
fn whole(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(MAX_KEPT as u64);
    let mut bytes = Vec::with_capacity(MAX_KEPT);
    file.seek(SeekFrom::Start(from))?;
    file.take(MAX_KEPT as u64).read_to_end(&mut bytes)?;
    let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => from + at as u64 + 1,
        None if from == 0 => 0,
        None => return Err(io::Error::other("the copies of the checkpoints are damaged")),
    };
    if end < length {
        file.set_len(end)?;
    }
    Ok(end)
}

/// The kept checkpoints in order, each with its line.
pub(crate) struct Kept<R> {
    file: R,
    line: u64,
    done: bool,
}

/// A line that is no checkpoint.
pub(crate) struct Damaged {
    pub(crate) line: u64,
}

impl<R: BufRead> Kept<R> {
    pub(crate) fn new(file: R) -> Self {
        Self { file, line: 0, done: false }
    }

    fn read(&mut self) -> Result<Option<Checkpoint>, Damaged> {
        let damaged = Damaged { line: self.line };
        let mut bytes = Vec::new();
        let mut bounded = self.file.by_ref().take(MAX_KEPT as u64);
        match bounded.read_until(b'\n', &mut bytes) {
            Err(_) => return Err(damaged),
            // A line without its end is one that a process died over.
            Ok(_) if bytes.len() < MAX_KEPT && !bytes.ends_with(b"\n") => return Ok(None),
            Ok(_) => {}
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|_| damaged)
    }
}

impl<R: BufRead> Iterator for Kept<R> {
    type Item = Result<Checkpoint, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.line += 1;
        let read = self.read();
        self.done = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}
