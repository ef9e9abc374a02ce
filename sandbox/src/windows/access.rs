//! Which entries a run adds to the access lists of granted files, and takes away at its end.
//!
//! A program in an `AppContainer` opens only what its own identifier was given. The identifier is
//! made for one run and never used again, so the entries of a run are exactly those that name it.
//! The rights never hold `WRITE_DAC`, `WRITE_OWNER` or `FILE_DELETE_CHILD`.
//!
//! What such entries cannot say is refused instead of approximated: less inside more, and names
//! that do not exist yet. Plain computation, tested on every system; not verified on this system:
//! that Windows enforces the entries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::SandboxError;
use crate::plan::{Access, FileRule};

/// `FILE_GENERIC_READ | FILE_GENERIC_EXECUTE`.
pub(super) const READ_RIGHTS: u32 = 0x0012_0089 | 0x0012_00a0;

/// [`READ_RIGHTS`], `FILE_GENERIC_WRITE` and `DELETE`; nothing that changes an access list.
pub(super) const WRITE_RIGHTS: u32 = READ_RIGHTS | 0x0012_0116 | 0x0001_0000;

/// Most entries of one run; each may be inherited by a whole tree.
pub(super) const MAX_ENTRIES: usize = 128;

const PROTECTED: &str = "protected names that do not exist yet cannot be held on Windows";
const NARROWED: &str = "Windows cannot give less inside a directory that is written";
const ROOT: &str = "the access list of a whole drive is not changed";
const STAGED: &str = "Windows has no overlay to stage writes in";

/// How far an entry reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The path and everything below it, also what is made later.
    Tree,
    /// This one file.
    File,
}

/// One entry for the identifier of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessEntry {
    /// The path whose list gets the entry.
    pub(super) path: PathBuf,
    /// The rights, as an access mask.
    pub(super) rights: u32,
    /// How far it reaches.
    pub(super) reach: Reach,
}

/// Returns the entries for the files of a plan and for its program, in the order of their paths;
/// a program of the system needs none.
///
/// # Errors
/// [`SandboxError::Path`] and [`SandboxError::TooMany`] for what access lists cannot hold exactly.
pub(super) fn access_entries(
    files: &[FileRule],
    protected: &[String],
    program: Option<&Path>,
) -> Result<Vec<AccessEntry>, SandboxError> {
    let mut entries: BTreeMap<&Path, AccessEntry> = BTreeMap::new();
    for rule in files {
        let entry = entry(rule)?;
        if rule.access == Access::Write && !protected.is_empty() {
            return Err(refused(&rule.path, PROTECTED));
        }
        let around = files.iter().any(|outer| {
            outer.access == Access::Write
                && rule.access == Access::Read
                && rule.path.starts_with(&outer.path)
        });
        if around {
            return Err(refused(&rule.path, NARROWED));
        }
        entries.insert(&rule.path, entry);
    }
    let covered = |path: &&Path| files.iter().any(|rule| path.starts_with(&rule.path));
    if let Some(program) = program.filter(|path| !covered(path)) {
        let path = program.to_path_buf();
        entries.insert(program, AccessEntry { path, rights: READ_RIGHTS, reach: Reach::File });
    }
    if entries.len() > MAX_ENTRIES {
        return Err(SandboxError::TooMany { what: "entries in access lists", limit: MAX_ENTRIES });
    }
    Ok(entries.into_values().collect())
}

fn entry(rule: &FileRule) -> Result<AccessEntry, SandboxError> {
    if rule.path.parent().is_none() {
        return Err(refused(&rule.path, ROOT));
    }
    let rights = match rule.access {
        Access::Read => READ_RIGHTS,
        Access::Write => WRITE_RIGHTS,
        Access::Staged => return Err(refused(&rule.path, STAGED)),
    };
    Ok(AccessEntry { path: rule.path.clone(), rights, reach: Reach::Tree })
}

fn refused(path: &Path, why: &'static str) -> SandboxError {
    SandboxError::Path { path: path.to_path_buf(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, access: Access) -> FileRule {
        FileRule { path: path.into(), access }
    }

    fn entry(path: &str, rights: u32, reach: Reach) -> AccessEntry {
        AccessEntry { path: path.into(), rights, reach }
    }

    fn check(files: &[FileRule], protected: &[&str], expected: Result<&[AccessEntry], &str>) {
        let protected: Vec<String> = protected.iter().map(|name| (*name).to_owned()).collect();
        let found = access_entries(files, &protected, Some(Path::new("/tools/run")));
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map(<[AccessEntry]>::to_vec).map_err(str::to_owned));
    }

    #[test]
    fn each_rule_becomes_an_entry_and_the_program_gets_its_own() {
        let files = [rule("/w", Access::Read), rule("/w/out", Access::Write)];
        let expected = [
            entry("/tools/run", READ_RIGHTS, Reach::File),
            entry("/w", READ_RIGHTS, Reach::Tree),
            entry("/w/out", WRITE_RIGHTS, Reach::Tree),
        ];
        check(&files, &[], Ok(&expected));
        let system = access_entries(&files, &[], None).map_err(|error| error.to_string());
        assert_eq!(system, Ok(expected[1..].to_vec()));
        let inside = [rule("/tools", Access::Read)];
        check(&inside, &[".git"], Ok(&[entry("/tools", READ_RIGHTS, Reach::Tree)]));
    }

    #[test]
    fn no_right_changes_an_access_list_or_deletes_through_the_parent() {
        const WRITE_DAC: u32 = 0x0004_0000;
        const WRITE_OWNER: u32 = 0x0008_0000;
        const FILE_DELETE_CHILD: u32 = 0x40;
        const FILE_WRITE_DATA: u32 = 0x2;
        for rights in [READ_RIGHTS, WRITE_RIGHTS] {
            assert_eq!(rights & (WRITE_DAC | WRITE_OWNER | FILE_DELETE_CHILD), 0);
        }
        assert_eq!(READ_RIGHTS & FILE_WRITE_DATA, 0);
    }

    #[test]
    fn what_access_lists_cannot_hold_is_refused() {
        let said = |path: &str, why| format!("the sandbox cannot use the path `{path}`: {why}");
        let write = [rule("/w", Access::Write)];
        check(&write, &[".git"], Err(&said("/w", PROTECTED)));
        let staged = [rule("/w", Access::Staged)];
        check(&staged, &[], Err(&said("/w", STAGED)));
        let narrowed = [rule("/w/keep", Access::Read), rule("/w", Access::Write)];
        check(&narrowed, &[], Err(&said("/w/keep", NARROWED)));
        let root = [rule("/", Access::Read)];
        check(&root, &[], Err(&said("/", ROOT)));
        let many: Vec<_> =
            (0..MAX_ENTRIES).map(|number| rule(&format!("/w/{number}"), Access::Read)).collect();
        let found =
            access_entries(&many, &[], Some(Path::new("/tools/run"))).map_err(|e| e.to_string());
        assert!(found.is_err_and(|text| text.contains("more than 128 entries")));
    }
}
