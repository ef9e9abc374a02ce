//! The decision about opening, and what is verified once it is done.
//!
//! Several runs may share a directory, so that a path may mean something else when it is opened
//! than when it was decided about. The decision is therefore about one file or directory, which it
//! finds, or makes, without following any link; what was opened must be that one.

use super::{At, FsGuard, Node, Refusal, Wanted};
use crate::fs::paths::{Identity, join, make, real};
use cap_std::fs::{Metadata, MetadataExt as _};
use ringfence_capability::Kind;
use std::io;

const CHANGED: &str = "it was replaced while it was being opened";

/// An open that was allowed: what its descriptor will be known as, and what it must be.
#[derive(Debug)]
pub(in crate::fs) struct Opening {
    pub(in crate::fs) node: Node,
    /// Known wherever the descriptor can be written through.
    pub(in crate::fs) expected: Option<Identity>,
}

impl FsGuard {
    /// Decides about opening a path. A file to be created is there afterwards.
    pub(in crate::fs) fn may_open(
        &mut self,
        at: At<'_>,
        wanted: Wanted,
    ) -> Result<Opening, Refusal> {
        self.may_look(at.rep, at.path)?;
        let node = self.node(at.rep)?.clone();
        let found = self.look(at, wanted.follow)?;
        let root = &self.roots[node.root];
        if !(node.writable || root.only.is_some() || !root.writable_files.is_empty()) {
            if wanted.changes() || wanted.mutate {
                let (refusal, reason) = self.why_not(at.rep);
                self.refuse(at.rep, Kind::FsWrite, "open", at.path, refusal, reason)?;
            }
            let node = self.open_for_reading(node.root, join(&node.path, at.path))?;
            return Ok(Opening { node, expected: None });
        }
        let place = self.locate(at, wanted.follow, "open")?;
        let allowed = self.writable_at(&node, at.path, &place);
        let below = place.strip_prefix(&node.path).unwrap_or(&place).trim_start_matches('/');
        if wanted.changes() || (wanted.mutate && allowed.is_err()) {
            self.check_write(at, allowed, None)?;
            let found = self.real(at, below)?;
            self.check_write(at, Ok(()), found.as_ref())?;
            self.record(at.rep, if wanted.create { "create" } else { "open" }, at.path)?;
            let lease = self.lease()?;
            let expected = Some(self.existing(at, below, found, wanted)?);
            return Ok(Opening {
                node: Node { path: place, writable: true, lease, ..node },
                expected,
            });
        }
        let is_dir = found.as_ref().is_some_and(Metadata::is_dir);
        let expected = if is_dir && node.writable && self.unprotected(at.path, &place) {
            self.real(at, below)?.map(|found| Identity::of(&found))
        } else {
            None
        };
        let opened = self.open_for_reading(node.root, place)?;
        Ok(Opening { node: Node { writable: expected.is_some(), ..opened }, expected })
    }

    /// Decides about what was opened. One that is refused must be closed.
    pub(in crate::fs) fn may_keep(
        &mut self,
        opening: &Opening,
        opened: &std::fs::File,
    ) -> Result<(), Refusal> {
        if opening.expected.is_none_or(|expected| expected.is(opened)) {
            return Ok(());
        }
        self.counts.refused += 1;
        let guest = self.roots[opening.node.root].guest.trim_end_matches('/');
        let target = format!("{guest}/{}", opening.node.path);
        let effect = crate::Effect::refused(Kind::FsWrite, "open", target, CHANGED);
        let _ = self.effects.record(effect);
        Err(Refusal::NotPermitted)
    }

    /// Returns which file is to be opened, made now if that is wanted and it was not there.
    fn existing(
        &mut self,
        at: At<'_>,
        below: &str,
        found: Option<Metadata>,
        wanted: Wanted,
    ) -> Result<Identity, Refusal> {
        match found {
            Some(_) if wanted.create && wanted.exclusive => Err(Refusal::Exist),
            Some(found) => Ok(Identity::of(&found)),
            None if !wanted.create => Err(Refusal::NoEntry),
            None if at.path.ends_with('/') => Err(Refusal::Invalid),
            None => match make(at.dir, below) {
                Ok(made) => Ok(made),
                // Another run made it first.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if wanted.exclusive {
                        return Err(Refusal::Exist);
                    }
                    let found = self.real(at, below)?;
                    self.check_write(at, Ok(()), found.as_ref())?;
                    found.map(|found| Identity::of(&found)).ok_or(Refusal::NoEntry)
                }
                Err(error) => self.unreachable(at, &error),
            },
        }
    }

    /// Returns what is at `below`, a path without links.
    fn real(&mut self, at: At<'_>, below: &str) -> Result<Option<Metadata>, Refusal> {
        match real(at.dir, below) {
            Ok(found) => Ok(found),
            Err(error) => self.unreachable(at, &error),
        }
    }

    fn unreachable<T>(&mut self, at: At<'_>, error: &io::Error) -> Result<T, Refusal> {
        let (refusal, reason) = match error.kind() {
            io::ErrorKind::NotFound => return Err(Refusal::NoEntry),
            io::ErrorKind::PermissionDenied => {
                (Refusal::NotPermitted, "it was replaced meanwhile, or may not be changed")
            }
            _ => (Refusal::Io, "it cannot be looked at or made"),
        };
        self.refuse(at.rep, Kind::FsWrite, "open", at.path, refusal, reason)
    }

    fn unprotected(&self, path: &str, place: &str) -> bool {
        self.protected.find(place).or_else(|| self.protected.find(path)).is_none()
    }

    fn open_for_reading(&mut self, root: usize, path: String) -> Result<Node, Refusal> {
        self.counts.opened += 1;
        Ok(Node { root, path, writable: false, lease: self.lease()? })
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
    fn writable_at(
        &self,
        node: &Node,
        path: &str,
        place: &str,
    ) -> Result<(), (Refusal, &'static str)> {
        let root = &self.roots[node.root];
        let single = root.writable_files.iter().any(|file| file == place)
            || root.only.iter().flatten().any(|(name, write)| *write && name == place);
        if single {
            return Ok(());
        }
        if !root.writable {
            return Err((Refusal::ReadOnly, "it was granted for reading only"));
        }
        if !self.unprotected(path, place) {
            return Err((Refusal::NotPermitted, "the name is protected"));
        }
        Ok(())
    }
}
