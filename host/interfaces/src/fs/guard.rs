//! The decisions: which descriptor may be written through, and which path may be changed.
//!
//! Nothing here trusts what the file system interface below it checks. Invariants: a descriptor is
//! writable only when it descends from a root granted for writing and no component between the two
//! is protected; no operation lets a protected name appear at, move to or vanish from any place,
//! so that what is known of an open descriptor stays true.

use super::lease::Lease;
use super::protected::ProtectedNames;
use super::roots::FsRoots;
use crate::{Effect, Effects};
use cap_std::fs::{Dir, FileType, Metadata, MetadataExt};
use ringfence_capability::{Kind, Limit};
use ringfence_engine::Meter;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use wasmtime_wasi::filesystem::Dir as WasiDir;
use wasmtime_wasi::{FsPerms, OpenMode};

/// The longest path that is looked at, as on Linux.
const MAX_PATH_BYTES: usize = 4096;

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
    leases: HashMap<u32, Arc<Lease>>,
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
    pub(super) truncate: bool,
    pub(super) write: bool,
    pub(super) mutate: bool,
}

impl Wanted {
    fn changes(self) -> bool {
        self.create || self.truncate || self.write
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
        let blocking = blocking == Blocking::Here;
        let place = |root: super::roots::Root| {
            // Wasmtime's own layer: it lets writes through only where one of ours may.
            let (perms, mode) = if root.may_write() {
                (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
            } else {
                (FsPerms::ReadOnly, OpenMode::READ)
            };
            let dir = WasiDir::new(root.dir.into_std_file(), perms, mode, blocking);
            let (only, writable_files) = (root.only, root.writable_files);
            let lease = Lease::uncounted();
            Place { guest: root.guest, dir, writable: root.writable, only, writable_files, lease }
        };
        let roots = roots.roots.into_iter().map(place).collect();
        let (nodes, leases) = (HashMap::new(), HashMap::new());
        Self { roots, nodes, leases, protected, meter, effects, counts: FsCounts::default() }
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
        if look(from.dir, from.path, true).is_ok() && operation == "link" {
            self.check_alter(from, true, operation)?;
        }
        self.check_alter(to, false, operation)?;
        let target = self.guest_path(to.rep, to.path);
        self.record(from.rep, operation, &format!("{} -> {target}", from.path))
    }

    /// Decides about a symbolic link at `at` that points to `target`.
    pub(super) fn may_symlink(&mut self, at: At<'_>, target: &str) -> Result<(), Refusal> {
        let place = self.check_alter(at, false, "symlink")?;
        let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
        let reason = match lexical(parent, target) {
            None => "the link leads out of the granted directory",
            Some(end) if self.protected.find(&end).is_some() => {
                "the link leads to a protected name"
            }
            Some(_) => return self.record(at.rep, "symlink", at.path),
        };
        self.refuse(at.rep, Kind::FsWrite, "symlink", at.path, Refusal::NotPermitted, reason)
    }

    /// Decides about opening a path, and returns what the new descriptor will be known as.
    pub(super) fn may_open(&mut self, at: At<'_>, wanted: Wanted) -> Result<Node, Refusal> {
        self.may_look(at.rep, at.path)?;
        let node = self.node(at.rep)?.clone();
        let found = self.look(at, wanted.follow)?;
        let root = &self.roots[node.root];
        if !(node.writable || root.only.is_some() || !root.writable_files.is_empty()) {
            if wanted.changes() || wanted.mutate {
                let (refusal, reason) = self.why_not(at.rep);
                self.refuse(at.rep, Kind::FsWrite, "open", at.path, refusal, reason)?;
            }
            return self.open_for_reading(node.root, join(&node.path, at.path));
        }
        let place = self.locate(at, wanted.follow, "open")?;
        let allowed = self.writable_at(&node, &place);
        if wanted.changes() || (wanted.mutate && allowed.is_err()) {
            self.check_write(at, allowed, found.as_ref())?;
            self.record(at.rep, if wanted.create { "create" } else { "open" }, at.path)?;
            return Ok(Node { path: place, writable: true, lease: self.lease()?, ..node });
        }
        let is_dir = found.as_ref().is_some_and(Metadata::is_dir);
        let inherits = is_dir && node.writable && self.protected.find(&place).is_none();
        let opened = self.open_for_reading(node.root, place)?;
        Ok(Node { writable: inherits, ..opened })
    }

    fn open_for_reading(&mut self, root: usize, path: String) -> Result<Node, Refusal> {
        self.counts.opened += 1;
        Ok(Node { root, path, writable: false, lease: self.lease()? })
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

    fn check_write(
        &mut self,
        at: At<'_>,
        allowed: Result<(), (Refusal, &'static str)>,
        found: Option<&Metadata>,
    ) -> Result<(), Refusal> {
        let twice = found.is_some_and(|found| found.is_file() && found.nlink() > 1);
        let (refusal, reason) = match allowed {
            Err(reason) => reason,
            Ok(()) if twice => {
                (Refusal::NotPermitted, "the file has another name, which may be protected")
            }
            Ok(()) => return Ok(()),
        };
        self.refuse(at.rep, Kind::FsWrite, "open", at.path, refusal, reason)
    }

    /// Tells whether the place may be written to: by its root, by a single-file grant, by name.
    fn writable_at(&self, node: &Node, place: &str) -> Result<(), (Refusal, &'static str)> {
        let root = &self.roots[node.root];
        let single = root.writable_files.iter().any(|file| file == place)
            || root.only.iter().flatten().any(|(name, write)| *write && name == place);
        if single {
            return Ok(());
        }
        if !root.writable {
            return Err((Refusal::ReadOnly, "it was granted for reading only"));
        }
        if self.protected.find(place).is_some() {
            return Err((Refusal::NotPermitted, "the name is protected"));
        }
        Ok(())
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
        self.effects.record(effect).map_err(|_| Refusal::Io)?;
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

fn look(dir: &Dir, path: &str, follow: bool) -> io::Result<Metadata> {
    if follow { dir.metadata(path) } else { dir.symlink_metadata(path) }
}

/// Returns the place of `path` below `dir` with every symbolic link before its last component
/// resolved, and the last one too when it is to be followed.
fn canonical(dir: &Dir, path: &str, follow: bool) -> Result<String, Refusal> {
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

fn join(parent: &str, path: &str) -> String {
    match (parent, path) {
        ("", path) => path.to_owned(),
        (parent, "" | ".") => parent.to_owned(),
        (parent, path) => format!("{parent}/{path}"),
    }
}

/// Returns where `target` leads from `parent` by its text alone, if it stays inside.
fn lexical(parent: &str, target: &str) -> Option<String> {
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
