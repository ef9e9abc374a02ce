//! Requests that wait, where none can: only Linux tells who is at the other end of a socket.

use ringfence::approval::{Answer, Place, Request};

use crate::error::CliError;
use crate::print::Printer;

/// Returns none.
#[expect(clippy::unnecessary_wraps, reason = "as where requests wait")]
pub(super) fn requests(_: &Place) -> Result<Vec<Request>, CliError> {
    Ok(Vec::new())
}

pub(super) fn answer(_: &Place, _: &Request, _: &Answer) -> Result<(), CliError> {
    Err(absent())
}

pub(super) fn watch(_: &Place, _: &Printer) -> Result<u8, CliError> {
    Err(absent())
}

fn absent() -> CliError {
    CliError::Usage("requests wait for an answer from elsewhere on Linux only".to_owned())
}
