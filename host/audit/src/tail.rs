//! The end of a file of the log: its last whole record, found without reading the rest.

use crate::AuditError;
use crate::record::{self, GENESIS, MAX_LINE, Record};
use cap_std::fs::File;
use ringfence_capability::Digest;
use std::io::{self, Read, Seek, SeekFrom};

/// How much of the end of the file is read first: a usual record and room to spare.
const SHORT_TAIL: u64 = 4 * 1024;

/// The end of the last whole record known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    pub(crate) end: u64,
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
}

/// The beginning of the first file.
pub(crate) const START: Tail = Tail { end: 0, seq: 0, hash: GENESIS };

/// Returns the end of the last whole record in the file `name`, which is `length` long and of which
/// `known` was the last before.
pub(crate) fn find(
    file: &mut File,
    name: &str,
    known: Tail,
    length: u64,
) -> Result<Tail, AuditError> {
    if length == known.end {
        return Ok(known);
    }
    if length < known.end {
        let name = name.to_owned();
        return Err(AuditError::Shortened { name, now: length, before: known.end });
    }
    Ok(last(file, name, known.end, length)?.map_or(known, |(end, record)| Tail {
        end,
        seq: record.seq,
        hash: record.hash,
    }))
}

/// Returns the last whole record between `floor`, where a record begins, and `length`, and where it
/// ends; nothing when there is none.
pub(crate) fn last(
    file: &mut File,
    name: &str,
    floor: u64,
    length: u64,
) -> Result<Option<(u64, Record)>, AuditError> {
    let broken = || AuditError::BrokenTail { name: name.to_owned() };
    // Nearly always the last record is short and whole. Otherwise two longest lines are looked at:
    // one that is half written, and the whole one before it.
    for window in [SHORT_TAIL, 2 * MAX_LINE as u64] {
        let from = length.saturating_sub(window).max(floor);
        let bytes = read(file, from, length).map_err(|source| AuditError::Io {
            name: name.to_owned(),
            what: "read",
            source,
        })?;
        match last_line(&bytes, from == floor) {
            Some(Line { end: 0, .. }) => return Ok(None),
            Some(Line { start, end }) => {
                let record = record::open(&bytes[start..end - 1]).map_err(|_| broken())?;
                return Ok(Some((from + end as u64, record)));
            }
            None => {}
        }
    }
    Err(broken())
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
