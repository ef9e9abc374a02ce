//! Links that lead out: symbolic ones by where they resolve to, hard ones by their other names.

use super::node::{Node, read_tree};
use super::path::RawText;
use super::{Change, Flag, Kind, RelPath, ScanLimits, StagingError, dir};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// How many links one path may lead through; the kernel follows 40.
const MAX_LINKS: u32 = 40;

/// The workspace as the program saw it.
pub(super) struct Merged<'a> {
    /// The staged layer.
    pub(super) upper: &'a OwnedFd,
    /// The workspace.
    pub(super) lower: &'a OwnedFd,
}

/// One directory of the merged view.
struct View {
    upper: Option<OwnedFd>,
    lower: Option<OwnedFd>,
}

/// What a name is in the merged view.
enum Found {
    Nothing,
    Link(Vec<u8>),
    Directory(View),
    Other,
}

impl Merged<'_> {
    /// Returns whether the link at `path` is absolute or leads out of the workspace, by its text
    /// or through other links.
    pub(super) fn escapes(&self, path: &RelPath, target: &RawText) -> Result<bool, Errno> {
        let depth = path.components().count().saturating_sub(1);
        if leaves(depth, &target.0) {
            return Ok(true);
        }
        let mut stack = vec![self.root()?];
        for name in path.parent().unwrap_or_default().components() {
            match self.look(stack.last(), name)? {
                Found::Directory(view) => stack.push(view),
                // Not a path of the merged view: nothing can be said, so it needs a look.
                Found::Nothing | Found::Link(_) | Found::Other => return Ok(true),
            }
        }
        self.resolve(stack, &target.0)
    }

    /// Returns whether there is something at `path`, all the way without a link.
    pub(super) fn has(&self, path: &RelPath) -> Result<bool, Errno> {
        let mut view = self.root()?;
        for name in path.parent().unwrap_or_default().components() {
            match self.look(Some(&view), name)? {
                Found::Directory(next) => view = next,
                Found::Nothing | Found::Link(_) | Found::Other => return Ok(false),
            }
        }
        Ok(!matches!(self.look(Some(&view), path.name())?, Found::Nothing))
    }

    fn resolve(&self, mut stack: Vec<View>, target: &[u8]) -> Result<bool, Errno> {
        let mut waiting: VecDeque<OsString> = parts(target).collect();
        let mut links = 0;
        // Names below something that is not there: `..` leaves them again.
        let mut missing = 0_u32;
        while let Some(name) = waiting.pop_front() {
            match name.as_bytes() {
                b".." if missing > 0 => missing -= 1,
                b".." => {
                    stack.pop();
                    if stack.is_empty() {
                        return Ok(true);
                    }
                }
                _ if missing > 0 => missing += 1,
                _ => match self.look(stack.last(), &name)? {
                    Found::Directory(view) => stack.push(view),
                    Found::Nothing | Found::Other => missing += 1,
                    Found::Link(next) => {
                        links += 1;
                        if links > MAX_LINKS || next.starts_with(b"/") {
                            return Ok(true);
                        }
                        parts(&next).rev().for_each(|part| waiting.push_front(part));
                    }
                },
            }
        }
        Ok(false)
    }

    fn root(&self) -> Result<View, Errno> {
        let copy = |fd: &OwnedFd| {
            let copy = fd.as_fd().try_clone_to_owned();
            copy.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        Ok(View { upper: Some(copy(self.upper)?), lower: Some(copy(self.lower)?) })
    }

    #[expect(clippy::unused_self, reason = "a view only means something within its merged tree")]
    fn look(&self, view: Option<&View>, name: &OsStr) -> Result<Found, Errno> {
        let Some(view) = view else { return Ok(Found::Nothing) };
        if let Some(upper) = &view.upper
            && let Some(stat) = dir::stat(upper, name)?
        {
            return match FileType::from_raw_mode(stat.st_mode) {
                FileType::CharacterDevice if stat.st_rdev == 0 => Ok(Found::Nothing),
                FileType::Symlink => dir::link_target(upper, name).map(Found::Link),
                FileType::Directory => {
                    let fd = dir::open_staged_directory(upper, name)?;
                    let marks = dir::attributes(&fd, |name| name == b"user.overlay.opaque")?;
                    let lower = view.lower.as_ref().filter(|_| marks.is_empty());
                    let lower = lower.and_then(|lower| dir::open_directory(lower, name).ok());
                    Ok(Found::Directory(View { upper: Some(fd), lower }))
                }
                _ => Ok(Found::Other),
            };
        }
        let Some(lower) = &view.lower else { return Ok(Found::Nothing) };
        let Some(stat) = dir::stat(lower, name)? else { return Ok(Found::Nothing) };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => dir::link_target(lower, name).map(Found::Link),
            FileType::Directory => {
                let fd = dir::open_directory(lower, name)?;
                Ok(Found::Directory(View { upper: None, lower: Some(fd) }))
            }
            _ => Ok(Found::Other),
        }
    }
}

