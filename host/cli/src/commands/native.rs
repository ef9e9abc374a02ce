//! How the native programs that a plugin asks for are found, and who is asked about each.

use std::sync::Arc;

use ringfence::NativeOptions;
use ringfence::approval::{Approver, NoApprover};

use crate::args::{ApproverKind, Global};
use crate::error::CliError;

/// Returns the options for a plugin whose programs `kind` is asked about.
pub(super) fn options(kind: ApproverKind, global: &Global) -> Result<NativeOptions, CliError> {
    let search = std::env::var_os("PATH");
    let mut options =
        NativeOptions { approver: approver(kind, global)?, ..NativeOptions::default() };
    if let Some(search) = search {
        // A directory that is not absolute would depend on where one stands.
        options.path = std::env::split_paths(&search).filter(|place| place.is_absolute()).collect();
    }
    Ok(options)
}

fn approver(kind: ApproverKind, global: &Global) -> Result<Option<Arc<dyn Approver>>, CliError> {
    match kind {
        ApproverKind::None => Ok(Some(Arc::new(NoApprover))),
        ApproverKind::Socket => socket(global).map(Some),
        ApproverKind::Auto => Ok(terminal()),
        ApproverKind::Terminal => match terminal() {
            Some(approver) => Ok(Some(approver)),
            None => Err(CliError::Usage("there is no terminal to ask at".to_owned())),
        },
    }
}

fn terminal() -> Option<Arc<dyn Approver>> {
    super::exec::tty().map(|tty| Arc::from(super::exec::terminal(tty)))
}

#[cfg(target_os = "linux")]
fn socket(global: &Global) -> Result<Arc<dyn Approver>, CliError> {
    let place = Arc::new(super::approvals::place(global)?);
    Ok(Arc::new(ringfence::approval::socket::SocketApprover::new(place)))
}

#[cfg(not(target_os = "linux"))]
fn socket(_: &Global) -> Result<Arc<dyn Approver>, CliError> {
    Err(CliError::Usage("`--approver socket` is offered on Linux only".to_owned()))
}
