//! The decisions: which descriptor may be written through, and which path may be changed.
//!
//! Nothing here trusts what the file system interface below it checks. Invariants: a descriptor is
//! writable only when it descends from a root granted for writing and no component between the two
//! is protected; no operation lets a protected name appear at, move to or vanish from any place,
//! so that what is known of an open descriptor stays true.

mod open;

pub(super) use open::Opening;

use super::lease::Lease;
use super::paths::{canonical, join, lexical, look};
use super::protected::ProtectedNames;
use super::roots::FsRoots;
use crate::{Effect, Effects, NotRecorded};
use cap_std::fs::{Dir, FileType, Metadata};
use ringfence_capability::{Kind, Limit};
use ringfence_engine::Meter;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use wasmtime_wasi::filesystem::Dir as WasiDir;
use wasmtime_wasi::{FsPerms, OpenMode};

/// The most entries of a directory that are listed at once for 0.2, which holds them all.
const MAX_LISTED: usize = 100_000;

/// The most listings of 0.2 that are held at once.
const MAX_LISTINGS: usize = 8;

/// What one run did with files, for a summary: reads are counted, not recorded one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FsCounts {
    /// Files and directories opened for reading.
    pub opened: u64,
    /// Directories listed.
    pub listed: u64,
    /// Files opened for writing, and changes to directories.
    pub changed: u64,
    /// Attempts that were refused.
    pub refused: u64,
}

/// The file system of one run: its roots, and what is known of each open descriptor.
pub struct FsGuard {
    pub(super) roots: Vec<Place>,
    nodes: HashMap<u32, Node>,
    /// The listings of 0.2 that are held.
    leases: HashMap<u32, Arc<Lease>>,
    pub(super) max_listed: usize,
    pub(super) blocking: Blocking,
    protected: ProtectedNames,
    meter: Arc<Meter>,
    effects: Effects,
    counts: FsCounts,
}

impl std::fmt::Debug for FsGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FsGuard").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

/// A root as the guest finds it.
pub(super) struct Place {
    pub(super) guest: String,
    pub(super) dir: WasiDir,
    writable: bool,
    only: Option<Vec<(String, bool)>>,
    writable_files: Vec<String>,
    lease: Arc<Lease>,
}

/// What is known of an open descriptor.
#[derive(Debug, Clone)]
pub(super) struct Node {
    root: usize,
    /// Where it is, relative to the root, with symbolic links resolved where writing is possible.
    path: String,
    pub(super) writable: bool,
    pub(super) lease: Arc<Lease>,
}

/// What an `open-at` asks for, of either version of the interface.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the interface's own flags")]
pub(super) struct Wanted {
    pub(super) follow: bool,
    pub(super) create: bool,
    pub(super) exclusive: bool,
    pub(super) truncate: bool,
    pub(super) write: bool,
    pub(super) mutate: bool,
}

impl Wanted {
    /// Tells whether it may make or empty a file.
    pub(super) fn remakes(self) -> bool {
        self.create || self.exclusive || self.truncate
    }

    pub(super) fn changes(self) -> bool {
        self.remakes() || self.write
    }
}

/// A path of an open directory: the descriptor's number, and the directory itself.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) rep: u32,
    pub(super) dir: &'a Dir,
    pub(super) path: &'a str,
}

/// What file calls may do to the thread that polls the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call blocks or it does not")]
pub enum Blocking {
    /// They run right there: quicker, for one run per thread.
    Here,
    /// They run on another thread, so that other runs go on.
    Elsewhere,
}

/// An answer to the guest: what it asked for is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The directory was granted for reading only.
    ReadOnly,
    /// The place is protected, or the file has a second name.
    NotPermitted,
    /// Not one of the granted files.
    Access,
    /// Too many are open.
    Quota,
    /// It could not be recorded.
    Io,
    /// It is not there.
    NoEntry,
    /// It is there already.
    Exist,
    /// The path leads out of the root, or is no path.
    Invalid,
    /// What is there is neither a file nor a directory.
    NoDevice,
    /// The descriptor is no directory.
    NotDirectory,
}

