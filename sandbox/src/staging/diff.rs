//! The changes as text that is safe to show: bounded, and with control characters neutralised.

use super::path::{Keep, neutral};
use super::{Change, Changes, Kind, Node, RelPath, StagingError, dir};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;
use std::io::Read as _;
use std::time::Duration;

/// How much of the changes is shown as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiffLimits {
    /// A larger file is only named.
    pub file_bytes: u64,
    /// When the text is longer, the rest of the changes is only named.
    pub total_bytes: usize,
    /// How long one file may take; after that the difference is coarser.
    pub time_per_file: Duration,
    /// How many lines are shown around a difference.
    pub context_lines: usize,
}

impl Default for DiffLimits {
    fn default() -> Self {
        Self {
            file_bytes: 256 * 1024,
            total_bytes: 1024 * 1024,
            time_per_file: Duration::from_millis(200),
            context_lines: 3,
        }
    }
}

/// What one side of a change reads as.
enum Side {
    Absent,
    Text(String),
    Binary,
    TooLarge,
}

/// Returns every change with its text, as long as the limits allow.
pub(super) fn render(
    upper: &OwnedFd,
    lower: &OwnedFd,
    changes: &Changes,
    limits: DiffLimits,
) -> Result<String, StagingError> {
    let mut text = String::new();
    for change in changes {
        let _ = writeln!(text, "{change}");
        if !has_content(change) {
            continue;
        }
        if text.len() > limits.total_bytes {
            let _ = writeln!(text, "  (not shown: the text is too long)");
            continue;
        }
        let before = side(lower, change.path(), change.before(), limits)?;
        let after = side(upper, change.path(), change.after(), limits)?;
        match (before, after) {
            (Side::Binary, _) | (_, Side::Binary) => text.push_str("  (binary)\n"),
            (Side::TooLarge, _) | (_, Side::TooLarge) => {
                text.push_str("  (not shown: the file is too large)\n");
            }
            (before, after) => unified(&mut text, before.text(), after.text(), limits),
        }
    }
    Ok(text)
}

impl Side {
    fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }
}

/// Returns whether the content of a file is different.
fn has_content(change: &Change) -> bool {
    let digest = |node: Option<&Node>| {
        node.filter(|node| node.kind == Kind::File).and_then(|node| node.digest)
    };
    digest(change.before()) != digest(change.after())
}

fn side(
    root: &OwnedFd,
    path: &RelPath,
    node: Option<&Node>,
    limits: DiffLimits,
) -> Result<Side, StagingError> {
    let Some(node) = node.filter(|node| node.kind == Kind::File) else { return Ok(Side::Absent) };
    if node.size_bytes > limits.file_bytes {
        return Ok(Side::TooLarge);
    }
    let mut bytes = Vec::new();
    let file = open(root, path).map_err(|source| StagingError::io("open", path, source))?;
    file.take(limits.file_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| StagingError::io("read", path, source))?;
    if bytes.contains(&0) {
        return Ok(Side::Binary);
    }
    Ok(String::from_utf8(bytes).map_or(Side::Binary, Side::Text))
}

fn open(root: &OwnedFd, path: &RelPath) -> Result<std::fs::File, Errno> {
    let mut parent = dir::open_beneath(root, &RelPath::root())?;
    for name in path.parent().unwrap_or_default().components() {
        parent = dir::open_directory(&parent, name)?;
    }
    dir::open_file(&parent, path.name())
}

fn unified(text: &mut String, before: &str, after: &str, limits: DiffLimits) {
    let diff = TextDiff::configure().timeout(limits.time_per_file).diff_lines(before, after);
    for group in diff.grouped_ops(limits.context_lines) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (old, new) = (
            first.old_range().start..last.old_range().end,
            first.new_range().start..last.new_range().end,
        );
        let _ = writeln!(
            text,
            "  @@ -{},{} +{},{} @@",
            old.start + 1,
            old.len(),
            new.start + 1,
            new.len()
        );
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value().strip_suffix('\n').unwrap_or(change.value());
            let _ = writeln!(text, "  {sign}{}", neutral(line.as_bytes(), Keep::Tabs));
            if change.missing_newline() {
                text.push_str("  \\ no newline at the end\n");
            }
            if text.len() > limits.total_bytes {
                text.push_str("  (cut off: the text is too long)\n");
                return;
            }
        }
    }
}
