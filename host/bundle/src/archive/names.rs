//! Which paths can stand in a bundle: those that mean one file, the same, on every system.
//!
//! Only ASCII: how other letters are composed and which of them differ in case only depends on the
//! version of Unicode a system knows, and two readers of one bundle must never disagree.

use crate::archive::limits::{MAX_DEPTH, MAX_FILES, MAX_PART_BYTES, MAX_PATH_BYTES};
use crate::archive::{ArchiveProblem, PathProblem, SIGNATURE_FILE, SUMS_FILE};
use std::collections::BTreeMap;

/// Names of devices on Windows, which mean them in every directory and with every ending.
const DEVICES: [&str; 24] = [
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7",
    "com8", "com9", "lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Checks the form of a path.
pub(crate) fn check(path: &str) -> Result<(), PathProblem> {
    if path.is_empty() {
        return Err(PathProblem::Empty);
    }
    for c in path.chars() {
        match c {
            '\\' => return Err(PathProblem::Backslash),
            c if c.is_ascii_control() => return Err(PathProblem::Control),
            c if !c.is_ascii() => return Err(PathProblem::NotAscii),
            ':' | '*' | '?' | '"' | '<' | '>' | '|' => return Err(PathProblem::Character { c }),
            _ => {}
        }
    }
    if path.starts_with('/') {
        return Err(PathProblem::Absolute);
    }
    if path.len() > MAX_PATH_BYTES {
        return Err(PathProblem::TooLong { limit_bytes: MAX_PATH_BYTES });
    }
    if path.split('/').count() > MAX_DEPTH {
        return Err(PathProblem::TooDeep { limit: MAX_DEPTH });
    }
    path.split('/').try_for_each(part)
}

fn part(part: &str) -> Result<(), PathProblem> {
    match part {
        "" => return Err(PathProblem::EmptyPart),
        "." => return Err(PathProblem::Dot),
        ".." => return Err(PathProblem::Parent),
        _ => {}
    }
    if part.len() > MAX_PART_BYTES {
        return Err(PathProblem::TooLong { limit_bytes: MAX_PART_BYTES });
    }
    if part.ends_with(['.', ' ']) || part.starts_with(' ') {
        return Err(PathProblem::Ending);
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ');
    if DEVICES.iter().any(|device| device.eq_ignore_ascii_case(stem)) {
        return Err(PathProblem::Device);
    }
    Ok(())
}

/// Tells whether `path` is a name only the list and its signatures may have.
pub(crate) fn is_reserved(path: &str) -> bool {
    path.get(..SUMS_FILE.len()).is_some_and(|start| start.eq_ignore_ascii_case(SUMS_FILE))
}

/// Tells whether `name` is that of a signature: `SHA256SUMS.minisig` or
/// `SHA256SUMS.<key id>.minisig`, the id as 16 upper-case hexadecimal digits.
pub fn is_signature(name: &str) -> bool {
    name == SIGNATURE_FILE || key_of_signature(name).is_some()
}

/// Returns the key id in the name of a signature file that has one.
pub fn key_of_signature(name: &str) -> Option<&str> {
    let id = name.strip_prefix(SUMS_FILE)?.strip_prefix('.')?.strip_suffix(".minisig")?;
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
    (id.len() == 16 && id.bytes().all(hex)).then_some(id)
}

/// The paths that came so far, to find those that mean the same file.
#[derive(Default)]
pub(crate) struct Paths {
    /// Files and the directories they lie in, in lower case, as they were first written.
    known: BTreeMap<String, (String, What)>,
    files: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    File,
    Directory,
}

impl Paths {
    /// Takes the next path.
    pub(crate) fn add(&mut self, path: &str) -> Result<(), ArchiveProblem> {
        check(path).map_err(|problem| ArchiveProblem::Path { path: path.to_owned(), problem })?;
        // Signatures have a limit of their own.
        if !is_signature(path) {
            self.files += 1;
        }
        if self.files > MAX_FILES {
            return Err(ArchiveProblem::TooMany { limit: MAX_FILES });
        }
        for (at, _) in path.match_indices('/') {
            self.insert(&path[..at], What::Directory, path)?;
        }
        self.insert(path, What::File, path)
    }

    fn insert(&mut self, name: &str, what: What, path: &str) -> Result<(), ArchiveProblem> {
        let folded = name.to_ascii_lowercase();
        let Some((first, known)) = self.known.get(&folded) else {
            self.known.insert(folded, (name.to_owned(), what));
            return Ok(());
        };
        let (path, other) = (path.to_owned(), first.clone());
        match (known, what) {
            _ if first != name => Err(ArchiveProblem::SameButForCase { path, other }),
            (What::Directory, What::Directory) => Ok(()),
            (What::File, What::File) => Err(ArchiveProblem::Duplicate { path }),
            (What::File, What::Directory) | (What::Directory, What::File) => {
                Err(ArchiveProblem::FileAndDirectory { path, other })
            }
        }
    }
}
