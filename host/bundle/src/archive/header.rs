//! One header of a POSIX tar (ustar): the only one this format has for a name and a size.
//!
//! Reading takes name and size from a block, writes the header for them, and compares: whatever is
//! not byte for byte that header is refused, so that an archive has one encoding only.

use crate::archive::{ArchiveProblem, PathProblem};
use std::ops::Range;

/// Everything in a tar comes in blocks of this size.
pub(crate) const BLOCK: usize = 512;
/// The time of every entry: 1980-01-01, which ZIP can still express and `tar` does not warn about.
pub(crate) const MTIME: u64 = 315_532_800;

const NAME: Range<usize> = 0..100;
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const MAGIC: Range<usize> = 257..265;
const PREFIX: Range<usize> = 345..500;

/// Every field with its name; the checksum, which is compared before, is right when they all are.
const FIELDS: [(&str, Range<usize>); 16] = [
    ("name", NAME),
    ("mode", 100..108),
    ("owner", 108..116),
    ("group", 116..124),
    ("size", SIZE),
    ("time", 136..148),
    ("type", TYPE..157),
    ("link name", 157..257),
    ("magic and version", MAGIC),
    ("owner name", 265..297),
    ("group name", 297..329),
    ("major number", 329..337),
    ("minor number", 337..345),
    ("prefix", PREFIX),
    ("last bytes", 500..512),
    ("checksum", CHECKSUM),
];

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
}

/// Returns how many zero bytes follow `size` bytes, up to the end of the block.
pub(crate) fn padding(size: usize) -> usize {
    (BLOCK - size % BLOCK) % BLOCK
}

/// Returns the header of a file, or nothing when its path or size does not fit.
pub(crate) fn write(path: &str, size_bytes: u64) -> Option<[u8; BLOCK]> {
    let (prefix, name) = split(path)?;
    let mut block = [0; BLOCK];
    put(&mut block, NAME, name.as_bytes())?;
    put(&mut block, 100..108, b"0000644\0")?;
    put(&mut block, 108..116, b"0000000\0")?;
    put(&mut block, 116..124, b"0000000\0")?;
    put(&mut block, SIZE, octal(size_bytes)?.as_bytes())?;
    put(&mut block, 136..148, octal(MTIME)?.as_bytes())?;
    put(&mut block, TYPE..157, b"0")?;
    put(&mut block, MAGIC, b"ustar\x0000")?;
    put(&mut block, 329..337, b"0000000\0")?;
    put(&mut block, 337..345, b"0000000\0")?;
    put(&mut block, PREFIX, prefix.as_bytes())?;
    let checksum = checksum(&block);
    put(&mut block, CHECKSUM, format!("{checksum:06o}\0 ").as_bytes())?;
    Some(block)
}

/// Reads a header at `offset` that is not an empty block.
pub(crate) fn read(block: &[u8; BLOCK], offset: u64) -> Result<Entry, ArchiveProblem> {
    if block[CHECKSUM] != *format!("{:06o}\0 ", checksum(block)).as_bytes() {
        return Err(ArchiveProblem::Checksum { offset });
    }
    kind(block[TYPE], offset)?;
    let size_bytes = size(block, offset)?;
    let name = path(block)?;
    let canonical =
        write(&name, size_bytes).ok_or_else(|| not_canonical(offset, "name", b"a shorter path"))?;
    match FIELDS.iter().find(|(_, range)| block[range.clone()] != canonical[range.clone()]) {
        None => Ok(Entry { name, size_bytes }),
        Some((field, range)) => Err(not_canonical(offset, field, &canonical[range.clone()])),
    }
}

/// Returns the prefix and the name of a path: the shortest prefix with which the rest fits.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME.len() {
        return Some(("", path));
    }
    let from = path.len() - NAME.len() - 1;
    let at = path.get(from..)?.find('/')? + from;
    (at <= PREFIX.len()).then(|| (&path[..at], &path[at + 1..]))
}

fn put(block: &mut [u8; BLOCK], range: Range<usize>, bytes: &[u8]) -> Option<()> {
    block.get_mut(range)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(())
}

/// Returns a number as the twelve bytes of a size or a time.
fn octal(number: u64) -> Option<String> {
    let text = format!("{number:011o}\0");
    (text.len() == SIZE.len()).then_some(text)
}

/// Returns the sum of all bytes of a header, those of the checksum taken as spaces.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let spaces = u32::from(b' ') * 8;
    let all: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = block[CHECKSUM].iter().map(|byte| u32::from(*byte)).sum();
    all - own + spaces
}

/// Only plain files; every other entry is named in its refusal.
fn kind(kind: u8, offset: u64) -> Result<(), ArchiveProblem> {
    let kind = match kind {
        b'0' => return Ok(()),
        b'\0' => "a file in the form before POSIX",
        b'1' => "a hard link",
        b'2' => "a symbolic link",
        b'3' => "a character device",
        b'4' => "a block device",
        b'5' => "a directory",
        b'6' => "a FIFO",
        b'7' => "a contiguous file",
        b'x' => "an extended header (pax)",
        b'g' => "a global extended header (pax)",
        b'L' | b'K' => "a long name in the form of GNU",
        b'S' => "a sparse file in the form of GNU",
        b'D' | b'M' | b'N' | b'V' => "an extension of GNU",
        b'A'..=b'Z' => "a vendor's extension",
        _ => "of an unknown kind",
    };
    Err(ArchiveProblem::Kind { offset, kind })
}

fn size(block: &[u8; BLOCK], offset: u64) -> Result<u64, ArchiveProblem> {
    let field = &block[SIZE];
    if field[0] & 0x80 != 0 {
        return Err(ArchiveProblem::LargeSize { offset });
    }
    let digits = &field[..11];
    if field[11] != 0 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'7')) {
        return Err(not_canonical(offset, "size", b"11 octal digits and a zero byte"));
    }
    Ok(digits.iter().fold(0, |size, digit| size * 8 + u64::from(digit - b'0')))
}

/// Returns the path the two fields hold together.
fn path(block: &[u8; BLOCK]) -> Result<String, ArchiveProblem> {
    let (prefix, name) = (until_zero(&block[PREFIX]), until_zero(&block[NAME]));
    let joined = match prefix {
        [] => name.to_vec(),
        prefix => [prefix, name].join(&b'/'),
    };
    String::from_utf8(joined).map_err(|error| ArchiveProblem::Path {
        path: String::from_utf8_lossy(error.as_bytes()).into_owned(),
        problem: PathProblem::NotText,
    })
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn not_canonical(offset: u64, field: &'static str, expected: &[u8]) -> ArchiveProblem {
    let zero = expected.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let expected = expected[..zero].escape_ascii().to_string();
    ArchiveProblem::NotCanonical { offset, field, expected }
}
