//! The packed form of a plugin: a deterministic tar whose files are all named, with their digests,
//! in `SHA256SUMS`; or the same files as a directory.
//!
//! Nothing is parsed as a manifest here and no signature is checked: [`Sealed`] means that the files
//! are exactly the listed ones. Invariants: a bundle has one encoding (what [`read`] accepts,
//! [`Sealed::write`] writes byte for byte), nothing is written to disk, memory grows with the bytes
//! that are really there and never with what a header claims, and no input makes this module panic.
//!
//! Start with [`read`]; `docs/reference/bundle-format.md` has the format byte for byte.

mod error;
mod header;
mod limits;
mod names;
mod read;
mod sums;
mod tree;

use crate::PackedFile;
use crate::archive::names::Paths;
use ringfence_capability::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub use error::{ArchiveError, ArchiveProblem, PathProblem};
pub use limits::{
    MAX_ARCHIVE_BYTES, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_PART_BYTES, MAX_PATH_BYTES,
    MAX_SIGNATURE_BYTES, MAX_SIGNATURES, MAX_SUMS_BYTES, MAX_TOTAL_BYTES,
};
pub use names::{is_signature, key_of_signature};
pub use read::read;
pub use tree::{is_sealed, read_files, read_tree};

/// The list of all files with their digests, in the format of `sha256sum`.
pub const SUMS_FILE: &str = "SHA256SUMS";
/// The signature of [`SUMS_FILE`], when there is one signer.
pub const SIGNATURE_FILE: &str = "SHA256SUMS.minisig";

/// Every file of a bundle, checked against its `SHA256SUMS`. No signature was checked and nothing was
/// parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    display: String,
    sums: Vec<u8>,
    digest: Digest,
    signatures: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, File>,
}

/// The content of a listed file, with the digest it was found to have.
#[derive(Clone, PartialEq, Eq)]
struct File {
    digest: Digest,
    bytes: Vec<u8>,
}

impl Sealed {
    /// Returns the digest of the bundle: the SHA-256 of its `SHA256SUMS`.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns `SHA256SUMS` verbatim: what signatures are over.
    pub fn sums(&self) -> &[u8] {
        &self.sums
    }

    /// Returns the signature files with their names, sorted by name.
    pub fn signatures(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.signatures.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Returns a listed file.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|file| file.bytes.as_slice())
    }

    /// Returns the digest of a listed file.
    pub fn file_digest(&self, path: &str) -> Option<Digest> {
        self.files.get(path).map(|file| file.digest)
    }

    /// Returns the listed files with their paths, sorted by bytes.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, file)| (path.as_str(), file.bytes.as_slice()))
    }

    /// Returns how the operator named it; for messages.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Returns the bundle with these files, `SHA256SUMS` and signatures among them: the same checks
    /// as reading an archive.
    ///
    /// # Errors
    /// When a path, a size or the list is wrong, or a file is not what the list says.
    pub fn from_files(
        mut files: BTreeMap<String, Vec<u8>>,
        display: &str,
    ) -> Result<Self, ArchiveError> {
        let fail = |problem| ArchiveError::refused(display, problem);
        let Some(text) = files.remove(SUMS_FILE) else {
            return Err(fail(ArchiveProblem::NoSums));
        };
        let mut builder = Builder::new(display, text)?;
        let (signatures, files): (BTreeMap<_, _>, BTreeMap<_, _>) =
            files.into_iter().partition(|(name, _)| is_signature(name));
        for (name, bytes) in signatures.into_iter().chain(files) {
            builder.entry(&name)?;
            let digest = Digest::from_bytes(Sha256::digest(&bytes).into());
            builder.add(name, digest, bytes)?;
        }
        builder.finish()
    }

    /// Returns the bundle with one signature file more; one of that name is replaced.
    ///
    /// # Errors
    /// When `name` is no name of a signature, it is too large, or there are too many.
    pub fn with_signature(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, ArchiveError> {
        let fail = |problem| Err(ArchiveError::refused(&self.display, problem));
        if !is_signature(name) {
            return fail(ArchiveProblem::ReservedName { path: name.to_owned() });
        }
        if bytes.len() as u64 > MAX_SIGNATURE_BYTES {
            let limit_bytes = MAX_SIGNATURE_BYTES;
            return fail(ArchiveProblem::FileTooLarge { path: name.to_owned(), limit_bytes });
        }
        if !self.signatures.contains_key(name) && self.signatures.len() >= MAX_SIGNATURES {
            return fail(ArchiveProblem::TooManySignatures { limit: MAX_SIGNATURES });
        }
        self.signatures.insert(name.to_owned(), bytes);
        Ok(self)
    }

    /// Returns the bundle without its signatures.
    #[must_use]
    pub fn without_signatures(mut self) -> Self {
        self.signatures.clear();
        self
    }

    /// Writes the `.rfz`: the same files give the same bytes on every machine.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        entry(out, SUMS_FILE, &self.sums)?;
        for (name, bytes) in self.signatures().chain(self.files()) {
            entry(out, name, bytes)?;
        }
        out.write_all(&[0; 2 * header::BLOCK])
    }

    /// Returns every listed file with its size and digest.
    pub(crate) fn listed(&self) -> impl Iterator<Item = PackedFile> {
        self.files.iter().map(|(path, file)| PackedFile {
            path: path.clone(),
            size_bytes: file.bytes.len() as u64,
            digest: file.digest,
        })
    }

    /// Takes one file out, without a copy.
    pub(crate) fn take(&mut self, path: &str) -> Option<(Digest, Vec<u8>)> {
        self.files.remove(path).map(|file| (file.digest, file.bytes))
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<_> = self.files.keys().chain(self.signatures.keys()).collect();
        f.debug_struct("Sealed")
            .field("digest", &self.digest)
            .field("files", &files)
            .finish_non_exhaustive()
    }
}

