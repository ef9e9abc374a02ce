//! The directories below the user's state directory: one per stage, one per workspace for undo.

use super::journal::Workspace;
use super::path::{RawText, hex};
use super::{StagingError, dir};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{self, AtFlags, Mode, RenameFlags, XattrFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// An overlay cannot be the upper layer of another one.
const OVERLAY_MAGIC: u64 = 0x794c_7630;

/// The state directory, opened.
pub(super) struct State {
    pub(super) path: PathBuf,
    /// Holds one directory per stage.
    pub(super) staging: OwnedFd,
    /// Holds one directory per workspace.
    pub(super) undo: OwnedFd,
}

/// A directory of one stage, locked as long as this lives.
pub(super) struct Home {
    pub(super) id: String,
    pub(super) fd: OwnedFd,
    _lock: OwnedFd,
}

/// A workspace, opened.
pub(super) struct Root {
    pub(super) path: PathBuf,
    pub(super) fd: OwnedFd,
}

impl State {
    /// Opens the state directory and makes what is missing in it.
    pub(super) fn open(path: &Path) -> Result<Self, StagingError> {
        let failed = |source| StagingError::io("make the directory", path.display(), source);
        match fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(source) => return Err(failed(source)),
        }
        let top = dir::open_root(path)?;
        let staging = dir::ensure_private(&top, "staging".as_ref()).map_err(failed)?;
        let undo = dir::ensure_private(&top, "undo".as_ref()).map_err(failed)?;
        for fd in [&staging, &undo] {
            let stat = fs::fstat(fd).map_err(failed)?;
            if stat.st_mode & 0o077 != 0 || stat.st_uid != rustix::process::geteuid().as_raw() {
                let why = "its directories are not this user's alone";
                return Err(StagingError::Unsupported { state: path.to_owned(), why });
            }
        }
        Ok(Self { path: path.to_owned(), staging, undo })
    }

    /// Makes a directory for a new stage, with its lock.
    pub(super) fn make_home(&self) -> Result<Home, StagingError> {
        let failed = |source| StagingError::io("make a stage in", self.path.display(), source);
        let _all = dir::lock(&self.staging, "lock", dir::Wait::Yes).map_err(failed)?;
        let mut bytes = [0; 12];
        getrandom::fill(&mut bytes).map_err(|_| failed(Errno::IO))?;
        let id = hex(&bytes);
        let fd = dir::make_private(&self.staging, id.as_ref()).map_err(failed)?;
        let lock = dir::lock(&fd, "lock", dir::Wait::No).map_err(failed)?;
        Ok(Home { id, fd, _lock: lock })
    }

    /// Returns the stages whose owner is gone, each locked now.
    pub(super) fn orphans(&self) -> Result<Vec<Home>, StagingError> {
        let failed = |source| StagingError::io("read the stages in", self.path.display(), source);
        let _all = dir::lock(&self.staging, "lock", dir::Wait::Yes).map_err(failed)?;
        let mut homes = Vec::new();
        for name in dir::names(&self.staging).map_err(failed)? {
            let Some(id) = name.to_str().filter(|id| *id != "lock") else { continue };
            let fd = match dir::open_directory(&self.staging, &name) {
                Ok(fd) => fd,
                Err(Errno::NOTDIR | Errno::NOENT) => continue,
                Err(source) => return Err(failed(source)),
            };
            match dir::lock(&fd, "lock", dir::Wait::No) {
                Ok(lock) => homes.push(Home { id: id.to_owned(), fd, _lock: lock }),
                Err(Errno::WOULDBLOCK) => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Ok(homes)
    }

    /// Removes a stage. Its journal goes first: without one nothing of it is recovered.
    pub(super) fn remove(&self, home: &Home) -> Result<(), StagingError> {
        let failed = |source| StagingError::io("remove the stage", &home.id, source);
        match fs::unlinkat(&home.fd, super::journal::JOURNAL, AtFlags::empty()) {
            Ok(()) => fs::fsync(&home.fd).map_err(failed)?,
            Err(Errno::NOENT) => {}
            Err(source) => return Err(failed(source)),
        }
        // Its lock goes last, and with it the directory while nobody looks for orphans: whoever found
        // the one without the other would take it for one.
        for name in dir::names(&home.fd).map_err(failed)? {
            if name != "lock" {
                dir::remove_all(&home.fd, &name).map_err(failed)?;
            }
        }
        let _all = dir::lock(&self.staging, "lock", dir::Wait::Yes).map_err(failed)?;
        dir::remove_all(&self.staging, home.id.as_ref()).map_err(failed)
    }

    /// Returns the directory for undo of a workspace, and its lock.
    pub(super) fn undo_of(&self, workspace: &Path) -> Result<(OwnedFd, OwnedFd), StagingError> {
        let failed =
            |source| StagingError::io("open the undo data of", workspace.display(), source);
        let key = hex(&Sha256::digest(workspace.as_os_str().as_bytes())[..16]);
        let fd = dir::ensure_private(&self.undo, key.as_ref()).map_err(failed)?;
        let lock = dir::lock(&fd, "lock", dir::Wait::Yes).map_err(failed)?;
        Ok((fd, lock))
    }

    /// Refuses a state directory that lies inside the workspace.
    pub(super) fn keep_apart(&self, root: &Root) -> Result<(), StagingError> {
        let failed = |source| StagingError::io("look above", self.path.display(), source);
        let workspace = fs::fstat(&root.fd).map_err(failed)?;
        let copy = self.staging.as_fd().try_clone_to_owned();
        let mut above =
            copy.map_err(|source| StagingError::io("look above", self.path.display(), source))?;
        let mut last = None;
        loop {
            let stat = fs::fstat(&above).map_err(failed)?;
            let here = (stat.st_dev, stat.st_ino);
            if here == (workspace.st_dev, workspace.st_ino) {
                return Err(StagingError::StateInsideWorkspace {
                    state: self.path.clone(),
                    workspace: root.path.clone(),
                });
            }
            if last == Some(here) {
                return Ok(());
            }
            last = Some(here);
            let flags = fs::OFlags::PATH | fs::OFlags::DIRECTORY | fs::OFlags::CLOEXEC;
            above = fs::openat(&above, "..", flags, Mode::empty()).map_err(failed)?;
        }
    }

    /// Refuses a file system on which an overlay cannot keep its upper layer.
    pub(super) fn probe(&self, home: &Home) -> Result<(), StagingError> {
        let unsupported = |why| StagingError::Unsupported { state: self.path.clone(), why };
        let failed = |source| StagingError::io("try out", self.path.display(), source);
        let system = fs::fstatfs(&home.fd).map_err(failed)?;
        if u64::try_from(system.f_type) == Ok(OVERLAY_MAGIC) {
            return Err(unsupported("it is an overlay itself"));
        }
        fs::fsetxattr(&home.fd, "user.ringfence", b"1", XattrFlags::empty())
            .and_then(|()| fs::fremovexattr(&home.fd, "user.ringfence"))
            .map_err(|_| unsupported("it has no user extended attributes"))?;
        dir::make_private(&home.fd, "probe".as_ref()).map_err(failed)?;
        let whiteout =
            fs::renameat_with(&home.fd, "probe", &home.fd, "probed", RenameFlags::WHITEOUT);
        for name in ["probe", "probed"] {
            dir::remove_all(&home.fd, OsStr::new(name)).map_err(failed)?;
        }
        whiteout.map_err(|_| unsupported("it cannot leave a whiteout behind"))
    }
}

impl Root {
    /// Opens the workspace.
    pub(super) fn open(path: &Path) -> Result<Self, StagingError> {
        let fd = dir::open_root(path)?;
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
        // The same directory has one name here, however it was written.
        let path = fs::readlink(link, Vec::new())
            .map(|target| PathBuf::from(OsString::from(OsStr::from_bytes(target.as_bytes()))))
            .map_err(|source| StagingError::io("find the name of", path.display(), source))?;
        Ok(Self { path, fd })
    }

    /// Returns which directory it is, for a record.
    pub(super) fn record(&self) -> Result<Workspace, StagingError> {
        let stat = fs::fstat(&self.fd)
            .map_err(|source| StagingError::io("look at", self.path.display(), source))?;
        Ok(Workspace {
            path: RawText(self.path.as_os_str().as_bytes().to_vec()),
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}
