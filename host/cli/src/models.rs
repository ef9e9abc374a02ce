//! The models of this user: `models.toml`, and the keys it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfence::{KeySource, ModelEntry, RunModels, read_models};

use crate::error::CliError;
use crate::places;

/// The most a models file may hold.
const MODELS_BYTES: u64 = 1024 * 1024;
/// The most a key file may hold.
const KEY_BYTES: u64 = 64 * 1024;

/// Returns the models that are configured; the user's own count where the machine names one too.
pub(crate) fn entries() -> Result<BTreeMap<String, ModelEntry>, CliError> {
    let mut places = vec![PathBuf::from("/etc/ringfence/models.toml")];
    places.extend(places::user_models());
    let mut all = BTreeMap::new();
    for path in places {
        match std::fs::symlink_metadata(&path) {
            Err(error) if missing(&error) => continue,
            _ => {}
        }
        let display = path.display().to_string();
        let text = String::from_utf8(places::read(&path, "models file", MODELS_BYTES)?);
        let text = text.map_err(|_| {
            CliError::Usage(format!("the models file `{display}` is not UTF-8 text"))
        })?;
        let entries =
            read_models(&display, &text).map_err(|error| CliError::Room(Box::new(error)))?;
        all.extend(entries);
    }
    Ok(all)
}

fn missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Returns the same with their keys, or why there is none.
pub(crate) fn ready(entries: &BTreeMap<String, ModelEntry>) -> RunModels {
    RunModels::new(entries, key)
}

/// Returns the models a run can be granted.
pub(crate) fn of_run() -> Result<RunModels, CliError> {
    Ok(ready(&entries()?))
}

/// Reads a key. What goes wrong is said without what was read.
fn key(source: &KeySource) -> Result<String, String> {
    match source {
        KeySource::Env(name) => match std::env::var(name) {
            Ok(value) => Ok(value),
            Err(std::env::VarError::NotPresent) => Err(format!("`{name}` is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("`{name}` is not UTF-8")),
        },
        KeySource::File(path) => {
            let bytes = places::read(Path::new(path), "key file", KEY_BYTES);
            let bytes = bytes.map_err(|error| error.to_string())?;
            let text = String::from_utf8(bytes);
            let text = text.map_err(|_| format!("the key file `{path}` is not text"))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

/// Says which model a logical name stands for.
pub(crate) fn told(name: &str) -> String {
    let Ok(entries) = entries() else { return "the models file cannot be read".to_owned() };
    let Some(entry) = entries.get(name) else {
        return format!("no models file names `{name}`: `ringfence models --help` shows how");
    };
    let (model, url) = (&entry.config.model, &entry.config.base_url);
    match ready(&entries).why_not(name) {
        None => format!("is `{model}` at {url}"),
        Some(why) => format!("is `{model}` at {url}, and cannot be asked: {why}"),
    }
}
