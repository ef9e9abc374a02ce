//! The private directory: its files are for one user only, and are whole or not there.

use crate::StoreError;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The permissions of a directory: its user and nobody else.
const PRIVATE_DIRECTORY: u32 = 0o700;
/// The permissions of each file.
const PRIVATE_FILE: u32 = 0o600;
/// What a file is called until it is whole. One name is enough: only who holds the lock writes.
const HALF_DONE: &str = ".new";

/// A directory that was found to belong to this user and to be closed to all others.
///
/// # Security
/// On Windows neither is checked: there the directory lies in the user's profile.
#[derive(Debug)]
pub(crate) struct Place {
    dir: Dir,
    path: PathBuf,
}

impl Place {
    /// Opens the directory at `path`, made when missing.
    pub(crate) fn make(path: &Path) -> Result<Self, StoreError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, PRIVATE_DIRECTORY);
        builder.create(path).map_err(fail("make", path))?;
        Self::open(path)?.ok_or_else(|| fail("open", path)(io::ErrorKind::NotFound.into()))
    }

    /// Opens the directory at `path`; nothing when there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let dir = match Dir::open_ambient_dir(path, ambient_authority()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(fail("open", path))?,
        };
        let above = dir.open_parent_dir(ambient_authority()).map_err(fail("look above", path))?;
        check_above(path, &above.dir_metadata().map_err(fail("look above", path))?)?;
        check_private(path, &dir.dir_metadata().map_err(fail("look at", path))?)?;
        Ok(Some(Self { dir, path: path.to_owned() }))
    }

    /// Opens the directory `name` below, made when missing.
    pub(crate) fn make_below(&self, name: &str) -> Result<Self, StoreError> {
        match self.dir.create_dir_with(name, &private_directory()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(fail("make", &self.path_of(name))(error));
            }
            _ => {}
        }
        let path = self.path_of(name);
        self.below(name)?.ok_or_else(|| fail("open", &path)(io::ErrorKind::NotFound.into()))
    }

    /// Opens the directory `name` below; nothing when there is none. A link is refused.
    pub(crate) fn below(&self, name: &str) -> Result<Option<Self>, StoreError> {
        let path = self.path_of(name);
        let Some(metadata) = self.metadata(name)? else { return Ok(None) };
        if !metadata.is_dir() {
            return Err(StoreError::NotPlain { path, why: "it is no directory" });
        }
        check_private(&path, &metadata)?;
        let dir = self.dir.open_dir(name).map_err(fail("open", &path))?;
        Ok(Some(Self { dir, path }))
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn metadata(&self, name: &str) -> Result<Option<Metadata>, StoreError> {
        match self.dir.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some).map_err(fail("look at", &self.path_of(name))),
        }
    }

    /// Opens the plain file `name` of at most `most` bytes for reading; nothing when there is none.
    pub(crate) fn file(&self, name: &str, most: u64) -> Result<Option<File>, StoreError> {
        let path = self.path_of(name);
        let Some(metadata) = self.metadata(name)? else { return Ok(None) };
        if !metadata.is_file() {
            return Err(StoreError::NotPlain { path, why: "it is not a plain file" });
        }
        check_private(&path, &metadata)?;
        if metadata.len() > most {
            return Err(StoreError::TooLarge { path, most });
        }
        match self.dir.open_with(name, &to_read()) {
            // Another process took it away in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(fail("open", &path)),
        }
    }

    /// Opens the file that the processes take turns with, made when missing.
    pub(crate) fn turn(&self, name: &str) -> Result<File, StoreError> {
        let path = self.path_of(name);
        let mut options = private_file();
        options.read(true).create(true);
        let file = self.dir.open_with(name, &options).map_err(fail("open", &path))?;
        check_private(&path, &file.metadata().map_err(fail("look at", &path))?)?;
        Ok(file)
    }

    /// Writes the file `name`: under another name first, and on the disk before it gets its own.
    /// Only who holds the lock may do so.
    pub(crate) fn write(
        &self,
        name: &str,
        content: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        self.clean()?;
        let write = || -> io::Result<()> {
            let mut options = private_file();
            options.create_new(true);
            let mut file = self.dir.open_with(HALF_DONE, &options)?;
            step();
            content(&mut file)?;
            file.flush()?;
            step();
            file.sync_all()?;
            step();
            self.dir.rename(HALF_DONE, &self.dir, name)
        };
        let written = write().map_err(fail("write", &self.path_of(name)));
        if written.is_err() {
            let _ = self.dir.remove_file(HALF_DONE);
        }
        written?;
        step();
        self.sync()
    }

    /// Removes the file `name`; true when there was one. Only who holds the lock may do so.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, StoreError> {
        step();
        match self.dir.remove_file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true).map_err(fail("remove", &self.path_of(name))),
        }
    }

    /// Removes what a process that died while it wrote left behind.
    pub(crate) fn clean(&self) -> Result<(), StoreError> {
        self.remove(HALF_DONE).map(drop)
    }

    /// Makes names that were given or taken last.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        if cfg!(unix) {
            let synced = self.dir.open(".").and_then(|dir| dir.sync_all());
            synced.map_err(fail("write", &self.path))?;
        }
        Ok(())
    }

    /// Returns the names of what is in it, sorted; one that is not text is no name of ours.
    pub(crate) fn names(&self) -> Result<Vec<String>, StoreError> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in self.dir.entries()? {
                names.extend(entry?.file_name().into_string().ok());
            }
            names.sort_unstable();
            Ok(names)
        };
        list().map_err(fail("list", &self.path))
    }
}

pub(crate) fn fail(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

fn to_read() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    follow_nothing(&mut options);
    options
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    follow_nothing(&mut options);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        options.mode(PRIVATE_FILE);
    }
    #[cfg(not(unix))]
    let _ = PRIVATE_FILE;
    options
}

/// A link is not followed, and a pipe does not make the host wait.
fn follow_nothing(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(unix)]
fn private_directory() -> DirBuilder {
    use cap_std::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(PRIVATE_DIRECTORY);
    builder
}

#[cfg(not(unix))]
fn private_directory() -> DirBuilder {
    let _ = PRIVATE_DIRECTORY;
    DirBuilder::new()
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    use cap_std::fs::MetadataExt as _;
    check(path, metadata.uid(), metadata.mode(), 0o077, &[])
}

/// Others who could rename in the directory above could put another one in place of this.
#[cfg(unix)]
fn check_above(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    use cap_std::fs::MetadataExt as _;
    let above = path.parent().unwrap_or(path);
    let sticky = metadata.mode() & 0o1000 != 0;
    check(above, metadata.uid(), metadata.mode(), if sticky { 0 } else { 0o022 }, &[0])
}

/// Checks an owner and that none of the permissions `never` is given.
#[cfg(unix)]
fn check(path: &Path, owner: u32, mode: u32, never: u32, others: &[u32]) -> Result<(), StoreError> {
    let me = rustix::process::geteuid().as_raw();
    let path = path.to_owned();
    if owner != me && !others.contains(&owner) {
        return Err(StoreError::ForeignOwner { path, owner, me });
    }
    if mode & never != 0 {
        let (mode, wanted) = (mode & 0o777, mode & 0o777 & !never);
        return Err(StoreError::TooOpen { path, mode, wanted });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: &Metadata) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_above(_: &Path, _: &Metadata) -> Result<(), StoreError> {
    Ok(())
}

/// A moment at which a process can die; a test of this room dies at each of them.
#[cfg(not(test))]
fn step() {}

#[cfg(test)]
pub(crate) use crate::store::tests::crash::step;
