//! Protected names under direct writes: the ones that exist become read-only, the directories above
//! them stay where they are, and what the program made of them is found when it has ended.
//!
//! Not held, and said so by `enforcement`: a protected name that does not exist yet can be made
//! while the program runs, and a file below one can be written through another hard link to it.
//! Staged writes hold both: there the commit refuses the name.

use crate::{Access, MadeProtected, SandboxError, SandboxPlan};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most entries that are looked at.
const ENTRIES: usize = 500_000;

/// What of a workspace is protected while a program writes into it directly.
#[derive(Debug, Default)]
pub(super) struct Protected {
    /// What is written directly.
    written: Vec<PathBuf>,
    /// The names as they are compared.
    names: Vec<String>,
    /// What was there before the program.
    before: BTreeSet<PathBuf>,
}

impl Protected {
    /// Looks for the protected paths below everything that is written directly, at any depth.
    ///
    /// # Errors
    /// [`SandboxError::TooMany`] when there is too much to look at, [`SandboxError::Path`] when a
    /// protected name is a link, which cannot be made read-only, and [`SandboxError::Unreachable`]
    /// when a directory cannot be read.
    pub(super) fn look(plan: &SandboxPlan) -> Result<Self, SandboxError> {
        let written = plan.files().iter().filter(|rule| rule.access == Access::Write);
        let written: Vec<PathBuf> = written.map(|rule| rule.path.clone()).collect();
        if plan.protected().is_empty() || written.is_empty() {
            return Ok(Self::default());
        }
        let names = plan.protected().iter().map(|name| folded(name)).collect();
        let mut looked = Self { written, names, before: BTreeSet::new() };
        let mut before = BTreeSet::new();
        looked.search(
            |path, kind| {
                before.insert(maskable(path, kind)?);
                Ok(())
            },
            |path, source| Err(SandboxError::Unreachable { path, source }),
        )?;
        looked.before = before;
        Ok(looked)
    }

    /// Returns what was there before, in order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.before.iter().map(PathBuf::as_path)
    }

    /// Returns the directories between what is written and what is protected, those above first.
    /// Mounted onto themselves they cannot be renamed, and so nothing below them can be replaced.
    pub(super) fn above(&self) -> BTreeSet<&Path> {
        let written = |path: &Path| self.written.iter().any(|root| root == path);
        let mut above = BTreeSet::new();
        for path in self.paths() {
            above.extend(path.ancestors().skip(1).take_while(|&path| !written(path)));
        }
        above
    }

    /// Returns what the program made. Called when nothing of it runs any more.
    ///
    /// # Errors
    /// [`SandboxError::TooMany`] when there is too much to look at.
    pub(super) fn made(&self) -> Result<MadeProtected, SandboxError> {
        let (mut names, mut unseen) = (Vec::new(), Vec::new());
        self.search(
            |path, _| {
                if !self.before.contains(path) {
                    names.push(path.to_owned());
                }
                Ok(())
            },
            |path, source| {
                if source.kind() != io::ErrorKind::NotFound {
                    unseen.push(path);
                }
                Ok(())
            },
        )?;
        names.sort();
        unseen.sort();
        Ok(MadeProtected { names, unseen })
    }

    /// Walks through what is written, without following links, and tells of each protected name,
    /// below which it does not look, and of each directory that cannot be read.
    fn search(
        &self,
        mut protected: impl FnMut(&Path, fs::FileType) -> Result<(), SandboxError>,
        mut closed: impl FnMut(PathBuf, io::Error) -> Result<(), SandboxError>,
    ) -> Result<(), SandboxError> {
        let directories = self.written.iter().filter(|path| path.is_dir());
        let mut pending: Vec<PathBuf> = directories.cloned().collect();
        let mut seen = 0;
        while let Some(directory) = pending.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(source) => {
                    closed(directory, source)?;
                    continue;
                }
            };
            for entry in entries {
                seen += 1;
                if seen > ENTRIES {
                    return Err(SandboxError::TooMany { what: "files", limit: ENTRIES });
                }
                let (entry, kind) =
                    match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
                        Ok(found) => found,
                        Err(source) => {
                            closed(directory.clone(), source)?;
                            continue;
                        }
                    };
                if self.is_protected(&entry) {
                    protected(&entry, kind)?;
                } else if kind.is_dir() {
                    pending.push(entry);
                }
            }
        }
        Ok(())
    }

    fn is_protected(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| self.names.contains(&folded(name)))
    }
}

/// Returns a name as file systems compare it that ignore case, or drop dots and spaces at the end.
fn folded(name: &str) -> String {
    name.trim_end_matches(['.', ' ']).to_lowercase()
}

fn maskable(path: &Path, kind: fs::FileType) -> Result<PathBuf, SandboxError> {
    if kind.is_dir() || kind.is_file() {
        return Ok(path.to_owned());
    }
    let why = "a protected name is a link or a special file, which direct writes cannot protect";
    Err(SandboxError::Path { path: path.to_owned(), why })
}
