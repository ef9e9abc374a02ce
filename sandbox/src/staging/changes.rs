//! What a stage would change, what of it needs an approval of its own, and what was decided.

use super::path::RelPath;
use super::{Kind, Node};
use ringfence_capability::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something about a change that a general yes does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Flag {
    /// The path, or one that goes away with it, has a name that a host tool would act on.
    ProtectedName,
    /// A set-user-id or set-group-id bit is set.
    SetId,
    /// A symbolic link that is absolute or leads out of the workspace.
    EscapingLink,
    /// A named pipe, a socket or a device.
    Special,
    /// A part of what git takes for a bare repository, whose configuration it obeys.
    Repository,
    /// The file that is changed has another name outside the workspace; that one stays as it is.
    HardLinkOutside,
}

/// What happens to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "a reader of changes must handle every case")]
pub enum Effect {
    /// There was nothing before.
    Added,
    /// There is something else than before.
    Changed,
    /// There is nothing any more.
    Deleted,
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub(super) path: RelPath,
    pub(super) effect: Effect,
    pub(super) before: Option<Node>,
    pub(super) after: Option<Node>,
    pub(super) flags: BTreeSet<Flag>,
    /// How many entries go away with it, when it is a directory.
    pub(super) below: u64,
    /// Whether somebody else changed it while the program ran.
    pub(super) changed_meanwhile: bool,
}

/// Everything a stage would change, parents before what they hold. Only a stage makes one, so the
/// flags in it are what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub(super) stage: String,
    pub(super) changes: Vec<Change>,
}

/// Which changes a person approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What the general yes covers.
    pub approve: Approve,
    /// The flagged paths that were approved on their own, each exactly.
    pub also: BTreeSet<RelPath>,
}

/// What a general yes covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Approve {
    /// Every change.
    All,
    /// These paths and what lies below them.
    Paths(BTreeSet<RelPath>),
}

impl Flag {
    /// Returns the words for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::ProtectedName => "protected name",
            Self::SetId => "set-id bit",
            Self::EscapingLink => "link out of the workspace",
            Self::Special => "special file",
            Self::Repository => "part of a bare repository",
            Self::HardLinkOutside => "hard link outside the workspace",
        }
    }
}

impl Change {
    /// Returns the path.
    pub fn path(&self) -> &RelPath {
        &self.path
    }

    /// Returns what happens to it.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns what lay there.
    pub fn before(&self) -> Option<&Node> {
        self.before.as_ref()
    }

    /// Returns what will lie there.
    pub fn after(&self) -> Option<&Node> {
        self.after.as_ref()
    }

    /// Returns what needs an approval of its own.
    pub fn flags(&self) -> &BTreeSet<Flag> {
        &self.flags
    }

    /// Returns whether somebody else changed it while the program ran; it cannot be committed.
    pub fn changed_meanwhile(&self) -> bool {
        self.changed_meanwhile
    }

    /// Returns what is different, in words.
    pub fn differences(&self) -> Vec<String> {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before.kind == after.kind => differences(before, after),
            (Some(before), Some(after)) => {
                let mut all = vec![format!("{} becomes {}", describe(before), describe(after))];
                all.extend(count(self.below));
                all
            }
            (None, Some(after)) => vec![describe(after)],
            (Some(before), None) => {
                let mut all = vec![describe(before)];
                all.extend(count(self.below));
                all
            }
            (None, None) => Vec::new(),
        }
    }
}

