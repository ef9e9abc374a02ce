//! Moving aside what a program made under a protected name, so that nothing of the host acts on it
//! while a person decides.
//!
//! It stays in its directory, under a name that no tool takes orders from: nothing is lost, and one
//! rename puts it back.

use rustix::fs::{self, Mode, OFlags, RenameFlags, ResolveFlags};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// How much of the old name the new one shows; the kernel takes 255 bytes.
const SHOWN_BYTES: usize = 64;

/// What was moved: from where and to where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of paths")]
pub struct MovedAside {
    /// The path under the protected name.
    pub was: PathBuf,
    /// Where it is now.
    pub is: PathBuf,
}

/// Renames `path` to a name beside it that says what it was and has `mark`.
///
/// # Errors
/// What the system says: a symbolic link above it, or something that has the new name.
pub fn move_aside(path: &Path, mark: &str) -> io::Result<MovedAside> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let is = path.with_file_name(aside(name, mark));
    rename(path, &is)?;
    Ok(MovedAside { was: path.to_owned(), is })
}

/// Gives it its name again.
///
/// # Errors
/// As for [`move_aside`].
pub fn put_back(moved: &MovedAside) -> io::Result<()> {
    rename(&moved.is, &moved.was)
}

fn aside(name: &OsStr, mark: &str) -> OsString {
    let shown: String = name
        .to_string_lossy()
        .chars()
        .map(|one| if one.is_ascii_graphic() { one } else { '_' })
        .take(SHOWN_BYTES)
        .collect();
    format!("{shown}.moved-aside-{mark}").into()
}

/// Renames within one directory, over nothing, and through no link.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let parent = from.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let (Some(from), Some(to)) = (from.file_name(), to.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let parent = fs::openat2(fs::CWD, parent, flags, Mode::empty(), resolve)?;
    Ok(fs::renameat_with(&parent, from, &parent, to, RenameFlags::NOREPLACE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_aside_is_whole_and_comes_back() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let path = home.join(".git");
        std::fs::create_dir_all(path.join("hooks")).unwrap();
        let moved = move_aside(&path, "ab12").unwrap();
        assert_eq!(moved.is, home.join(".git.moved-aside-ab12"));
        assert!(moved.is.join("hooks").is_dir() && !path.exists());
        put_back(&moved).unwrap();
        assert!(path.join("hooks").is_dir() && !moved.is.exists());
    }

    #[test]
    fn nothing_is_renamed_over_or_through_a_link() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        std::fs::write(home.join(".envrc"), "made").unwrap();
        std::fs::write(home.join(".envrc.moved-aside-ab12"), "earlier").unwrap();
        assert!(move_aside(&home.join(".envrc"), "ab12").is_err());
        assert_eq!(std::fs::read(home.join(".envrc.moved-aside-ab12")).unwrap(), b"earlier");
        std::os::unix::fs::symlink(&home, home.join("link")).unwrap();
        assert!(move_aside(&home.join("link/.envrc"), "cd34").is_err());
    }

    #[test]
    fn a_name_of_any_bytes_and_length_has_room() {
        let long = format!(".git{}", ".".repeat(251));
        assert!(aside(OsStr::new(&long), "0123456789abcdef").len() < 255);
        assert_eq!(aside(OsStr::new(".envrc \u{200b}"), "m"), ".envrc__.moved-aside-m");
    }
}
