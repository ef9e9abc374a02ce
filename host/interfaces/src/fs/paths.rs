//! Paths below a directory: what one leads to, and what is really there.

use super::guard::Refusal;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions};
use std::io;
use std::path::Path;

/// The longest path that is looked at, as on Linux.
const MAX_PATH_BYTES: usize = 4096;

/// Which file or directory it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    dev: u64,
    ino: u64,
}

impl Identity {
    pub(super) fn of(found: &Metadata) -> Self {
        Self { dev: found.dev(), ino: found.ino() }
    }

    /// Tells whether an open file or directory is this one and, if a file, has no other name.
    pub(super) fn is(self, opened: &std::fs::File) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        opened.metadata().is_ok_and(|opened| {
            let plain = opened.is_dir() || (opened.is_file() && opened.nlink() == 1);
            plain && (opened.dev(), opened.ino()) == (self.dev, self.ino)
        })
    }
}

/// Returns the directory that holds the last name of `path`, and that name. Every component before
/// it is opened by itself and must be a directory, not a link to one, whoever changes the tree
/// meanwhile.
pub(super) fn holder<'p>(dir: &Dir, path: &'p str) -> io::Result<(Dir, &'p str)> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut here = dir.try_clone()?;
    for component in parent.split('/').filter(|component| !component.is_empty()) {
        let named = here.symlink_metadata(component)?;
        let next = here.open_dir(component)?;
        if !named.is_dir() || Identity::of(&named) != Identity::of(&next.dir_metadata()?) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        here = next;
    }
    Ok((here, name))
}

/// Returns what is at a path none of whose components is a link, if anything is.
pub(super) fn real(dir: &Dir, path: &str) -> io::Result<Option<Metadata>> {
    let (holder, name) = holder(dir, path)?;
    let found = if name.is_empty() { holder.dir_metadata() } else { holder.symlink_metadata(name) };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an empty file at a path none of whose components is a link.
pub(super) fn make(dir: &Dir, path: &str) -> io::Result<Identity> {
    let (holder, name) = holder(dir, path)?;
    let file = holder.open_with(name, OpenOptions::new().write(true).create_new(true))?;
    Ok(Identity::of(&file.metadata()?))
}

/// Tells whether a directory has more than `most` entries, looking at no more than that.
pub(super) fn has_more_than(dir: &Dir, most: usize) -> io::Result<bool> {
    Ok(dir.entries()?.nth(most).is_some())
}

/// Returns the metadata of what is at a path.
pub(super) fn look(dir: &Dir, path: &str, follow: bool) -> io::Result<Metadata> {
    if follow { dir.metadata(path) } else { dir.symlink_metadata(path) }
}

/// Returns the place of `path` below `dir` with every symbolic link before its last component
/// resolved, and the last one too when it is to be followed.
pub(super) fn canonical(dir: &Dir, path: &str, follow: bool) -> Result<String, Refusal> {
    if path.len() > MAX_PATH_BYTES || path.contains('\0') {
        return Err(Refusal::Invalid);
    }
    let refusal = |error: &io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => Refusal::NotPermitted,
        _ => Refusal::NoEntry,
    };
    let resolve = |path: &str| {
        // `canonicalize` alone may answer with the beginning of a path that is not there.
        dir.metadata(path).and_then(|_| dir.canonicalize(path)).map_err(|error| refusal(&error))
    };
    match dir.symlink_metadata(path) {
        Ok(found) if found.is_symlink() && !follow => {}
        // Also for a link to nothing: what would be made there has not been looked at.
        Ok(_) => return resolve(path).and_then(|end| plain(&end)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refusal(&error)),
    }
    let path = path.trim_end_matches('/');
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    if matches!(name, "" | "." | "..") || path.starts_with('/') {
        return Err(Refusal::NotPermitted);
    }
    Ok(join(&plain(&resolve(parent)?)?, name))
}

fn plain(path: &Path) -> Result<String, Refusal> {
    let path = path.to_str().ok_or(Refusal::Invalid)?;
    Ok(if path == "." { String::new() } else { path.to_owned() })
}

/// Returns the path of `path` in `parent`.
pub(super) fn join(parent: &str, path: &str) -> String {
    match (parent, path) {
        ("", path) => path.to_owned(),
        (parent, "" | ".") => parent.to_owned(),
        (parent, path) => format!("{parent}/{path}"),
    }
}

/// Returns where `target` leads from `parent` by its text alone, if it stays inside.
pub(super) fn lexical(parent: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = parent.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
