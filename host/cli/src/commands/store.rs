//! `install`, `list`, `update`, `remove` and `lock`: what is kept under a name, and what a person
//! agreed to.
//!
//! A bundle is verified before anything in it is believed, compared with what is installed, shown,
//! and only then put in its place; what was decided is in the audit log before it is done.

mod ask;
mod fetch;
mod install;
mod list;
mod lock;
mod offer;
mod refused;
mod update;

use ringfence::Diagnostic;
use ringfence_audit::{Approval, Decision, Entry, How, Plugin as LoggedPlugin};
use ringfence_capability::Origin;
use ringfence_store::{Installed, Store, StoreError};

use crate::args::Global;
use crate::error::CliError;
use crate::places;

pub(crate) use install::install;
pub(crate) use list::{list, remove};
pub(crate) use lock::{lock, read as lockfile};
pub(crate) use update::update;

fn room(error: impl Diagnostic + 'static) -> CliError {
    CliError::Room(Box::new(error))
}

/// Opens the store to change it.
fn open(global: &Global) -> Result<Store, CliError> {
    Store::open(&places::data(global)?).map_err(room)
}

/// Opens the store to look at it; nothing when nothing was ever installed.
fn look(global: &Global) -> Result<Option<Store>, CliError> {
    Store::look(&places::data(global)?).map_err(room)
}

/// Returns the record of what was decided about a bundle.
fn decided(operation: &str, plugin: LoggedPlugin, decision: Decision, reason: &str) -> Entry {
    let layer = "install";
    Entry::new(operation).by_plugin(plugin).decided(decision, layer, &Origin::BuiltIn, reason)
}

/// Returns the record of something that a person agreed to over `channel`.
fn agreed(entry: Entry, channel: &str) -> Entry {
    entry.approved(Approval::new(How::Once).by(channel))
}

fn logged(name: &str, installed: &Installed) -> LoggedPlugin {
    let signer = installed.signer.as_ref().map(|signer| signer.key.as_str());
    LoggedPlugin::new(name, installed.digest, signer)
}

fn not_installed(name: &str) -> CliError {
    room(StoreError::NotInstalled { name: name.to_owned(), nearest: None })
}
