//! The new root as a list of pieces, in an order in which every mount point exists when it is used.

use super::prepared::{From, Mount, Piece};
use super::rights;
use crate::{Baseline, SandboxError};
use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// For so much scratch space there may be one more file: about a block of the file system each.
const BYTES_FOR_A_NAME: u64 = 4096;
/// So many files there may be in the smallest scratch space.
const LEAST_NAMES: u64 = 1024;

/// The root that is being described.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) pieces: Vec<Piece>,
    pub(super) mounts: Vec<Mount>,
    /// The host path of each mount, for errors.
    pub(super) sources: Vec<PathBuf>,
    made: BTreeSet<PathBuf>,
    mounted: Vec<PathBuf>,
}

/// What a mount point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Directory,
    File,
}

impl Layout {
    /// Returns what comes on the ground that every plan has: what is below these paths is there.
    pub(super) fn on(baseline: &Baseline) -> Self {
        Self { mounted: baseline.paths.iter().map(PathBuf::from).collect(), ..Self::default() }
    }

    /// Shows a directory of the host at its own path.
    pub(super) fn bind_directory(
        &mut self,
        path: &Path,
        attributes: u64,
        rights: u64,
    ) -> Result<(), SandboxError> {
        self.bind(path, Shape::Directory, attributes, rights, None)
    }

    /// Shows a file of the host at its own path, only if it is the expected one.
    pub(super) fn bind_file(
        &mut self,
        path: &Path,
        attributes: u64,
        rights: u64,
        expected: Option<(u64, u64)>,
    ) -> Result<(), SandboxError> {
        self.bind(path, Shape::File, attributes, rights, expected)
    }

    /// Shows a path of the host at its own path.
    pub(super) fn bind(
        &mut self,
        path: &Path,
        shape: Shape,
        attributes: u64,
        rights: u64,
        expected: Option<(u64, u64)>,
    ) -> Result<(), SandboxError> {
        let rights = if shape == Shape::File { rights & rights::FILE } else { rights };
        let mount = Mount {
            source: text(path.as_os_str())?,
            from: From::Host,
            target: relative(path)?,
            attributes,
            rights,
            expected,
            tree: -1,
        };
        self.mount(path, shape, mount)
    }

    /// Shows something at a path.
    pub(super) fn mount(
        &mut self,
        path: &Path,
        shape: Shape,
        mount: Mount,
    ) -> Result<(), SandboxError> {
        if !self.is_below_mount(path) {
            match shape {
                Shape::Directory => self.directory(path)?,
                Shape::File => self.file(path)?,
            }
        }
        self.pieces.push(Piece::Mount(self.mounts.len()));
        self.mounts.push(mount);
        self.sources.push(path.to_owned());
        self.mounted.push(path.to_owned());
        Ok(())
    }

    /// Makes a directory and those above it.
    pub(super) fn directory(&mut self, path: &Path) -> Result<(), SandboxError> {
        if path.parent().is_none() || self.is_below_mount(path) || self.made.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        self.pieces.push(Piece::Directory(relative(path)?));
        self.made.insert(path.to_owned());
        Ok(())
    }

    pub(super) fn text(&mut self, path: &Path, content: Vec<u8>) -> Result<(), SandboxError> {
        self.parent(path)?;
        self.pieces.push(Piece::Text(relative(path)?, content));
        Ok(())
    }

    pub(super) fn link(&mut self, path: &Path, target: &Path) -> Result<(), SandboxError> {
        self.parent(path)?;
        let link = Piece::Link { at: relative(path)?, target: text(target.as_os_str())? };
        self.pieces.push(link);
        Ok(())
    }

    /// Mounts a file system in memory that the program may write.
    pub(super) fn scratch(
        &mut self,
        path: &Path,
        size_bytes: u64,
        attributes: u64,
        rights: u64,
    ) -> Result<(), SandboxError> {
        self.directory(path)?;
        let number = |number: u64| text(OsStr::new(&number.to_string()));
        let size = number(size_bytes)?;
        let names = number((size_bytes / BYTES_FOR_A_NAME).max(LEAST_NAMES))?;
        self.pieces.push(Piece::Scratch { at: relative(path)?, size, names, attributes, rights });
        Ok(())
    }

    pub(super) fn proc(&mut self, path: &Path) -> Result<(), SandboxError> {
        self.directory(path)?;
        self.pieces.push(Piece::Proc(relative(path)?));
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), SandboxError> {
        self.parent(path)?;
        if self.made.insert(path.to_owned()) {
            self.pieces.push(Piece::File(relative(path)?));
        }
        Ok(())
    }

    fn parent(&mut self, path: &Path) -> Result<(), SandboxError> {
        path.parent().map_or(Ok(()), |parent| self.directory(parent))
    }

    fn is_below_mount(&self, path: &Path) -> bool {
        self.mounted.iter().any(|mount| path.starts_with(mount))
    }
}

/// Returns a text for the kernel.
pub(super) fn text(text: &OsStr) -> Result<CString, SandboxError> {
    CString::new(text.as_bytes()).map_err(|_| SandboxError::Command { why: "a text contains NUL" })
}

/// Returns a path for the kernel, relative to the new root.
pub(super) fn relative(path: &Path) -> Result<CString, SandboxError> {
    let below = path.strip_prefix("/").unwrap_or(path);
    text(if below.as_os_str().is_empty() { OsStr::new(".") } else { below.as_os_str() })
}