/// Makes a bundle of these files: writes their `SHA256SUMS`. It has no signature.
///
/// # Errors
/// When a path cannot stand in a bundle, or a limit is reached.
pub fn seal(files: BTreeMap<String, Vec<u8>>, display: &str) -> Result<Sealed, ArchiveError> {
    for path in files.keys() {
        let path = || path.clone();
        let problem = match names::check(&path()) {
            Err(problem) => ArchiveProblem::Path { path: path(), problem },
            Ok(()) if names::is_reserved(&path()) => ArchiveProblem::ReservedName { path: path() },
            Ok(()) => continue,
        };
        return Err(ArchiveError::refused(display, problem));
    }
    let digests = files.iter().map(|(path, bytes)| (path.as_str(), sha256(bytes)));
    let mut all = BTreeMap::from([(SUMS_FILE.to_owned(), sums::write(digests))]);
    all.extend(files);
    Sealed::from_files(all, display)
}

/// Collects the files of a bundle in the order they come, and checks each against the list.
pub(crate) struct Builder<'d> {
    display: &'d str,
    sums: Vec<u8>,
    listed: BTreeMap<String, Digest>,
    paths: Paths,
    total_bytes: u64,
    signatures: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, File>,
}

impl<'d> Builder<'d> {
    /// Begins with the content of `SHA256SUMS`.
    pub(crate) fn new(display: &'d str, sums: Vec<u8>) -> Result<Self, ArchiveError> {
        let fail = |problem| ArchiveError::refused(display, problem);
        if sums.len() as u64 > MAX_SUMS_BYTES {
            let (path, limit_bytes) = (SUMS_FILE.to_owned(), MAX_SUMS_BYTES);
            return Err(fail(ArchiveProblem::FileTooLarge { path, limit_bytes }));
        }
        let listed = sums::parse(&sums).map_err(fail)?;
        let total_bytes = sums.len() as u64;
        Ok(Self {
            display,
            sums,
            listed,
            paths: Paths::default(),
            total_bytes,
            signatures: BTreeMap::new(),
            files: BTreeMap::new(),
        })
    }

    /// Checks that `name` may come next, before its content is looked at, and returns the most bytes
    /// it may have.
    pub(crate) fn entry(&mut self, name: &str) -> Result<u64, ArchiveError> {
        let fail = |problem| Err(ArchiveError::refused(self.display, problem));
        if let Err(problem) = self.paths.add(name) {
            return fail(problem);
        }
        let limit = if is_signature(name) {
            if self.signatures.len() >= MAX_SIGNATURES {
                return fail(ArchiveProblem::TooManySignatures { limit: MAX_SIGNATURES });
            }
            MAX_SIGNATURE_BYTES
        } else if names::is_reserved(name) {
            return fail(ArchiveProblem::ReservedName { path: name.to_owned() });
        } else if !self.listed.contains_key(name) {
            return fail(ArchiveProblem::NotListed { path: name.to_owned() });
        } else {
            MAX_FILE_BYTES
        };
        Ok(limit.min(MAX_TOTAL_BYTES.saturating_sub(self.total_bytes)))
    }

    /// Says why a file with more bytes than [`Builder::entry`] returned is refused.
    pub(crate) fn too_large(&self, name: &str) -> ArchiveError {
        let own = if is_signature(name) { MAX_SIGNATURE_BYTES } else { MAX_FILE_BYTES };
        let problem = if MAX_TOTAL_BYTES.saturating_sub(self.total_bytes) < own {
            ArchiveProblem::TooLarge { limit_bytes: MAX_TOTAL_BYTES }
        } else {
            ArchiveProblem::FileTooLarge { path: name.to_owned(), limit_bytes: own }
        };
        ArchiveError::refused(self.display, problem)
    }

    /// Takes a file that [`Builder::entry`] let pass.
    pub(crate) fn add(
        &mut self,
        name: String,
        digest: Digest,
        bytes: Vec<u8>,
    ) -> Result<(), ArchiveError> {
        let most = if is_signature(&name) { MAX_SIGNATURE_BYTES } else { MAX_FILE_BYTES };
        let size = bytes.len() as u64;
        if size > most || size > MAX_TOTAL_BYTES.saturating_sub(self.total_bytes) {
            return Err(self.too_large(&name));
        }
        self.total_bytes = self.total_bytes.saturating_add(size);
        if is_signature(&name) {
            self.signatures.insert(name, bytes);
            return Ok(());
        }
        match self.listed.get(&name) {
            Some(expected) if *expected == digest => {}
            expected => {
                let expected = expected.copied();
                let problem = ArchiveProblem::Changed { path: name, expected, found: digest };
                return Err(ArchiveError::refused(self.display, problem));
            }
        }
        self.files.insert(name, File { digest, bytes });
        Ok(())
    }

    /// Ends: every listed file must have come.
    pub(crate) fn finish(self) -> Result<Sealed, ArchiveError> {
        if let Some(path) = self.listed.keys().find(|path| !self.files.contains_key(*path)) {
            let problem = ArchiveProblem::Missing { path: path.clone() };
            return Err(ArchiveError::refused(self.display, problem));
        }
        let digest = sha256(&self.sums);
        let Self { display, sums, signatures, files, .. } = self;
        Ok(Sealed { display: display.to_owned(), sums, digest, signatures, files })
    }
}

fn entry(out: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    let Some(head) = header::write(name, bytes.len() as u64) else {
        // Names and sizes were checked when the bundle was made.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path that tar cannot hold"));
    };
    out.write_all(&head)?;
    out.write_all(bytes)?;
    out.write_all(&[0; header::BLOCK][..header::padding(bytes.len())])
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