impl FsGuard {
    /// Returns the guard of one run over its roots. `blocking` must agree with the
    /// context that does the work.
    pub fn new(
        roots: FsRoots,
        protected: ProtectedNames,
        meter: Arc<Meter>,
        effects: Effects,
        blocking: Blocking,
    ) -> Self {
        let here = blocking == Blocking::Here;
        let place = |root: super::roots::Root| {
            // Wasmtime's own layer: it lets writes through only where one of ours may.
            let (perms, mode) = if root.may_write() {
                (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
            } else {
                (FsPerms::ReadOnly, OpenMode::READ)
            };
            let dir = WasiDir::new(root.dir.into_std_file(), perms, mode, here);
            let (only, writable_files) = (root.only, root.writable_files);
            let lease = Lease::uncounted();
            Place { guest: root.guest, dir, writable: root.writable, only, writable_files, lease }
        };
        let roots = roots.roots.into_iter().map(place).collect();
        let (nodes, leases, counts) = (HashMap::new(), HashMap::new(), FsCounts::default());
        let max_listed = MAX_LISTED;
        Self { roots, nodes, leases, max_listed, blocking, protected, meter, effects, counts }
    }

    /// Returns what was done so far.
    pub fn counts(&self) -> FsCounts {
        self.counts
    }

    /// Returns how many files are open now.
    pub fn open_files(&self) -> u64 {
        self.meter.used(Limit::OpenFiles)
    }

    /// Starts to track a descriptor of a root itself. However many there are, they share one file.
    pub(super) fn track_root(&mut self, rep: u32, root: usize) {
        let Place { writable, lease, .. } = &self.roots[root];
        let (writable, lease) = (*writable, Arc::clone(lease));
        self.nodes.insert(rep, Node { root, path: String::new(), writable, lease });
    }

    pub(super) fn track(&mut self, rep: u32, node: Node) {
        self.nodes.insert(rep, node);
    }

    pub(super) fn untrack(&mut self, rep: u32) {
        self.nodes.remove(&rep);
    }

    /// Returns a place among the files that may be open at once; given back when dropped.
    pub(super) fn lease(&self) -> Result<Arc<Lease>, Refusal> {
        Lease::take(&self.meter).map_err(|_| Refusal::Quota)
    }

    pub(super) fn keep_lease(&mut self, rep: u32, lease: Arc<Lease>) {
        self.leases.insert(rep, lease);
    }

    pub(super) fn drop_lease(&mut self, rep: u32) {
        self.leases.remove(&rep);
    }

    /// Returns what is known of a descriptor. One that is not tracked can do nothing.
    pub(super) fn node(&self, rep: u32) -> Result<&Node, Refusal> {
        self.nodes.get(&rep).ok_or(Refusal::NotPermitted)
    }

    /// Tells whether single files below a descriptor may be written although it may not itself.
    pub(super) fn has_single_files(&self, node: &Node) -> bool {
        !self.roots[node.root].writable_files.is_empty()
    }

    /// Decides about reading a path: only single-file roots restrict it.
    pub(super) fn may_look(&mut self, rep: u32, path: &str) -> Result<(), Refusal> {
        let root = &self.roots[self.node(rep)?.root];
        let Some(only) = &root.only else { return Ok(()) };
        let name = path.trim_start_matches("./");
        if matches!(name, "" | ".") || only.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        self.refuse(rep, Kind::FsRead, "look", path, Refusal::Access, "only one file was granted")
    }

    /// Decides about listing a directory.
    pub(super) fn may_list(&mut self, rep: u32) -> Result<Arc<Lease>, Refusal> {
        if self.roots[self.node(rep)?.root].only.is_some() {
            let reason = "only one file was granted";
            self.refuse(rep, Kind::FsRead, "list", "", Refusal::Access, reason)?;
        }
        self.counts.listed += 1;
        self.lease()
    }

    /// Decides about one more listing that is held as a whole.
    pub(super) fn may_hold_listing(&mut self, rep: u32) -> Result<(), Refusal> {
        if self.leases.len() < MAX_LISTINGS {
            return Ok(());
        }
        let reason = "too many directories are being listed";
        self.refuse(rep, Kind::FsRead, "list", "", Refusal::Quota, reason)
    }

    /// Decides about the size of a listing, once it is known whether it is too large.
    pub(super) fn may_hold_entries(&mut self, rep: u32, too_many: bool) -> Result<(), Refusal> {
        if !too_many {
            return Ok(());
        }
        let reason = "the directory has too many entries";
        self.refuse(rep, Kind::FsRead, "list", "", Refusal::Quota, reason)
    }

    /// Decides about changing what a descriptor is open on.
    pub(super) fn may_change(&mut self, rep: u32, operation: &str) -> Result<(), Refusal> {
        if self.node(rep)?.writable {
            return Ok(());
        }
        let (refusal, reason) = self.why_not(rep);
        self.refuse(rep, Kind::FsWrite, operation, "", refusal, reason)
    }

    /// Decides about making, removing or changing the metadata of the name `path`.
    pub(super) fn may_alter(
        &mut self,
        at: At<'_>,
        follow: bool,
        operation: &str,
    ) -> Result<(), Refusal> {
        self.check_alter(at, follow, operation)?;
        self.record(at.rep, operation, at.path)
    }

    /// Decides about moving or linking `from` to `to`.
    pub(super) fn may_move(
        &mut self,
        from: At<'_>,
        to: At<'_>,
        operation: &str,
    ) -> Result<(), Refusal> {
        self.check_alter(from, false, operation)?;
        if look(from.dir, from.path, true).is_ok() {
            self.check_alter(from, true, operation)?;
        }
        self.check_alter(to, false, operation)?;
        if let Ok(link) = from.dir.read_link_contents(from.path)
            && link.to_str().is_none_or(|link| self.leads_to_protected(to, link))
        {
            let (refusal, reason) = (Refusal::NotPermitted, "the link leads to a protected name");
            self.refuse(from.rep, Kind::FsWrite, operation, from.path, refusal, reason)?;
        }
        let target = self.guest_path(to.rep, to.path);
        self.record(from.rep, operation, &format!("{} -> {target}", from.path))
    }

    /// Decides about a symbolic link at `at` that points to `target`.
    pub(super) fn may_symlink(&mut self, at: At<'_>, target: &str) -> Result<(), Refusal> {
        let place = self.check_alter(at, false, "symlink")?;
        let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
        let reason = match lexical(parent, target) {
            None => "the link leads out of the granted directory",
            Some(end)
                if self.protected.find(&end).is_some() || self.leads_to_protected(at, target) =>
            {
                "the link leads to a protected name"
            }
            Some(_) => return self.record(at.rep, "symlink", at.path),
        };
        self.refuse(at.rep, Kind::FsWrite, "symlink", at.path, Refusal::NotPermitted, reason)
    }

    /// Returns the metadata of what is at a path, if anything is and it can be opened safely.
    fn look(&mut self, at: At<'_>, follow: bool) -> Result<Option<Metadata>, Refusal> {
        let plain = |kind: FileType| kind.is_file() || kind.is_dir() || kind.is_symlink();
        let (refusal, reason) = match look(at.dir, at.path, follow) {
            Ok(found) if plain(found.file_type()) => return Ok(Some(found)),
            // A pipe or a device can block the host for ever when it is opened.
            Ok(_) => (Refusal::NoDevice, "it is neither a file nor a directory"),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                (Refusal::NotPermitted, "it leads out of the granted directory or is not readable")
            }
            Err(_) => return Ok(None),
        };
        self.refuse(at.rep, Kind::FsRead, "open", at.path, refusal, reason)
    }