/// Returns whether a target leaves the workspace by its text alone, from a directory that lies
/// `depth` levels down.
fn leaves(depth: usize, target: &[u8]) -> bool {
    if target.starts_with(b"/") {
        return true;
    }
    let mut depth = depth;
    for part in parts(target) {
        if part.as_bytes() != b".." {
            depth += 1;
        } else if let Some(up) = depth.checked_sub(1) {
            depth = up;
        } else {
            return true;
        }
    }
    false
}

fn parts(target: &[u8]) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    let parts = target.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    parts.map(|part| OsString::from_vec(part.to_vec()))
}

/// Changed files that have more than one name.
#[derive(Default)]
pub(super) struct OutsideLinks {
    /// Which change, and how many names the file has, by device and inode.
    watched: BTreeMap<(u64, u64), (u64, Vec<usize>)>,
}

impl OutsideLinks {
    /// Notes the file that the change `index` replaces.
    pub(super) fn watch(&mut self, index: usize, before: &Node) {
        if before.kind == Kind::File && before.identity.links > 1 {
            let key = (before.identity.device, before.identity.inode);
            self.watched.entry(key).or_insert((before.identity.links, Vec::new())).1.push(index);
        }
    }

    /// Flags the changes of files that have a name which is not found in the workspace. When the
    /// workspace is too large to be searched, all of them.
    pub(super) fn flag(
        &self,
        workspace: &OwnedFd,
        limits: ScanLimits,
        changes: &mut [Change],
    ) -> Result<(), StagingError> {
        if self.watched.is_empty() {
            return Ok(());
        }
        let root = RelPath::root();
        let fd = workspace
            .as_fd()
            .try_clone_to_owned()
            .map_err(|source| StagingError::io("open", &root, source))?;
        let mut found: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let mut entries = 0;
        let walk = read_tree::<Errno>(fd, |names, node| {
            entries += 1;
            if entries > limits.entries || names.len() as u64 > limits.depth {
                return Err(Errno::TOOBIG);
            }
            let key = (node.identity.device, node.identity.inode);
            if self.watched.contains_key(&key) {
                *found.entry(key).or_default() += 1;
            }
            Ok(())
        });
        for (key, (links, indexes)) in &self.watched {
            if walk.is_err() || found.get(key).copied().unwrap_or(0) < *links {
                for index in indexes {
                    changes[*index].flags.insert(Flag::HardLinkOutside);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::leaves;

    #[test]
    fn a_target_leaves_by_its_text_when_it_is_absolute_or_climbs_too_far() {
        let cases: [(usize, &str, bool); 8] = [
            (0, "a", false),
            (0, "../a", true),
            (1, "../a", false),
            (1, "../../a", true),
            (0, "/a", true),
            (0, "a/../b", false),
            (0, "a/../../b", true),
            (2, ".././/../x", false),
        ];
        for (depth, target, expected) in cases {
            assert_eq!(leaves(depth, target.as_bytes()), expected, "{depth} {target}");
        }
    }
}
