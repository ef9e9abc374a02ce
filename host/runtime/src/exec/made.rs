//! Protected names that a program made by direct writes: moved aside when it has ended, before
//! anything of the host acts on them, and put back when a person says so.

use std::fmt;
use std::path::{Path, PathBuf};

use ringfence_audit::{Decision, Entry, Target};
use ringfence_sandbox::{MadeProtected, SandboxError};

use super::record::ExecLog;
use crate::RunError;

/// How many names are recorded one by one; of the rest only how many there are.
const RECORDED: usize = 100;

/// What becomes of protected names that direct writes made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "whoever starts a program says one of the two")]
pub enum MadeRule {
    /// They are moved aside, where nothing takes orders from them.
    #[default]
    MoveAside,
    /// They stay.
    Keep,
}

/// Protected names that direct writes made, and what became of them.
#[must_use = "what could not be moved still bears a name that programs take orders from"]
pub struct Made {
    moved: Vec<(PathBuf, PathBuf)>,
    kept: Vec<PathBuf>,
    left: Vec<(PathBuf, String)>,
    log: ExecLog,
}

impl Made {
    /// Returns what was moved: from where and to where.
    pub fn moved(&self) -> &[(PathBuf, PathBuf)] {
        &self.moved
    }

    /// Returns what stays as the program made it, because that was wanted.
    pub fn kept(&self) -> &[PathBuf] {
        &self.kept
    }

    /// Returns what stays although it should not, or could not be looked into, and why.
    pub fn left(&self) -> &[(PathBuf, String)] {
        &self.left
    }

    /// Gives everything that was moved its name again. It is on the disk of the log first.
    ///
    /// # Errors
    /// When it cannot be recorded: nothing is put back then. What cannot be renamed stays aside and
    /// is returned with the reason.
    pub fn put_back(self) -> Result<Vec<(PathBuf, String)>, RunError> {
        let Self { moved, log, .. } = self;
        let names = moved.iter().map(|(was, _)| was.as_path());
        let why = "a person kept what direct writes made under a protected name";
        log.append_synced(&entries(&log, names, Decision::Allow, why))?;
        let back = |(was, is): (PathBuf, PathBuf)| {
            system::put_back(&was, &is).err().map(|error| (is, error.to_string()))
        };
        Ok(moved.into_iter().filter_map(back).collect())
    }
}

/// Does with `found` what `rule` says, then records it. Nothing when nothing was made.
///
/// # Errors
/// When it cannot be recorded; what was moved stays aside.
pub(super) fn settle(
    found: Result<MadeProtected, SandboxError>,
    rule: MadeRule,
    log: &ExecLog,
) -> Result<Option<Made>, RunError> {
    let found = match found {
        Ok(found) if found.names.is_empty() && found.unseen.is_empty() => return Ok(None),
        Ok(found) => found,
        Err(error) => {
            let entry = log.entry("exec.made-protected");
            log.append_synced(&[log.judged(entry, Decision::Forbid, &error.to_string())])?;
            return Err(super::ExecError::Sandbox(error).into());
        }
    };
    let closed = |path| (path, "it cannot be looked into".to_owned());
    let left = found.unseen.into_iter().map(closed).collect();
    let mut made = Made { moved: Vec::new(), kept: Vec::new(), left, log: log.clone() };
    match rule {
        MadeRule::Keep => made.kept = found.names,
        MadeRule::MoveAside => {
            for path in found.names {
                match system::move_aside(&path, log.run()) {
                    Ok(aside) => made.moved.push((path, aside)),
                    Err(error) => made.left.push((path, error.to_string())),
                }
            }
        }
    }
    log.append_synced(&made.entries(log))?;
    Ok(Some(made))
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Made");
        shown.field("moved", &self.moved).field("kept", &self.kept).field("left", &self.left);
        shown.finish_non_exhaustive()
    }
}

impl Made {
    fn entries(&self, log: &ExecLog) -> Vec<Entry> {
        let moved = self.moved.iter().map(|(was, _)| was.as_path());
        let kept = self.kept.iter().map(PathBuf::as_path);
        let left = self.left.iter().map(|(path, _)| path.as_path());
        let mut all = entries(log, moved, Decision::Forbid, "made by direct writes; moved aside");
        all.extend(entries(log, kept, Decision::Allow, "made by direct writes; kept, as told"));
        let why = "made by direct writes; it could not be moved or looked into";
        all.extend(entries(log, left, Decision::Forbid, why));
        all
    }
}

/// Returns one entry for each of the first names and one for the rest.
fn entries<'a>(
    log: &ExecLog,
    paths: impl Iterator<Item = &'a Path>,
    decision: Decision,
    why: &str,
) -> Vec<Entry> {
    let mut paths = paths.peekable();
    let entry = || log.entry("exec.made-protected");
    let mut entries = Vec::new();
    for path in paths.by_ref().take(RECORDED) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        entries.push(log.judged(entry().at(Target::name(&name)), decision, why));
    }
    if paths.peek().is_some() {
        let rest = format!("{} more: {why}", paths.count());
        entries.push(log.judged(entry(), decision, &rest));
    }
    entries
}

#[cfg(target_os = "linux")]
mod system {
    use ringfence_sandbox::aside::{self, MovedAside};
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) fn move_aside(path: &Path, mark: &str) -> io::Result<PathBuf> {
        aside::move_aside(path, mark).map(|moved| moved.is)
    }

    pub(super) fn put_back(was: &Path, is: &Path) -> io::Result<()> {
        aside::put_back(&MovedAside { was: was.to_owned(), is: is.to_owned() })
    }
}

/// Elsewhere nothing is found that could be moved.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) fn move_aside(_: &Path, _: &str) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn put_back(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
