//! The directories a run was granted, opened before the guest starts.

use cap_std::fs::Dir;
use ringfence_capability::{Capability, Class, Diagnostic, GrantSet, PathScope};
use std::io;

/// What a granted path turned out to be on the host.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever opens a grant returns one of the two")]
pub enum Opened {
    /// A directory.
    Dir(Dir),
    /// A single file, as its name in the directory that holds it.
    File {
        /// The directory.
        parent: Dir,
        /// The file's name in it.
        name: String,
    },
}

/// The directories that the guest finds open when it starts.
#[derive(Debug, Default)]
pub struct FsRoots {
    pub(super) roots: Vec<Root>,
}

#[derive(Debug)]
pub(super) struct Root {
    pub(super) dir: Dir,
    /// Where the guest sees it, an absolute path.
    pub(super) guest: String,
    /// Where it lies on the host, as the grant says.
    scope: PathScope,
    pub(super) writable: bool,
    /// When set, only these names directly inside can be reached at all; true: to be written.
    pub(super) only: Option<Vec<(String, bool)>>,
    /// Files that may be written although the directory may not, relative to it.
    pub(super) writable_files: Vec<String>,
}

impl Root {
    /// Tells whether anything in it may be written to.
    pub(super) fn may_write(&self) -> bool {
        let one = self.only.iter().flatten().any(|(_, write)| *write);
        self.writable || one || !self.writable_files.is_empty()
    }
}

impl FsRoots {
    /// Returns the directories that `grants` stand for. `open` opens one of them; it has the
    /// authority to, and must not follow a symbolic link out of the place the grant names.
    ///
    /// # Errors
    /// When one cannot be opened, or two different ones would be at the same guest path.
    pub fn from_grants(
        grants: &GrantSet,
        mut open: impl FnMut(&PathScope) -> io::Result<Opened>,
    ) -> Result<Self, FsRootError> {
        let mut wanted: Vec<(&PathScope, bool)> = Vec::new();
        for grant in grants.iter() {
            let (scope, write) = match &grant.capability {
                Capability::FsRead(scope) => (scope, false),
                Capability::FsWrite(scope) => (scope, true),
                _ => continue,
            };
            match wanted.iter_mut().find(|(known, _)| *known == scope) {
                Some((_, writable)) => *writable |= write,
                None => wanted.push((scope, write)),
            }
        }
        let mut roots = Self::default();
        let mut files = Vec::new();
        for (scope, write) in wanted {
            let opened = open(scope)
                .map_err(|source| FsRootError::Open { path: scope.to_string(), source })?;
            match opened {
                Opened::Dir(dir) => roots.add_dir(dir, scope, write)?,
                Opened::File { parent, name } => files.push((parent, name, scope, write)),
            }
        }
        for (parent, name, scope, write) in files {
            roots.add_file(parent, name, scope, write)?;
        }
        Ok(roots)
    }

    /// Tells whether nothing was granted.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    fn add_dir(&mut self, dir: Dir, scope: &PathScope, writable: bool) -> Result<(), FsRootError> {
        let guest = scope.guest().to_owned();
        if self.roots.iter().any(|root| root.guest == guest) {
            return Err(FsRootError::SameGuestPath { guest });
        }
        let (only, writable_files) = (None, Vec::new());
        self.roots.push(Root { dir, guest, scope: scope.clone(), writable, only, writable_files });
        Ok(())
    }

    fn add_file(
        &mut self,
        dir: Dir,
        name: String,
        scope: &PathScope,
        write: bool,
    ) -> Result<(), FsRootError> {
        // Inside a granted directory the file is reached through that; only writing is added.
        let inside = self.roots.iter_mut().filter(|root| root.only.is_none()).find_map(|root| {
            let host =
                root.scope.contains(scope).then(|| below(root.scope.path(), scope.path()))?;
            (below(&root.guest, scope.guest()) == host).then_some((root, host?))
        });
        if let Some((root, path)) = inside {
            if write && !root.writable {
                root.writable_files.push(path.to_owned());
            }
            return Ok(());
        }
        let (parent, last) = scope.guest().rsplit_once('/').unwrap_or(("", scope.guest()));
        if last != name {
            return Err(FsRootError::FileRenamed { path: scope.to_string(), name });
        }
        let guest = if parent.is_empty() { "/" } else { parent }.to_owned();
        let same = |root: &&mut Root| root.guest == guest;
        match self.roots.iter_mut().find(same) {
            Some(Root { only: Some(only), scope: known, .. }) if siblings(known, scope) => {
                only.push((name, write));
            }
            Some(_) => return Err(FsRootError::SameGuestPath { guest }),
            None => {
                let (only, writable_files) = (Some(vec![(name, write)]), Vec::new());
                let scope = scope.clone();
                self.roots.push(Root { dir, guest, scope, writable: false, only, writable_files });
            }
        }
        Ok(())
    }
}

/// Returns `path` relative to `parent`, when it lies below.
fn below<'p>(parent: &str, path: &'p str) -> Option<&'p str> {
    match parent {
        "." => Some(path),
        "/" => path.strip_prefix('/'),
        parent => path.strip_prefix(parent)?.strip_prefix('/'),
    }
}

/// Tells whether two files lie in the same directory of the host.
fn siblings(a: &PathScope, b: &PathScope) -> bool {
    let parent = |scope: &PathScope| scope.path().rsplit_once('/').map(|(dir, _)| dir.to_owned());
    a.place() == b.place() && parent(a) == parent(b)
}

/// A granted directory cannot be given to the guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsRootError {
    /// It could not be opened.
    #[error("the granted path `{path}` cannot be opened")]
    Open {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Two grants would be seen at the same path.
    #[error("two grants are both seen by the guest at `{guest}`")]
    SameGuestPath {
        /// The guest path.
        guest: String,
    },
    /// A file grant changes the file's name.
    #[error("the file `{path}` must keep its name `{name}` in the guest")]
    FileRenamed {
        /// The path.
        path: String,
        /// Its name on the host.
        name: String,
    },
}

impl Diagnostic for FsRootError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "interfaces::fs-open",
            Self::SameGuestPath { .. } => "interfaces::fs-same-path",
            Self::FileRenamed { .. } => "interfaces::fs-renamed",
        }
    }

    fn class(&self) -> Class {
        Class::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Open { .. } => "create it, or leave the grant out".to_owned(),
            Self::SameGuestPath { .. } => "give each its own guest path".to_owned(),
            Self::FileRenamed { .. } => "grant the directory, or use the same name".to_owned(),
        })
    }
}
