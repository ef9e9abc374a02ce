//! The directories a host works with: the workspace, its own, and those a grant names.
//!
//! The one module of the project's library side that opens a path by name.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_capability::{Capability, PathScope, Place};

use ringfence_engine::is_private;
use ringfence_interfaces::fs::Opened;

use crate::RunError;

/// Where things are, as real paths.
#[derive(Debug)]
pub(crate) struct Places {
    workspace: PathBuf,
    own: Vec<Kept>,
    state: Option<PathBuf>,
}

/// A directory the host keeps for itself: no plugin writes there.
#[derive(Debug)]
struct Kept {
    what: &'static str,
    path: PathBuf,
    reads: Reads,
}

/// Whether a plugin may read what the host keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Policies are no secret.
    Granted,
    /// The state holds the key that signs the log and other plugins' data, the cache machine code.
    Refused,
}

/// The directories a host keeps for itself.
pub(crate) struct Own<'a> {
    pub(crate) state: Option<&'a Path>,
    pub(crate) cache: Option<&'a Path>,
    pub(crate) kept: &'a [PathBuf],
    pub(crate) hidden: &'a [PathBuf],
    /// Whether a missing one is made.
    pub(crate) make: bool,
}

/// The host's own directories, opened; none where it keeps none or only looks.
pub(crate) struct OwnDirs {
    pub(crate) state: Option<Dir>,
    pub(crate) cache: Option<Dir>,
}

impl Places {
    pub(crate) fn open(workspace: &Path, theirs: &Own<'_>) -> Result<(Self, OwnDirs), RunError> {
        let workspace = real(workspace, "workspace")?;
        let mut own = Vec::new();
        let mut keep = |what, path: Option<&Path>| {
            let Some(path) = path else { return Ok::<_, RunError>((None, None)) };
            let dir = theirs.make.then(|| private_dir(path, what)).transpose()?;
            let place = planned(path, what)?;
            own.push(Kept { what, path: place.clone(), reads: Reads::Refused });
            Ok((dir, Some(place)))
        };
        let (state_dir, state) = keep("state", theirs.state)?;
        let (cache_dir, _) = keep("cache of compiled code", theirs.cache)?;
        let known = [theirs.state, theirs.cache];
        for (paths, reads) in [(theirs.kept, Reads::Granted), (theirs.hidden, Reads::Refused)] {
            for path in paths.iter().filter(|path| !known.contains(&Some(path.as_path()))) {
                let path = planned(path, "directory of own files")?;
                own.push(Kept { what: "own files", path, reads });
            }
        }
        let places = Self { workspace, own, state };
        Ok((places, OwnDirs { state: state_dir, cache: cache_dir }))
    }

    /// Returns the path a scope stands for.
    pub(crate) fn path(&self, scope: &PathScope) -> PathBuf {
        match scope.place() {
            Place::Workspace => self.workspace.join(scope.path()),
            Place::Elsewhere => PathBuf::from(scope.path()),
        }
    }

    /// Opens what a granted scope names. A path inside the workspace cannot lead out of it.
    pub(crate) fn open_scope(&self, scope: &PathScope) -> io::Result<Opened> {
        let (dir, path) = match scope.place() {
            Place::Workspace => (self.workspace.as_path(), Path::new(scope.path())),
            Place::Elsewhere => {
                let path = Path::new(scope.path());
                let parent = path.parent().unwrap_or(Path::new("/"));
                (parent, path.file_name().map_or(Path::new("."), Path::new))
            }
        };
        let dir = Dir::open_ambient_dir(dir, ambient_authority())?;
        let metadata = dir.symlink_metadata(path)?;
        if metadata.is_dir() {
            return Ok(Opened::Dir(dir.open_dir(path)?));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|_| metadata.is_file()) else {
            return Err(io::Error::other("it is neither a directory nor a plain file"));
        };
        let parent = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => dir.open_dir(parent)?,
            None => dir,
        };
        Ok(Opened::File { parent, name: name.to_owned() })
    }

    /// Returns the workspace, without links.
    pub(crate) fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Returns the directory the state of this host is in, if it keeps any.
    pub(crate) fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// Checks that a file grant neither leads through a link nor lets a plugin write what the host
    /// trusts or read what it keeps to itself. Other grants pass.
    pub(crate) fn check(&self, capability: &Capability) -> Result<(), RunError> {
        let (Capability::FsRead(scope) | Capability::FsWrite(scope)) = capability else {
            return Ok(());
        };
        let path = self.path(scope);
        let found = real(&path, "granted directory")?;
        if found != normal(&path) {
            return Err(RunError::Linked {
                path: path.display().to_string(),
                real: found.display().to_string(),
            });
        }
        let writes = matches!(capability, Capability::FsWrite(_));
        let held = self.own.iter().find(|own| {
            (writes || own.reads == Reads::Refused)
                && (own.path.starts_with(&found) || found.starts_with(&own.path))
        });
        match held {
            Some(own) => {
                let access = if writes { "writing" } else { "reading" };
                Err(RunError::HoldsState {
                    path: found.display().to_string(),
                    what: own.what,
                    access,
                })
            }
            None => Ok(()),
        }
    }
}

/// Returns `path` without `.` parts, for comparing with what it resolves to.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}

fn fail(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Place { what, path: path.display().to_string(), source }
}

#[expect(clippy::disallowed_methods, reason = "this module is the one that resolves paths")]
pub(crate) fn real(path: &Path, what: &'static str) -> Result<PathBuf, RunError> {
    std::fs::canonicalize(path).map_err(fail(what, path))
}

/// Returns the real path of a place that may not be there yet: a plugin that could make it would put
/// what the host trusts there.
fn planned(path: &Path, what: &'static str) -> Result<PathBuf, RunError> {
    let absolute = std::path::absolute(path).map_err(fail(what, path))?;
    let there = |path: &&Path| path.symlink_metadata().is_ok();
    let base = absolute.ancestors().find(there).unwrap_or(Path::new("/"));
    let rest = absolute.strip_prefix(base).unwrap_or(Path::new(""));
    Ok(real(base, what)?.join(rest).components().collect())
}

/// Opens a directory of the host's own, made for this user alone when it is missing.
fn private_dir(path: &Path, what: &'static str) -> Result<Dir, RunError> {
    let dir = match Dir::open_ambient_dir(path, ambient_authority()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_private(path).map_err(fail(what, path))?;
            open_dir(path, what)?
        }
        opened => opened.map_err(fail(what, path))?,
    };
    let metadata = dir.dir_metadata().map_err(fail(what, path))?;
    if is_private(&metadata) {
        return Ok(dir);
    }
    let source = io::Error::other("it belongs to another user, or others may write to it");
    Err(fail(what, path)(source))
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a directory by its path.
pub(crate) fn open_dir(path: &Path, what: &'static str) -> Result<Dir, RunError> {
    Dir::open_ambient_dir(path, ambient_authority()).map_err(fail(what, path))
}

/// Returns the directory a plugin lies in and its name there; `.` when the path is a directory that
/// has no name of its own.
pub(crate) fn plugin_dir(path: &Path) -> Result<(Dir, String), RunError> {
    let name = path.file_name().and_then(|name| name.to_str());
    match (path.parent(), name) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok((open_dir(parent, "directory of the plugin")?, name.to_owned()))
        }
        _ => Ok((open_dir(path, "plugin")?, ".".to_owned())),
    }
}
