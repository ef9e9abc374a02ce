//! Finds bare repositories that a program put together: git obeys the configuration of one it is
//! started in, and needs no protected name for it.

use super::links::Merged;
use super::{Change, Effect, Flag, RelPath};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;

/// What a directory holds that git takes for a repository.
const NEEDED: [&str; 3] = ["HEAD", "objects", "refs"];

/// What git acts on in it.
const PARTS: [&str; 6] = ["HEAD", "objects", "refs", "config", "hooks", "commondir"];

/// Flags the parts of every repository that one of the changes is a part of.
pub(super) fn flag(merged: &Merged<'_>, changes: &mut [Change]) -> Result<(), Errno> {
    let candidates: BTreeSet<RelPath> = changes
        .iter()
        .filter(|change| change.effect != Effect::Deleted && is_part(&change.path))
        .filter_map(|change| change.path.parent())
        .collect();
    let mut found = BTreeSet::new();
    for directory in candidates {
        let mut whole = true;
        for name in NEEDED {
            whole = whole && merged.has(&directory.join(OsStr::new(name)))?;
        }
        if whole {
            found.insert(directory);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    for change in changes.iter_mut().filter(|change| change.effect != Effect::Deleted) {
        // A hook lies one level further down.
        let above = change.path.parent();
        let hook = above.as_ref().filter(|above| above.name() == "hooks").and_then(RelPath::parent);
        let part = above.filter(|_| is_part(&change.path));
        if [part, hook].iter().flatten().any(|directory| found.contains(directory)) {
            change.flags.insert(Flag::Repository);
        }
    }
    Ok(())
}

fn is_part(path: &RelPath) -> bool {
    PARTS.iter().any(|part| path.name() == *part)
}
