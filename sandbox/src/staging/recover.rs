//! Finishes or takes back what a crash interrupted, and removes what nobody owns any more.

use super::journal::{self, Journal, Steps};
use super::state::{Home, Root, State};
use super::transaction::{Transaction, abandon};
use super::{StagingError, settle};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// What became of one stage whose process is gone.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovered {
    /// The stage.
    pub stage: String,
    /// The workspace it was about to write, when a commit had begun.
    pub workspace: Option<PathBuf>,
    /// What was done about it.
    pub outcome: Outcome,
}

/// What was done about a stage.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It was never committed; its changes are gone.
    Discarded,
    /// Its commit was finished.
    Finished,
    /// Its commit was taken back, because it had not begun or could not be finished.
    TakenBack,
    /// Nothing could be done; the stage is kept and tried again next time.
    Stuck(StagingError),
}

/// Recovers every stage without an owner; with `only`, those of one workspace.
pub(super) fn run(
    state: &State,
    only: Option<&Root>,
    steps: &mut Steps,
) -> Result<Vec<Recovered>, StagingError> {
    let mut all = Vec::new();
    for home in state.orphans()? {
        let journal: Option<Journal> = match journal::read(&home.fd, journal::JOURNAL) {
            Ok(journal) => journal,
            Err(error) => {
                all.push(recovered(&home, None, Outcome::Stuck(error)));
                continue;
            }
        };
        let workspace =
            journal.as_ref().map(|journal| PathBuf::from(journal.workspace.path.as_os_str()));
        if only.is_some_and(|root| workspace.as_ref() != Some(&root.path)) {
            continue;
        }
        let outcome = match journal {
            None => state.remove(&home).map(|()| Outcome::Discarded),
            Some(journal) => one(state, &home, journal, steps),
        };
        match outcome {
            Err(error) if error.is_crash() => return Err(error),
            Err(error) => all.push(recovered(&home, workspace, Outcome::Stuck(error))),
            Ok(outcome) => all.push(recovered(&home, workspace, outcome)),
        }
    }
    Ok(all)
}

fn recovered(home: &Home, workspace: Option<PathBuf>, outcome: Outcome) -> Recovered {
    Recovered { stage: home.id.clone(), workspace, outcome }
}

fn one(
    state: &State,
    home: &Home,
    journal: Journal,
    steps: &mut Steps,
) -> Result<Outcome, StagingError> {
    let root = Root::open(Path::new(journal.workspace.path.as_os_str()))?;
    if root.record()? != journal.workspace || !is_ours(&journal) {
        let why = "the workspace is not the directory it was".to_owned();
        return Err(StagingError::BrokenRecord { what: "journal", why });
    }
    let (undo, _lock) = state.undo_of(&root.path)?;
    let outcome = decide(&root, home, journal, &undo, steps)?;
    state.remove(home)?;
    Ok(outcome)
}

fn decide(
    root: &Root,
    home: &Home,
    journal: Journal,
    undo: &rustix::fd::OwnedFd,
    steps: &mut Steps,
) -> Result<Outcome, StagingError> {
    let built = journal::read(&home.fd, journal::APPLY)?;
    let (Some(built), true) = (built, has_workshop(root, &journal)?) else {
        // Either nothing was done yet, or everything was and only the stage was left.
        let applied = journal::exists(&home.fd, journal::APPLIED)?;
        abandon(&root.fd, &home.fd, &journal)?;
        return Ok(if applied { Outcome::Finished } else { Outcome::TakenBack });
    };
    let work = Transaction::resume(&root.fd, &home.fd, journal, built)?;
    if journal::exists(&home.fd, journal::ROLLBACK)? {
        work.take_back(steps)?;
        return Ok(Outcome::TakenBack);
    }
    if !journal::exists(&home.fd, journal::APPLIED)? {
        match work.apply(steps) {
            Ok(()) => {}
            Err(error) if error.is_crash() => return Err(error),
            // When taking back succeeded, there is no journal any more.
            Err(_) if !journal::exists(&home.fd, journal::JOURNAL)? => {
                return Ok(Outcome::TakenBack);
            }
            Err(error) => return Err(error),
        }
    }
    settle::settle(&root.fd, &home.fd, &work.journal, undo, steps)?;
    Ok(Outcome::Finished)
}

fn has_workshop(root: &Root, journal: &Journal) -> Result<bool, StagingError> {
    let there = super::dir::stat(&root.fd, journal.workshop.as_ref());
    there
        .map(|stat| stat.is_some())
        .map_err(|source: Errno| StagingError::io("look at", &journal.workshop, source))
}

/// Returns whether the workshop is named as this program names it: it is removed whole.
fn is_ours(journal: &Journal) -> bool {
    journal
        .workshop
        .strip_prefix(".ringfence-commit-")
        .is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
