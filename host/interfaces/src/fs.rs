//! `wasi:filesystem` 0.2 and 0.3, with a second opinion on every operation that could change
//! something.
//!
//! Wasmtime's own implementation does the work. [`GuardedFs`] stands before it and decides first:
//! whether the descriptor descends from a directory granted for writing, whether the place is, lies
//! in, or would become a protected name, whether too many files are open. What it refuses is a
//! typed error, never a trap, and is recorded; what it lets through and changes something is
//! recorded before it happens.
//!
//! # Security
//! Decisions are made on paths whose symbolic links are resolved. The guest can neither move nor
//! link protected names, nor make or move a link that leads to one; a directory that holds such a
//! link it can move.
//!
//! Opening for writing is safe from other runs that share the directory: the decision finds, or
//! makes, the file without following a link, nothing is emptied before what was opened is verified
//! to be that very file with no other name, and anything else is closed, refused and recorded. A
//! directory through which its guest may write is verified in the same way. Opening for reading is
//! not verified. Making directories and links, removing, moving and setting times are decided on a
//! path and then done on that path: another run that moves a directory exactly in between can make
//! them happen at another place below the root, also in a protected one where the tree already has
//! a link to it. Another process that changes the granted directory can do more. A file with more
//! than one name (hard links) cannot be written in place, only replaced.
//!
//! A listing of 0.2 is held as a whole: a directory that has too many entries when it is counted
//! just before is refused, and so is one listing too many at once. One of 0.3 is read piece by
//! piece, and bounded by the files open at once.
//!
//! Start with [`FsRoots::from_grants`], [`FsGuard`] and [`add_to_linker`].

mod guard;
mod lease;
mod p2;
mod p3;
mod paths;
mod protected;
mod roots;
#[cfg(test)]
mod tests;

pub use guard::{Blocking, FsCounts, FsGuard};
pub use protected::ProtectedNames;
pub use roots::{FsRootError, FsRoots, Opened};

use guard::{At, Opening, Refusal};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem as v2;
use wasmtime_wasi::p3::bindings::filesystem as v3;

/// The file system of a store, as one host call sees it.
pub struct GuardedFs<'a> {
    /// The decisions.
    pub guard: &'a mut FsGuard,
    /// What does the work; its own preopened directories are not used.
    pub ctx: &'a mut WasiFilesystemCtx,
    /// The store's resources.
    pub table: &'a mut ResourceTable,
}

impl std::fmt::Debug for GuardedFs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.guard.fmt(f)
    }
}

/// A store's data that has a guarded file system.
pub trait GuardedFsView: Send + 'static {
    /// Returns the file system.
    fn guarded_fs(&mut self) -> GuardedFs<'_>;
}

/// Names [`GuardedFs`] to the linker.
#[derive(Debug)]
#[non_exhaustive]
pub struct GuardedFilesystem;

impl HasData for GuardedFilesystem {
    type Data<'a> = GuardedFs<'a>;
}

/// Adds the guarded `wasi:filesystem` 0.2 and 0.3. With no root granted the guest finds no
/// directory, and as every operation needs a descriptor, it can reach nothing.
///
/// # Errors
/// When the linker already has one of them.
pub fn add_to_linker<T: GuardedFsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    link_p2_types(linker)?;
    link_p2_preopens(linker)?;
    link_p3_types(linker)?;
    link_p3_preopens(linker)
}

/// Adds the guarded `wasi:filesystem/types` 0.2.
///
/// # Errors
/// When the linker already has it.
pub fn link_p2_types<T: GuardedFsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    v2::types::add_to_linker::<T, GuardedFilesystem>(linker, T::guarded_fs)
}

/// Adds the `wasi:filesystem/preopens` 0.2 of the granted directories.
///
/// # Errors
/// When the linker already has it.
pub fn link_p2_preopens<T: GuardedFsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    v2::preopens::add_to_linker::<T, GuardedFilesystem>(linker, T::guarded_fs)
}

