//! Reads the same files from a directory.

use crate::archive::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};
use crate::archive::{
    ArchiveError, ArchiveProblem, MAX_SIGNATURES, PathProblem, SUMS_FILE, Sealed, names,
};
use crate::read::{self, Limit, PlainFile};
use cap_std::fs::Dir;
use std::collections::BTreeMap;

/// Tells whether `dir` holds a bundle: whether it has a `SHA256SUMS`, whatever that is.
pub fn is_sealed(dir: &Dir) -> bool {
    dir.symlink_metadata(SUMS_FILE).is_ok()
}

/// Reads a bundle that is a directory. `display` is how the operator named it.
///
/// # Errors
/// As [`super::read`]; a link, a device or a file that the list does not name is refused too, and so
/// is whatever cannot be read.
///
/// # Security
/// Each file is read once and checked as it was read. No link is followed.
pub fn read_tree(dir: &Dir, display: &str) -> Result<Sealed, ArchiveError> {
    let files = read_files(dir, display, |_| true)?;
    Sealed::from_files(files, display)
}

/// Reads every file below `dir` whose path `wanted` accepts (that of a directory ends with `/`), to
/// be packed, within the limits of a bundle.
///
/// # Errors
/// When there is a link or a device, a path that cannot stand in a bundle, or a limit is reached.
pub fn read_files(
    dir: &Dir,
    display: &str,
    mut wanted: impl FnMut(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let mut walk = Walk { display, wanted: &mut wanted, files: BTreeMap::new(), total_bytes: 0 };
    walk.directory(dir, "", 1)?;
    Ok(walk.files)
}

struct Walk<'w> {
    display: &'w str,
    wanted: &'w mut dyn FnMut(&str) -> bool,
    files: BTreeMap<String, Vec<u8>>,
    total_bytes: u64,
}

impl Walk<'_> {
    /// Reads the files of `dir`, which is `before` from the top.
    fn directory(&mut self, dir: &Dir, before: &str, depth: usize) -> Result<(), ArchiveError> {
        if depth > MAX_DEPTH {
            let problem = PathProblem::TooDeep { limit: MAX_DEPTH };
            return Err(self.fail(ArchiveProblem::Path { path: before.to_owned(), problem }));
        }
        let unreadable = |source| ArchiveError::Unreadable {
            path: format!("{}/{before}", self.display.trim_end_matches('/')),
            source,
        };
        for entry in dir.entries().map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let Some(name) = name.to_str() else {
                let path = format!("{before}{}", name.to_string_lossy());
                let problem = PathProblem::NotText;
                return Err(self.fail(ArchiveProblem::Path { path, problem }));
            };
            self.entry(dir, name, before, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        dir: &Dir,
        name: &str,
        before: &str,
        depth: usize,
    ) -> Result<(), ArchiveError> {
        let path = format!("{before}{name}");
        let shown = format!("{}/{path}", self.display.trim_end_matches('/'));
        if read::metadata(dir, name, &shown)?.is_dir() {
            let inside = format!("{path}/");
            if !(self.wanted)(&inside) {
                return Ok(());
            }
            names::check(&path)
                .map_err(|problem| self.fail(ArchiveProblem::Path { path, problem }))?;
            let below = read::subdirectory(dir, name, &shown)?;
            return self.directory(&below, &inside, depth + 1);
        }
        if !(self.wanted)(&path) {
            return Ok(());
        }
        names::check(&path)
            .map_err(|problem| self.fail(ArchiveProblem::Path { path: path.clone(), problem }))?;
        // The list and its signatures have limits of their own, which are checked with their content.
        if self.files.len() > MAX_FILES + MAX_SIGNATURES {
            return Err(self.fail(ArchiveProblem::TooMany { limit: MAX_FILES }));
        }
        let left = MAX_TOTAL_BYTES.saturating_sub(self.total_bytes);
        let limit = Limit { what: "file of a bundle", bytes: MAX_FILE_BYTES.min(left) };
        let bytes = PlainFile::open(dir, name, &shown, limit)?.rest(Vec::new())?;
        self.total_bytes = self.total_bytes.saturating_add(bytes.len() as u64);
        self.files.insert(path, bytes);
        Ok(())
    }

    fn fail(&self, problem: ArchiveProblem) -> ArchiveError {
        ArchiveError::refused(self.display, problem)
    }
}
