//! Where things are: the root of the repository and the directories builds go to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The repository and its build directories.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the repository that this command was built from.
    ///
    /// Cargo names the package directory when it runs something, which stays right when clones
    /// share one build directory; a path fixed at compile time would not.
    pub(crate) fn find() -> Result<Self, Failure> {
        let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => std::env::current_dir()
                .map_err(|source| Failure::io("read", Path::new("."), &source))?,
        };
        let root = start.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file());
        let root = root.ok_or_else(|| {
            Failure::new(format!("`{}` is not inside the repository", start.display()))
        })?;
        Ok(Self::at(root, std::env::var_os("CARGO_TARGET_DIR")))
    }

    /// Returns the workspace at `root` which builds into `target`, or into `root/target`.
    pub(crate) fn at(root: &Path, target: Option<OsString>) -> Self {
        let target = root.join(target.map_or_else(|| PathBuf::from("target"), PathBuf::from));
        Self { root: root.to_path_buf(), target }
    }

    /// Returns the root of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns `path` below the root.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Returns the build directory of the host workspace.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the one build directory of everything that is written against the guest SDK.
    ///
    /// It is apart from the host's, so that neither invalidates the other, and it is shared by the
    /// plugins, the SDK and the test guests, so that the expensive macro crates are built once.
    pub(crate) fn guest_target(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// Returns where the development build of the command line tool is.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("debug").join(format!("ringfence{}", std::env::consts::EXE_SUFFIX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_directory_follows_the_environment_and_may_be_relative() {
        let cases =
            [(None, "/repo/target"), (Some("out"), "/repo/out"), (Some("/cache/ci"), "/cache/ci")];
        for (variable, expected) in cases {
            let workspace = Workspace::at(Path::new("/repo"), variable.map(OsString::from));
            assert_eq!(workspace.target(), Path::new(expected));
            assert_eq!(workspace.guest_target(), Path::new(expected).join("guests"));
        }
    }
}
