//! Writes files whole or not at all.

use std::io::Write as _;
use std::path::Path;

use crate::error::CliError;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Everybody, as the person's own settings have it.
    All,
    /// The person alone.
    Owner,
}

/// What happens when there is a file already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced.
    Replace,
    /// It stays, and nothing is written.
    Keep,
}

/// Writes `bytes` to a file beside `path` and gives it that name when the disk has it.
pub(crate) fn write(
    path: &Path,
    what: &'static str,
    bytes: &[u8],
    readers: Readers,
    existing: Existing,
) -> Result<(), CliError> {
    let fail = |source| CliError::Write { what, path: path.display().to_string(), source };
    let name = path.file_name().ok_or_else(|| fail(std::io::ErrorKind::InvalidInput.into()))?;
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| fail(std::io::Error::other(error)))?;
    let temporary =
        dir.join(format!(".{}.{:016x}.new", name.display(), u64::from_ne_bytes(random)));
    let written = fill(&temporary, bytes, readers).and_then(|()| match existing {
        Existing::Replace => std::fs::rename(&temporary, path),
        // A name that is taken stays: a link is made or not, whoever else writes at this moment.
        Existing::Keep => {
            std::fs::hard_link(&temporary, path).and_then(|()| std::fs::remove_file(&temporary))
        }
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.and_then(|()| synced(dir)).map_err(fail)
}

fn fill(path: &Path, bytes: &[u8], readers: Readers) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the new name last, where directories can be synced.
fn synced(dir: &Path) -> std::io::Result<()> {
    if cfg!(unix) { std::fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Opens the file that processes take turns with, made when missing, and waits for the turn. It ends when
/// what is returned is dropped, or with the process.
pub(crate) fn turn(path: &Path, what: &'static str) -> Result<std::fs::File, CliError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let taken = options.open(path).and_then(|file| file.lock().map(|()| file));
    taken.map_err(|source| CliError::Write { what, path: path.display().to_string(), source })
}

/// Makes a directory that only the person can enter, and those above it.
pub(crate) fn private_dir(path: &Path, what: &'static str) -> Result<(), CliError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| CliError::Write {
        what,
        path: path.display().to_string(),
        source,
    })
}