    /// Returns where a path is once it is found that the name may be changed there.
    fn check_alter(
        &mut self,
        at: At<'_>,
        follow: bool,
        operation: &str,
    ) -> Result<String, Refusal> {
        let (refusal, reason) = if self.node(at.rep)?.writable {
            let place = self.locate(at, follow, operation)?;
            if self.protected.find(&place).or_else(|| self.protected.find(at.path)).is_none() {
                return Ok(place);
            }
            (Refusal::NotPermitted, "the name is protected")
        } else {
            self.why_not(at.rep)
        };
        self.refuse(at.rep, Kind::FsWrite, operation, at.path, refusal, reason)
    }

    /// Tells whether a link at `at` to `target` names or leads to what is protected.
    fn leads_to_protected(&self, at: At<'_>, target: &str) -> bool {
        let path = at.path.trim_end_matches('/');
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let end = canonical(at.dir, &join(parent, target), true);
        self.protected.find(target).is_some()
            || end.is_ok_and(|end| self.protected.find(&end).is_some())
    }

    /// Returns why nothing can be changed through a descriptor.
    fn why_not(&self, rep: u32) -> (Refusal, &'static str) {
        let root = self.nodes.get(&rep).map(|node| &self.roots[node.root]);
        if root.is_some_and(|root| root.writable) {
            return (
                Refusal::NotPermitted,
                "it was opened for reading, or lies in a protected name",
            );
        }
        (Refusal::ReadOnly, "it was granted for reading only")
    }

    /// Returns where a path is below its root, with symbolic links resolved.
    fn locate(&mut self, at: At<'_>, follow: bool, operation: &str) -> Result<String, Refusal> {
        match canonical(at.dir, at.path, follow) {
            Ok(end) => Ok(join(&self.node(at.rep)?.path, &end)),
            Err(Refusal::NotPermitted) => {
                let reason = "it leads out of the granted directory";
                let refusal = Refusal::NotPermitted;
                self.refuse(at.rep, Kind::FsWrite, operation, at.path, refusal, reason)
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn guest_path(&self, rep: u32, path: &str) -> String {
        let Some(node) = self.nodes.get(&rep) else { return path.to_owned() };
        let guest = self.roots[node.root].guest.trim_end_matches('/');
        format!("{guest}/{}", join(&node.path, path))
    }

    fn record(&mut self, rep: u32, operation: &str, path: &str) -> Result<(), Refusal> {
        let target = self.guest_path(rep, path);
        let effect = Effect::done(Kind::FsWrite, operation, target);
        self.effects.record(effect).map_err(|error| match error {
            NotRecorded::Unwritten => Refusal::Io,
            NotRecorded::Refused(_) => Refusal::NotPermitted,
        })?;
        self.counts.changed += 1;
        Ok(())
    }

    /// Records an attempt and returns the refusal, whether or not that could be recorded.
    fn refuse<T>(
        &mut self,
        rep: u32,
        kind: Kind,
        operation: &str,
        path: &str,
        refusal: Refusal,
        reason: &str,
    ) -> Result<T, Refusal> {
        self.counts.refused += 1;
        let target = self.guest_path(rep, path);
        let _ = self.effects.record(Effect::refused(kind, operation, target, reason));
        Err(refusal)
    }
}
