//! `approvals`: see what waits, answer it, take answers back.

use ringfence::approval::Place;

use crate::args::Global;
use crate::error::CliError;
use crate::places;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::approvals;

/// `ringfence approvals`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn approvals(
    _: crate::args::ApprovalsCommand,
    _: &Global,
    _: &crate::print::Printer,
) -> Result<u8, CliError> {
    Err(CliError::Usage("`approvals` is offered on Linux only".to_owned()))
}

/// Returns the directory of kept answers and waiting requests.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has the socket"))]
pub(super) fn place(global: &Global) -> Result<Place, CliError> {
    Place::open(&places::state(global)?).map_err(|error| CliError::Room(Box::new(error)))
}
