//! `lock`, and what the lockfile of the workspace says to the other commands.

use std::path::{Path, PathBuf};

use ringfence_capability::Digest;
use ringfence_store::{LockError, Locked, Lockfile, Source, Store, Wanted, lockfile};
use serde_json::json;

use super::{look, not_installed, room};
use crate::args::{Global, Lock};
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::places;
use crate::print::{Printer, visible};

/// `ringfence lock`.
pub(crate) fn lock(args: &Lock, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let locked = read(global)?.unwrap_or_default();
    let known: Vec<_> = locked.iter().map(|locked| locked.name.clone()).collect();
    let names = if args.names.is_empty() { known } else { args.names.clone() };
    let Some(store) = look(global)? else {
        return match names.first() {
            Some(name) => Err(not_installed(name)),
            None => Ok(0),
        };
    };
    if args.check {
        for name in &names {
            let (_, installed) = find(name, &store)?;
            let absent = || LockError::Absent { name: name.clone() };
            locked.get(name).ok_or_else(absent).map_err(room)?;
            locked.check(name, installed.digest).map_err(room)?;
        }
    } else {
        add(&names, &store, global)?;
    }
    let what = if args.check { "as locked" } else { "locked" };
    for name in &names {
        let (_, installed) = find(name, &store)?;
        if printer.is_json() {
            let digest = installed.digest.to_string();
            let result = json!({ "name": name, "digest": digest, "outcome": what });
            printer.value(&json!({ "ok": true, "result": result }));
        } else {
            printer.line(&visible(&format!("{name} {}: {what}", installed.version)));
        }
    }
    Ok(0)
}

fn find(
    name: &str,
    store: &Store,
) -> Result<(ringfence_store::Receipt, ringfence_store::Installed), CliError> {
    Wanted::current(name).and_then(|wanted| store.find(&wanted)).map_err(room)
}

/// Locks what is installed under `names`.
pub(super) fn add(names: &[String], store: &Store, global: &Global) -> Result<(), CliError> {
    let mut lockfile = read(global)?.unwrap_or_default();
    for name in names {
        let (_, installed) = find(name, store)?;
        lockfile.put(Locked {
            name: name.clone(),
            version: installed.version,
            digest: installed.digest,
            source: relative(installed.source, global)?,
        });
    }
    write(&lockfile.text().map_err(room)?, global)
}

/// Checks that `digest` is what the workspace is locked to; a name that is not locked is refused.
pub(super) fn check(name: &str, digest: Digest, global: &Global) -> Result<(), CliError> {
    let lockfile = read(global)?.unwrap_or_default();
    let absent = || LockError::Absent { name: name.to_owned() };
    lockfile.get(name).ok_or_else(absent).map_err(room)?;
    lockfile.check(name, digest).map_err(room)
}

/// Returns where everything that is locked can be installed from.
pub(super) fn sources(global: &Global) -> Result<Vec<Source>, CliError> {
    let path = file(global);
    let lockfile = read(global)?.ok_or_else(|| {
        CliError::Usage(format!(
            "there is no `{}`; `ringfence lock NAME` writes it",
            path.display()
        ))
    })?;
    lockfile.iter().map(|locked| absolute(&locked.source, global)).collect()
}

fn file(global: &Global) -> PathBuf {
    global.workspace.join(lockfile::FILE)
}

/// Reads the lockfile of the workspace; nothing when there is none.
pub(crate) fn read(global: &Global) -> Result<Option<Lockfile>, CliError> {
    let path = file(global);
    let shown = path.display().to_string();
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CliError::File { what: "lockfile", path: shown, source }),
        // Whoever wrote the workspace chose what this is: a pipe would wait for ever, a link would
        // have any file read as a lockfile.
        Ok(found) if !found.is_file() => {
            return Err(CliError::Usage(format!("the lockfile `{shown}` is not a plain file")));
        }
        Ok(_) => {}
    }
    let bytes = places::read(&path, "lockfile", lockfile::MAX_BYTES)?;
    Lockfile::read(&bytes, &shown).map(Some).map_err(room)
}

/// Writes the lockfile whole or not at all.
fn write(text: &str, global: &Global) -> Result<(), CliError> {
    files::write(&file(global), "lockfile", text.as_bytes(), Readers::All, Existing::Replace)
}

/// Returns a source inside the workspace relative to it, so that the lockfile means the same for
/// everybody who has the workspace.
fn relative(source: Source, global: &Global) -> Result<Source, CliError> {
    let (Source::File(path) | Source::Directory(path)) = &source else { return Ok(source) };
    let root = real(&global.workspace)?;
    let place = std::fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    match place.strip_prefix(&root).ok().and_then(Path::to_str) {
        Some(inside) if !inside.is_empty() => Ok(source.at(inside)?),
        _ => Ok(source),
    }
}

fn absolute(source: &Source, global: &Global) -> Result<Source, CliError> {
    let (Source::File(path) | Source::Directory(path)) = source else { return Ok(source.clone()) };
    let place = real(&global.workspace)?.join(path);
    let text = place.to_str().ok_or_else(|| CliError::Usage("a path is no text".to_owned()))?;
    Ok(source.at(text)?)
}

fn real(path: &Path) -> Result<PathBuf, CliError> {
    let display = path.display().to_string();
    std::fs::canonicalize(path).map_err(|source| CliError::File {
        what: "workspace",
        path: display,
        source,
    })
}
