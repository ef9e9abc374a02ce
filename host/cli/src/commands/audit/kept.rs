//! Whether the answers that are kept are those the log tells of. An older copy of them that was put
//! back would bring back what was taken back or used up; the log, which goes on, shows it.
//!
//! The log is read first: what is kept may be ahead of it, never behind.

use std::collections::BTreeMap;
use std::path::Path;

use ringfence::approval::{Lease, LeaseState, Place, Store};
use ringfence::{Class, Diagnostic};
use ringfence_audit::{Decision, Record};

use crate::error::CliError;

/// Where the answers are, below the state directory.
const STORE: &str = "approvals/leases.sqlite";

/// What the log tells about each kept answer.
#[derive(Default)]
pub(super) struct Told(BTreeMap<String, One>);

#[derive(Default, Clone, Copy)]
struct One {
    uses: u32,
    is_revoked: bool,
}

/// An answer that is not kept as the log tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) lease: String,
    pub(super) why: String,
}

impl Told {
    /// Takes the next record into account.
    pub(super) fn see(&mut self, record: &Record) {
        let entry = &record.entry;
        if entry.operation == "approval.revoke-all" {
            self.0.values_mut().for_each(|one| one.is_revoked = true);
        }
        let Some(lease) = entry.approval.as_ref().and_then(|approval| approval.lease.as_ref())
        else {
            return;
        };
        let one = self.0.entry(lease.clone()).or_default();
        match entry.operation.as_str() {
            "approval.revoke" => one.is_revoked = true,
            "exec.approval" | "exec.commit-approval" if entry.decision == Some(Decision::Allow) => {
                one.uses = one.uses.saturating_add(1);
            }
            _ => {}
        }
    }

    /// Returns the kept answers that are behind the log.
    pub(super) fn behind(&self, state: &Path) -> Result<Vec<Behind>, CliError> {
        let is_there = state.join(STORE).try_exists();
        if self.0.is_empty() || !is_there.unwrap_or(true) {
            return Ok(Vec::new());
        }
        let room = |error| CliError::Room(Box::new(error));
        let place = Place::open(state).map_err(room)?;
        let store = Store::open(&place, Box::new(jiff::Timestamp::now)).map_err(room)?;
        let leases = store.list().map_err(room)?;
        Ok(leases.iter().filter_map(|lease| self.judge(lease)).collect())
    }

    fn judge(&self, lease: &Lease) -> Option<Behind> {
        let one = self.0.get(lease.id.as_str()).filter(|_| lease.state == LeaseState::Holds)?;
        let why = if one.is_revoked {
            "it holds, and the log says it was taken back".to_owned()
        } else {
            // Where uses are not counted, none can be brought back.
            let kept = lease.uses.filter(|kept| one.uses > *kept)?;
            format!("it was used {kept} times, and the log says {}", one.uses)
        };
        Some(Behind { lease: lease.id.to_string(), why })
    }
}

impl std::fmt::Display for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the kept answer `{}` is not what the log tells: {}", self.lease, self.why)
    }
}

impl std::error::Error for Behind {}

impl Diagnostic for Behind {
    fn code(&self) -> &'static str {
        "approval::behind-log"
    }

    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "an older copy of the answers may have been put back; `ringfence approvals revoke {}` ends \
             this one, `ringfence approvals revoke --all` every yes",
            self.lease
        ))
    }
}
