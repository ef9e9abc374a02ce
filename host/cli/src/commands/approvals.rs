//! `approvals`: see what waits, answer it, take answers back.

use ringfence::approval::Place;

use crate::args::Global;
use crate::error::CliError;
use crate::places;

mod answers;
#[cfg_attr(not(target_os = "linux"), path = "approvals/nowhere.rs")]
mod waiting;

pub(crate) use answers::approvals;

/// Returns the directory of kept answers and waiting requests.
pub(super) fn place(global: &Global) -> Result<Place, CliError> {
    Place::open(&places::state(global)?).map_err(|error| CliError::Room(Box::new(error)))
}
