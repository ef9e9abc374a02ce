//! Reads the packed form, byte by byte as it comes.

use crate::archive::header::{self, BLOCK};
use crate::archive::{
    ArchiveError, ArchiveProblem, Builder, MAX_SUMS_BYTES, PathProblem, SUMS_FILE, Sealed,
    is_signature, names,
};
use crate::sniff::{self, Found};
use ringfence_capability::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};

/// How much is read at once; small enough to be hashed while it is in the cache of the processor.
const CHUNK: usize = 64 * 1024;

/// Reads a bundle. `display` is how the operator named it.
///
/// # Errors
/// When it is no bundle, not the one encoding of its files, beyond a limit, or its files are not the
/// listed ones. Nothing was written anywhere.
///
/// # Security
/// Memory grows with the bytes that came, never with a size in a header. What is returned has no
/// file that the list does not name. Who made the list was not checked.
pub fn read(reader: impl Read, display: &str) -> Result<Sealed, ArchiveError> {
    let mut tar = Tar { reader, display, offset: 0, chunk: vec![0; CHUNK] };
    let first = tar.first()?;
    if first.name != SUMS_FILE {
        names::check(&first.name).map_err(|problem| tar.path(&first.name, problem))?;
        return Err(tar.fail(ArchiveProblem::NoSums));
    }
    if first.size_bytes > MAX_SUMS_BYTES {
        let (path, limit_bytes) = (first.name, MAX_SUMS_BYTES);
        return Err(tar.fail(ArchiveProblem::FileTooLarge { path, limit_bytes }));
    }
    let (_, sums) = tar.content(&first)?;
    let mut builder = Builder::new(display, sums)?;
    let mut last: Option<String> = None;
    while let Some(entry) = tar.next()? {
        if entry.name == SUMS_FILE {
            return Err(tar.fail(ArchiveProblem::Duplicate { path: entry.name }));
        }
        let limit = builder.entry(&entry.name)?;
        if let Some(wanted) = last.as_deref().and_then(|last| misplaced(last, &entry.name)) {
            return Err(tar.fail(ArchiveProblem::Order { path: entry.name, wanted }));
        }
        if entry.size_bytes > limit {
            return Err(builder.too_large(&entry.name));
        }
        let (digest, bytes) = tar.content(&entry)?;
        last = Some(entry.name.clone());
        builder.add(entry.name, digest, bytes)?;
    }
    tar.end()?;
    builder.finish()
}

/// Says why `name` cannot come after `last`.
fn misplaced(last: &str, name: &str) -> Option<&'static str> {
    match (is_signature(last), is_signature(name)) {
        (false, true) => Some("signatures come before all other files"),
        (true, false) => None,
        _ => (last >= name).then_some("files are sorted by the bytes of their paths"),
    }
}

struct Tar<'d, R> {
    reader: R,
    display: &'d str,
    offset: u64,
    chunk: Vec<u8>,
}

impl<R: Read> Tar<'_, R> {
    /// Reads the first header; says what the file is instead when it is no tar.
    fn first(&mut self) -> Result<header::Entry, ArchiveError> {
        let mut block = [0; BLOCK];
        let count = self.fill(&mut block)?;
        let head = &block[..count];
        let path = || self.display.to_owned();
        match sniff::sniff(head) {
            Found::Tar if count == BLOCK => {}
            Found::Tar => return Err(self.truncated("the first header")),
            Found::Compressed => {
                return Err(ArchiveError::Compressed { path: path(), how: compression(head) });
            }
            found => return Err(ArchiveError::WrongKind { path: path(), found }),
        }
        header::read(&block, 0).map_err(|problem| self.fail(problem))
    }

    /// Reads the next header; nothing when the archive ends here.
    fn next(&mut self) -> Result<Option<header::Entry>, ArchiveError> {
        let (at, mut block) = (self.offset, [0; BLOCK]);
        match self.fill(&mut block)? {
            0 => Err(self.fail(ArchiveProblem::NoEnd { offset: at })),
            BLOCK if block == [0; BLOCK] => Ok(None),
            BLOCK => header::read(&block, at).map(Some).map_err(|problem| self.fail(problem)),
            _ => Err(self.truncated("a header")),
        }
    }

    /// Reads the content of a file, and the padding after it.
    fn content(&mut self, entry: &header::Entry) -> Result<(Digest, Vec<u8>), ArchiveError> {
        let (mut bytes, mut hash) = (Vec::new(), Sha256::new());
        let mut left = entry.size_bytes;
        let mut chunk = std::mem::take(&mut self.chunk);
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let read = self.fill(&mut chunk[..want])?;
            if read < want {
                return Err(self.truncated(&entry.name));
            }
            hash.update(&chunk[..want]);
            bytes.extend_from_slice(&chunk[..want]);
            left -= want as u64;
        }
        self.chunk = chunk;
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..header::padding(bytes.len())];
        if self.fill(padding)? < padding.len() {
            return Err(self.truncated(&entry.name));
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(self.fail(ArchiveProblem::Padding { path: entry.name.clone() }));
        }
        Ok((Digest::from_bytes(hash.finalize().into()), bytes))
    }

    /// Reads the second empty block, after which there is nothing.
    fn end(&mut self) -> Result<(), ArchiveError> {
        let (at, mut block) = (self.offset, [0; BLOCK]);
        if self.fill(&mut block)? < BLOCK || block != [0; BLOCK] {
            return Err(self.fail(ArchiveProblem::NoEnd { offset: at }));
        }
        let at = self.offset;
        match self.fill(&mut block[..1])? {
            0 => Ok(()),
            _ => Err(self.fail(ArchiveProblem::Trailing { offset: at })),
        }
    }

    /// Reads until `buffer` is full or nothing more comes; returns how much came.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count.min(buffer.len() - filled),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ArchiveError::Unreadable { path: self.display.to_owned(), source });
                }
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    fn truncated(&self, inside: &str) -> ArchiveError {
        let inside = ringfence_capability::text::brief(inside, 160);
        self.fail(ArchiveProblem::Truncated { offset: self.offset, inside })
    }

    fn path(&self, path: &str, problem: PathProblem) -> ArchiveError {
        self.fail(ArchiveProblem::Path { path: path.to_owned(), problem })
    }

    fn fail(&self, problem: ArchiveProblem) -> ArchiveError {
        ArchiveError::refused(self.display, problem)
    }
}

/// Returns the tool that made a compressed file.
fn compression(head: &[u8]) -> &'static str {
    match head {
        [0x28, ..] => "zstd",
        [0xfd, ..] => "xz",
        [b'B', ..] => "bzip2",
        _ => "gzip",
    }
}
