//! What a word on the command line means: the path of a plugin, or the name of an installed one.

use std::path::{Path, PathBuf};

use ringfence::{Host, Inspected, Plugin};
use ringfence_capability::Digest;
use ringfence_store::{Installed, Store, StoreError, Wanted};

use crate::args::Global;
use crate::error::CliError;
use crate::{commands, places};

/// Where a plugin is, and what it has to be.
struct Named {
    /// The path to open.
    path: PathBuf,
    /// The installed plugin that was named, and what must be found there.
    installed: Option<(String, Installed)>,
}

/// Returns what `word` means: a path when there is one or when it has a `/`, and otherwise the name of
/// an installed plugin, `NAME` or `NAME@VERSION`. What the workspace is locked to is checked here.
fn plugin(word: &Path, global: &Global) -> Result<Named, CliError> {
    let path = || Named { path: word.to_owned(), installed: None };
    let Some(text) = word.to_str() else { return Ok(path()) };
    if text.contains('/') || std::fs::symlink_metadata(word).is_ok() {
        return Ok(path());
    }
    Ok(by_name(text, global)?.unwrap_or_else(path))
}

/// Returns the installed plugin called `text`; nothing when none is, and none has a similar name.
fn by_name(text: &str, global: &Global) -> Result<Option<Named>, CliError> {
    // A word that no plugin can be called is a path that is not there.
    let Ok(wanted) = text.parse::<Wanted>() else { return Ok(None) };
    let Some(store) = Store::look(&places::data(global)?).map_err(room)? else { return Ok(None) };
    let (receipt, installed) = match store.find(&wanted) {
        // `plugin.toml` of nothing installed: told as the path that is not there either.
        Err(StoreError::NotInstalled { nearest: None, .. }) => return Ok(None),
        found => found.map_err(room)?,
    };
    if let Some(lockfile) = commands::lockfile(global)? {
        lockfile.check(&receipt.name, installed.digest).map_err(room)?;
    }
    Ok(Some(Named { path: store.path(&installed), installed: Some((receipt.name, installed)) }))
}

/// Tells whether `word` means an installed plugin, and not a path.
pub(crate) fn is_name(word: &Path, global: &Global) -> Result<bool, CliError> {
    Ok(plugin(word, global)?.installed.is_some())
}

/// Returns the name and the digest of the installed plugin called `word`, whatever lies in the workspace;
/// nothing when there is none.
pub(crate) fn installed(word: &str, global: &Global) -> Result<Option<(String, Digest)>, CliError> {
    let named = by_name(word, global)?.and_then(|named| named.installed);
    Ok(named.map(|(name, installed)| (name, installed.digest)))
}

/// Opens the installed plugin called `word`, whatever lies in the workspace.
pub(crate) fn open_installed(
    host: &Host,
    word: &str,
    global: &Global,
) -> Result<Option<Plugin>, CliError> {
    let Some(named) = by_name(word, global)? else { return Ok(None) };
    let plugin = host.open(&named.path)?;
    named.check(plugin.identity)?;
    Ok(Some(plugin))
}

/// Opens what `word` means, to run it: verified, and what was installed if it is a name.
pub(crate) fn open(host: &Host, word: &Path, global: &Global) -> Result<Plugin, CliError> {
    let named = plugin(word, global)?;
    let plugin = host.open(&named.path)?;
    named.check(plugin.identity)?;
    Ok(plugin)
}

/// Opens what `word` means, to look at it.
pub(crate) fn inspect(word: &Path, global: &Global) -> Result<Inspected, CliError> {
    let named = plugin(word, global)?;
    let looked = Host::inspect(&named.path, &places::trust(global)?)?;
    named.check(looked.plugin.identity)?;
    Ok(looked)
}

impl Named {
    /// Checks that what was opened is what was installed.
    fn check(&self, found: Digest) -> Result<(), CliError> {
        match &self.installed {
            Some((name, installed)) if installed.digest != found => {
                let (name, expected) = (name.clone(), installed.digest);
                Err(room(StoreError::Tampered { name, expected, found }))
            }
            _ => Ok(()),
        }
    }
}

fn room(error: impl ringfence::Diagnostic + 'static) -> CliError {
    CliError::Room(Box::new(error))
}
