//! Protected names under direct writes: the ones that exist are found and become read-only.
//!
//! Not held, and said so by `enforcement`: a protected name that does not exist yet can be made,
//! and a file below one can be written through another hard link to it. Staged writes hold both:
//! there the commit refuses the name.

use crate::{Access, SandboxError, SandboxPlan};
use std::fs;
use std::path::{Path, PathBuf};

/// The most entries that are looked at.
const ENTRIES: usize = 500_000;

/// Returns the protected paths below everything that is written directly, at any depth.
///
/// # Errors
/// [`SandboxError::TooMany`] when there is too much to look at, [`SandboxError::Path`] when a
/// protected name is a link, which cannot be made read-only, and [`SandboxError::Unreachable`]
/// when a directory cannot be read.
pub(super) fn existing(plan: &SandboxPlan) -> Result<Vec<PathBuf>, SandboxError> {
    let written = plan.files().iter().filter(|rule| rule.access == Access::Write);
    let mut pending: Vec<PathBuf> = written.map(|rule| rule.path.clone()).collect();
    if plan.protected().is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = plan.protected().iter().map(|name| folded(name)).collect();
    let mut found = Vec::new();
    let mut seen = 0;
    pending.retain(|path| path.is_dir());
    while let Some(directory) = pending.pop() {
        let fail = |source| SandboxError::Unreachable { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            seen += 1;
            if seen > ENTRIES {
                return Err(SandboxError::TooMany { what: "files", limit: ENTRIES });
            }
            let kind = entry.file_type().map_err(fail)?;
            let protected = entry.file_name().to_str().is_some_and(|n| names.contains(&folded(n)));
            match (protected, kind.is_dir()) {
                (true, _) => found.push(maskable(&entry.path(), kind)?),
                (false, true) => pending.push(entry.path()),
                (false, false) => {}
            }
        }
    }
    found.sort();
    Ok(found)
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