/// Adds the guarded `wasi:filesystem/types` 0.3.
///
/// # Errors
/// When the linker already has it.
pub fn link_p3_types<T: GuardedFsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    v3::types::add_to_linker::<T, GuardedFilesystem>(linker, T::guarded_fs)
}

/// Adds the `wasi:filesystem/preopens` 0.3 of the granted directories.
///
/// # Errors
/// When the linker already has it.
pub fn link_p3_preopens<T: GuardedFsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    v3::preopens::add_to_linker::<T, GuardedFilesystem>(linker, T::guarded_fs)
}

impl GuardedFs<'_> {
    fn inner(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: self.ctx, table: self.table }
    }

    /// Decides about `path` of the directory `fd`, if it is one: what is not a directory gets the
    /// answer of the implementation below.
    fn at<R>(
        &mut self,
        fd: &Resource<Descriptor>,
        path: &str,
        decide: impl FnOnce(&mut FsGuard, At<'_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let dir = self.dir(fd)?;
        decide(self.guard, At { rep: fd.rep(), dir: &dir, path })
    }

    fn at_both(
        &mut self,
        from: (&Resource<Descriptor>, &str),
        to: (&Resource<Descriptor>, &str),
        operation: &str,
    ) -> Result<(), Refusal> {
        let (from_dir, to_dir) = (self.dir(from.0)?, self.dir(to.0)?);
        let from = At { rep: from.0.rep(), dir: &from_dir, path: from.1 };
        let to = At { rep: to.0.rep(), dir: &to_dir, path: to.1 };
        self.guard.may_move(from, to, operation)
    }

    /// Returns a handle of the directory `fd`.
    fn dir(&self, fd: &Resource<Descriptor>) -> Result<cap_std::fs::Dir, Refusal> {
        match self.table.get(fd) {
            Ok(Descriptor::Dir(dir)) => {
                let file = dir.dir.try_clone().map_err(|_| Refusal::Io)?;
                Ok(cap_std::fs::Dir::from_std_file(file))
            }
            Ok(Descriptor::File(_)) => Err(Refusal::NotDirectory),
            Err(_) => Err(Refusal::NotPermitted),
        }
    }

    /// Tracks a descriptor just opened, and takes away from it what its node does not have: then
    /// the implementation below refuses writes on its own.
    /// What is not what was decided about is closed instead.
    fn opened(&mut self, fd: &Resource<Descriptor>, opening: Opening) -> Result<(), Refusal> {
        let kept = match self.table.get(fd) {
            Ok(Descriptor::File(file)) => self.guard.may_keep(&opening, &file.file),
            Ok(Descriptor::Dir(dir)) => self.guard.may_keep(&opening, &dir.dir),
            Err(_) => Err(Refusal::NotPermitted),
        };
        if let Err(refusal) = kept {
            let _ = self.table.delete(Resource::<Descriptor>::new_own(fd.rep()));
            return Err(refusal);
        }
        let node = opening.node;
        if !node.writable && !self.guard.has_single_files(&node) {
            match self.table.get_mut(fd) {
                Ok(Descriptor::File(file)) => file.perms = FsPerms::ReadOnly,
                Ok(Descriptor::Dir(dir)) => dir.perms = FsPerms::ReadOnly,
                Err(_) => {}
            }
        }
        self.guard.track(fd.rep(), node);
        Ok(())
    }

    fn preopens(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut found = Vec::new();
        for (root, place) in self.guard.roots.iter().enumerate() {
            let fd = self.table.push(Descriptor::Dir(place.dir.clone()))?;
            found.push((root, fd, place.guest.clone()));
        }
        let track = |(root, fd, guest): (usize, Resource<Descriptor>, String)| {
            self.guard.track_root(fd.rep(), root);
            (fd, guest)
        };
        Ok(found.into_iter().map(track).collect())
    }
}
