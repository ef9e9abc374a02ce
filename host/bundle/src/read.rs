//! Reads plain files below a directory, never more than a limit, never through a link.

use crate::BundleError;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use std::fs::File;
use std::io::{self, Read};

/// A file opened for reading, known to be a plain one and within its limit.
pub(crate) struct PlainFile {
    file: File,
    size_bytes: u64,
    limit: Limit,
    path: String,
}

/// The most that is read of a file, and what it is called in the refusal.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    pub(crate) bytes: u64,
}

impl PlainFile {
    /// Opens `name`, one part of a path, directly below `dir`. `path` stands in messages.
    pub(crate) fn open(
        dir: &Dir,
        name: &str,
        path: &str,
        limit: Limit,
    ) -> Result<Self, BundleError> {
        // Looked at before it is opened, because opening a device can already do something; looked at
        // again when it is open, because it can have been exchanged in between.
        plain(&metadata(dir, name, path)?, path)?;
        let file = dir.open_with(name, &options()).map_err(|source| io_error(path, source))?;
        let metadata = file.metadata().map_err(|source| io_error(path, source))?;
        plain(&metadata, path)?;
        if metadata.len() > limit.bytes {
            return Err(too_large(path, limit));
        }
        // A file of the standard library reads into memory that was not filled with zeroes before.
        let file = file.into_std();
        Ok(Self { file, size_bytes: metadata.len(), limit, path: path.to_owned() })
    }

    /// Reads the first `count` bytes, or all there are.
    pub(crate) fn head(&mut self, count: usize) -> Result<Vec<u8>, BundleError> {
        let mut head = Vec::with_capacity(count);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let read = Read::by_ref(&mut self.file).take(count).read_to_end(&mut head);
        read.map_err(|source| io_error(&self.path, source))?;
        Ok(head)
    }

    /// Returns the rest of the file as it comes; whoever reads it has limits of its own.
    pub(crate) fn into_reader(self) -> impl Read {
        self.file
    }

    /// Reads what follows `head` and returns both together.
    pub(crate) fn rest(mut self, mut head: Vec<u8>) -> Result<Vec<u8>, BundleError> {
        // The size is what the file system holds, checked against the limit; a file that grows while
        // it is read still meets the limit.
        let already = u64::try_from(head.len()).unwrap_or(u64::MAX);
        let expected = self.size_bytes.saturating_sub(already);
        head.reserve_exact(usize::try_from(expected).unwrap_or(0).saturating_add(1));
        let allowed = self.limit.bytes.saturating_sub(already).saturating_add(1);
        let read = Read::by_ref(&mut self.file).take(allowed).read_to_end(&mut head);
        read.map_err(|source| io_error(&self.path, source))?;
        if u64::try_from(head.len()).unwrap_or(u64::MAX) > self.limit.bytes {
            return Err(too_large(&self.path, self.limit));
        }
        Ok(head)
    }
}

/// Opens the directory `name`, one part of a path, below `dir`; a link is refused.
pub(crate) fn subdirectory(dir: &Dir, name: &str, path: &str) -> Result<Dir, BundleError> {
    let metadata = metadata(dir, name, path)?;
    if !metadata.is_dir() {
        let kind = if metadata.is_symlink() { "a symbolic link" } else { "no directory" };
        return Err(BundleError::NotPlain { path: path.to_owned(), kind });
    }
    dir.open_dir(name).map_err(|source| io_error(path, source))
}

/// Returns what `name` itself is, without following a link.
pub(crate) fn metadata(dir: &Dir, name: &str, path: &str) -> Result<Metadata, BundleError> {
    dir.symlink_metadata(name).map_err(|source| io_error(path, source))
}

fn plain(metadata: &Metadata, path: &str) -> Result<(), BundleError> {
    if metadata.is_file() {
        return Ok(());
    }
    let kind = match () {
        () if metadata.is_symlink() => "a symbolic link",
        () if metadata.is_dir() => "a directory",
        () => "a device, pipe or socket",
    };
    Err(BundleError::NotPlain { path: path.to_owned(), kind })
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        use rustix::fs::OFlags;
        // Without waiting: a pipe that took the place of the file must not block the host.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    options
}

fn too_large(path: &str, limit: Limit) -> BundleError {
    BundleError::TooLarge { path: path.to_owned(), what: limit.what, limit_bytes: limit.bytes }
}

fn io_error(path: &str, source: io::Error) -> BundleError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => BundleError::NotFound { path },
        _ => BundleError::Unreadable { path, source },
    }
}
