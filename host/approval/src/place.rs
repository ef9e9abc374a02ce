//! The private directory: kept answers and waiting requests, for one user only.

use crate::StoreError;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The permissions of the directory: its user and nobody else.
const PRIVATE_DIRECTORY: u32 = 0o700;
/// The permissions of each file in it.
pub(crate) const PRIVATE_FILE: u32 = 0o600;

/// The directory `approvals` below the state directory of one user.
///
/// # Security
/// It was found to belong to the user who runs this and to be closed to all others, and the
/// directory above it to be closed to the writing of others. On Windows neither is checked: there
/// the state directory lies in the user's profile.
#[derive(Debug)]
pub struct Place {
    dir: Dir,
    path: PathBuf,
}

impl Place {
    /// Returns the place below the directory `state`, which is made when absent.
    ///
    /// # Errors
    /// [`StoreError::TooOpen`] and [`StoreError::ForeignOwner`] when others could change what is in
    /// it, [`StoreError::Io`] when it cannot be opened or made.
    pub fn open(state: &Path) -> Result<Self, StoreError> {
        let path = state.join("approvals");
        let fail = |what| {
            let path = path.clone();
            move |source: io::Error| StoreError::Io { what, path, source }
        };
        Dir::create_ambient_dir_all(state, ambient_authority()).map_err(fail("make"))?;
        let above = Dir::open_ambient_dir(state, ambient_authority()).map_err(fail("open"))?;
        check_above(state, &above.dir_metadata().map_err(fail("look at"))?)?;
        match above.create_dir_with("approvals", &private()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(fail("make")(error));
            }
            _ => {}
        }
        let dir = above.open_dir("approvals").map_err(fail("open"))?;
        let metadata = dir.dir_metadata().map_err(fail("look at"))?;
        check_private(&path, &metadata, PRIVATE_DIRECTORY)?;
        Ok(Self { dir, path })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Checks that the file `name` is a plain file of this user; false when there is none.
    pub(crate) fn holds(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.path.join(name);
        match self.dir.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { what: "look at", path, source }),
            Ok(metadata) if !metadata.is_file() => {
                Err(StoreError::Untrusted { path, why: "it is not a plain file".to_owned() })
            }
            Ok(metadata) => check_private(&path, &metadata, PRIVATE_FILE).map(|()| true),
        }
    }
}

#[cfg(unix)]
fn private() -> DirBuilder {
    use cap_std::fs::DirBuilderExt;
    let mut builder = DirBuilder::new();
    builder.mode(PRIVATE_DIRECTORY);
    builder
}

#[cfg(not(unix))]
fn private() -> DirBuilder {
    DirBuilder::new()
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), StoreError> {
    use cap_std::fs::MetadataExt;
    let (path, me) = (path.to_owned(), user().unwrap_or(u32::MAX));
    // A directory below one that hands its group down has that bit too; it opens nothing.
    let mode = metadata.mode() & 0o777;
    if metadata.uid() != me {
        return Err(StoreError::ForeignOwner { path, owner: metadata.uid(), me });
    }
    if mode & !wanted != 0 {
        return Err(StoreError::TooOpen { path, mode, wanted });
    }
    Ok(())
}

/// Others who could rename in it could put an empty directory in place of a full one.
#[cfg(unix)]
fn check_above(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    use cap_std::fs::MetadataExt;
    let (path, me) = (path.to_owned(), user().unwrap_or(u32::MAX));
    let mode = metadata.mode() & 0o7777;
    if metadata.uid() != me && metadata.uid() != 0 {
        return Err(StoreError::ForeignOwner { path, owner: metadata.uid(), me });
    }
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(StoreError::TooOpen { path, mode, wanted: mode & !0o022 });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: &Metadata, _: u32) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_above(_: &Path, _: &Metadata) -> Result<(), StoreError> {
    Ok(())
}

/// Returns the user who runs this, where users have numbers.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
pub(crate) fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// Returns the user who runs this, where users have numbers.
#[cfg(not(unix))]
pub(crate) fn user() -> Option<u32> {
    None
}