impl Changes {
    /// Returns whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns how many paths change.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Returns the changes, parents before what they hold.
    pub fn iter(&self) -> std::slice::Iter<'_, Change> {
        self.changes.iter()
    }

    /// Returns the changes that need an approval of their own.
    pub fn flagged(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.flags.is_empty())
    }

    /// Returns the SHA-256 over the whole list: what an approval is bound to.
    pub fn digest(&self) -> Digest {
        // Serialising plain data into memory does not fail; if it did, nothing would match.
        let bytes = serde_json::to_vec(&self.changes).unwrap_or_default();
        Digest::from_bytes(Sha256::digest(bytes).into())
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = &'a Change;
    type IntoIter = std::slice::Iter<'a, Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Decision {
    /// Returns the yes to everything that has no flag; flagged changes still refuse the commit.
    pub fn all() -> Self {
        Self { approve: Approve::All, also: BTreeSet::new() }
    }

    /// Returns the yes to everything in `changes` that has no flag; what has one is left out, with
    /// everything that lies below it.
    pub fn unflagged(changes: &Changes) -> Self {
        let flagged: BTreeSet<&RelPath> = changes.flagged().map(Change::path).collect();
        // A directory that holds a flagged change would approve that too: its entries are named.
        let holding: BTreeSet<RelPath> = flagged.iter().copied().flat_map(ancestors).collect();
        let free = |path: &RelPath| {
            !flagged.contains(path)
                && !holding.contains(path)
                && ancestors(path).all(|ancestor| !flagged.contains(&ancestor))
        };
        let paths = changes.iter().map(Change::path).filter(|path| free(path)).cloned().collect();
        Self { approve: Approve::Paths(paths), also: BTreeSet::new() }
    }

    /// Returns the same with these flagged paths approved on their own.
    #[must_use]
    pub fn also(mut self, paths: impl IntoIterator<Item = RelPath>) -> Self {
        self.also.extend(paths);
        self
    }
}

/// A readable list: one line per path, then what is special about it.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in self {
            writeln!(f, "{change}")?;
        }
        let total = self.changes.iter().fold([0; 3], |mut total, change| {
            total[change.effect as usize] += 1;
            total
        });
        write!(f, "{} added, {} changed, {} deleted", total[0], total[1], total[2])
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.effect {
            Effect::Added => "added  ",
            Effect::Changed => "changed",
            Effect::Deleted => "deleted",
        };
        write!(f, "{word} {}: {}", self.path, self.differences().join(", "))?;
        for flag in &self.flags {
            write!(f, " [{}]", flag.label())?;
        }
        if self.changed_meanwhile {
            f.write_str(" [changed by somebody else meanwhile]")?;
        }
        Ok(())
    }
}

/// Returns the directories that hold `path`, the nearest first.
pub(super) fn ancestors(path: &RelPath) -> impl Iterator<Item = RelPath> {
    std::iter::successors(path.parent(), RelPath::parent)
}

fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::File => format!("file {:04o} {} bytes", node.mode, node.size_bytes),
        Kind::Directory => format!("directory {:04o}", node.mode),
        Kind::Symlink { target } => format!("link to {target}"),
        other => format!("{} {:04o}", other.label(), node.mode),
    }
}

fn count(below: u64) -> Option<String> {
    (below > 0).then(|| format!("with {below} entries"))
}

fn differences(before: &Node, after: &Node) -> Vec<String> {
    let mut all = Vec::new();
    if let (Kind::Symlink { target: before }, Kind::Symlink { target: after }) =
        (&before.kind, &after.kind)
    {
        all.push(format!("link to {before} becomes link to {after}"));
        return all;
    }
    if before.kind == Kind::File && before.digest != after.digest {
        all.push(match (before.size_bytes, after.size_bytes) {
            (one, other) if one == other => format!("content, {one} bytes"),
            (one, other) => format!("content, {one} to {other} bytes"),
        });
    }
    if before.mode != after.mode {
        all.push(format!("mode {:04o} to {:04o}", before.mode, after.mode));
    }
    all.extend(attributes(&before.attributes, &after.attributes));
    if all.is_empty() {
        all.push("replaced".to_owned());
    }
    all
}

fn attributes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| {
            let name = super::path::neutral(name.as_bytes(), super::path::Keep::Nothing);
            format!("attribute {name}")
        })
        .collect()
}
