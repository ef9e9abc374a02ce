//! `keys`: the keys a publisher signs with, as files in the form of minisign.

use std::path::{Path, PathBuf};

use ringfence::trust::{
    MAX_KEY_FILE_BYTES, Protection, PublicKey, Revocation, Rotation, SecretKey, Timestamp,
};
use serde_json::json;

use crate::args::{KeysCommand, Protect};
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::print::Printer;
use crate::{passphrase, places};

/// `ringfence keys`.
pub(crate) fn keys(command: KeysCommand, printer: &Printer) -> Result<u8, CliError> {
    match command {
        KeysCommand::New { name, protect } => new(&name, &protect, printer),
        KeysCommand::List => list(printer),
        KeysCommand::Export { name, output } => export(&name, output.as_deref(), printer),
        KeysCommand::Rotate { name, output, old_passphrase_file, protect } => {
            let output = output.unwrap_or_else(|| format!("{name}-rotation.txt").into());
            rotate(&name, &output, old_passphrase_file.as_deref(), &protect, printer)
        }
        KeysCommand::Revoke { name, reason, output, passphrase_file } => {
            let output = output.unwrap_or_else(|| format!("{name}-revocation.txt").into());
            revoke(&name, &reason, &output, passphrase_file.as_deref(), printer)
        }
    }
}

/// Opens the key called `name`.
pub(crate) fn open(name: &str, passphrase_file: Option<&Path>) -> Result<SecretKey, CliError> {
    let path = secret_file(name)?;
    private(name, &path)?;
    let bytes = places::read(&path, "secret key", MAX_KEY_FILE_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::Usage(format!("the secret key `{}` is not text", path.display())))?;
    let passphrase = if SecretKey::is_encrypted(&text)? {
        Some(passphrase::existing(name, passphrase_file)?)
    } else {
        None
    };
    Ok(SecretKey::from_file(&text, passphrase.as_ref())?)
}

/// Refuses a secret key that others can read.
fn private(name: &str, path: &Path) -> Result<(), CliError> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = format!("`ringfence keys new {name}` makes it");
            return Err(CliError::Usage(format!("there is no key `{name}`; {made}")));
        }
        Err(source) => {
            let path = path.display().to_string();
            return Err(CliError::File { what: "secret key", path, source });
        }
    };
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        let path = path.display();
        return Err(CliError::Usage(format!(
            "others can read the secret key `{path}`; if nobody did, `chmod 600 '{path}'`, else \
             `ringfence keys rotate {name}`"
        )));
    }
    if !metadata.is_file() {
        let path = path.display();
        return Err(CliError::Usage(format!("the secret key `{path}` is not a plain file")));
    }
    Ok(())
}

fn new(name: &str, protect: &Protect, printer: &Printer) -> Result<u8, CliError> {
    let key = make(name, protect)?;
    let public = key.public();
    if printer.is_json() {
        printer.value(&json!({
            "ok": true, "name": name, "id": public.id().to_string(),
            "public": public.to_string(), "file": secret_file(name)?.display().to_string(),
        }));
    } else {
        printer.line(&public.to_string());
        let path = secret_file(name)?;
        printer.note(&format!("key {} is in `{}`; keep a copy of it", public.id(), path.display()));
        printer
            .note(&format!("others trust it with: ringfence trust add {public} --name '{name}'"));
    }
    Ok(0)
}

/// Makes a key and writes both of its files; one that is there stays as it is.
fn make(name: &str, protect: &Protect) -> Result<SecretKey, CliError> {
    let (secret, public) = (secret_file(name)?, public_file(name)?);
    if secret.symlink_metadata().is_ok() || public.symlink_metadata().is_ok() {
        return Err(CliError::Usage(format!(
            "there is a key `{name}` already; `ringfence keys rotate {name}` makes one after it"
        )));
    }
    let protection = protection(name, protect)?;
    let key = SecretKey::generate()?;
    store(&key, &secret, &public, &protection)?;
    Ok(key)
}

fn protection(name: &str, protect: &Protect) -> Result<Protection, CliError> {
    if protect.no_passphrase {
        return Ok(Protection::None);
    }
    Ok(Protection::Passphrase(passphrase::new(name, protect.passphrase_file.as_deref())?))
}

fn store(
    key: &SecretKey,
    secret: &Path,
    public: &Path,
    protection: &Protection,
) -> Result<(), CliError> {
    files::private_dir(&places::keys()?, "directory of keys")?;
    let text = key.to_file(protection)?;
    files::write(secret, "secret key", text.as_bytes(), Readers::Owner, Existing::Keep)?;
    let text = key.public().to_file();
    files::write(public, "public key", text.as_bytes(), Readers::All, Existing::Keep)
}

fn list(printer: &Printer) -> Result<u8, CliError> {
    let dir = places::keys()?;
    let mut found = Vec::new();
    match std::fs::read_dir(&dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => {
            let path = dir.display().to_string();
            return Err(CliError::File { what: "directory of keys", path, source });
        }
        Ok(entries) => {
            for entry in entries.filter_map(Result::ok) {
                let file = entry.file_name();
                if let Some(name) = file.to_str().and_then(|name| name.strip_suffix(".pub")) {
                    found.push(name.to_owned());
                }
            }
        }
    }
    found.sort();
    let mut rows = Vec::new();
    for name in &found {
        let public = public(name)?;
        let state = if secret_file(name)?.is_file() { "signs" } else { "retired or revoked" };
        rows.push((name, public, state));
    }
    if printer.is_json() {
        let rows = rows.iter().map(|(name, key, state)| {
            let (id, key) = (key.id().to_string(), key.to_string());
            json!({ "name": name, "id": id, "public": key, "signs": *state == "signs" })
        });
        printer.value(&json!({ "keys": rows.collect::<Vec<_>>() }));
    } else {
        for (name, key, state) in &rows {
            printer.line(&format!("{}  {name}  {state}\n  {key}", key.id()));
        }
        if rows.is_empty() {
            printer.note("no keys; `ringfence keys new NAME` makes one");
        }
    }
    Ok(0)
}

fn export(name: &str, output: Option<&Path>, printer: &Printer) -> Result<u8, CliError> {
    let key = public(name)?;
    if let Some(path) = output {
        let text = key.to_file();
        files::write(path, "public key", text.as_bytes(), Readers::All, Existing::Replace)?;
    }
    if printer.is_json() {
        let (id, key) = (key.id().to_string(), key.to_string());
        printer.value(&json!({ "ok": true, "name": name, "id": id, "public": key }));
    } else if output.is_none() {
        printer.line(key.to_file().trim_end());
    }
    Ok(0)
}

fn rotate(
    name: &str,
    output: &Path,
    old_passphrase: Option<&Path>,
    protect: &Protect,
    printer: &Printer,
) -> Result<u8, CliError> {
    let old = open(name, old_passphrase)?;
    let protection = protection(name, protect)?;
    let new = SecretKey::generate()?;
    let statement = Rotation::new(&old, &new, Timestamp::now()).to_string();
    // The new key is safe before anything else is said or moved.
    let (secret, public) = (secret_file(name)?, public_file(name)?);
    let (next_secret, next_public) = (next(&secret, new.public()), next(&public, new.public()));
    store(&new, &next_secret, &next_public, &protection)?;
    files::write(output, "statement", statement.as_bytes(), Readers::All, Existing::Keep)?;
    for path in [&secret, &public] {
        set_aside(path, old.public())?;
    }
    rename(&next_secret, &secret)?;
    rename(&next_public, &public)?;
    let (from, to) = (old.public().id(), new.public());
    if printer.is_json() {
        printer.value(&json!({
            "ok": true, "name": name, "from": from.to_string(), "to": to.id().to_string(),
            "public": to.to_string(), "statement": output.display().to_string(),
        }));
    } else {
        printer.line(&to.to_string());
        let file = output.display();
        printer.note(&format!("key {} comes after {from}, says `{file}`", to.id()));
        printer.note(&format!("publish it; others take it with: ringfence trust rotate {file}"));
    }
    Ok(0)
}

fn revoke(
    name: &str,
    reason: &str,
    output: &Path,
    passphrase_file: Option<&Path>,
    printer: &Printer,
) -> Result<u8, CliError> {
    let key = open(name, passphrase_file)?;
    let statement = Revocation::new(&key, reason, Timestamp::now())?.to_string();
    files::write(output, "statement", statement.as_bytes(), Readers::All, Existing::Keep)?;
    for path in [secret_file(name)?, public_file(name)?] {
        set_aside(&path, key.public())?;
    }
    let id = key.public().id();
    if printer.is_json() {
        let file = output.display().to_string();
        printer.value(&json!({ "ok": true, "id": id.to_string(), "statement": file }));
    } else {
        let file = output.display();
        printer.line(&format!("revoked {id}: `{file}` says so"));
        printer.note(&format!("publish it; others take it with: ringfence trust revoke {file}"));
    }
    Ok(0)
}

/// Gives the file of a key that signs nothing any more a name with its id in it.
fn set_aside(path: &Path, key: PublicKey) -> Result<(), CliError> {
    let aside = match path.extension().and_then(|ending| ending.to_str()) {
        // Not found by its name any more, so that nothing is signed with it by mistake.
        Some("key") => path.with_extension(format!("{}.old", key.id())),
        _ => next(path, key),
    };
    rename(path, &aside)
}

/// Returns the path beside `path` with the id of `key` in it.
fn next(path: &Path, key: PublicKey) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().display().to_string();
    let ending = path.extension().unwrap_or_default().display().to_string();
    path.with_file_name(format!("{stem}-{}.{ending}", key.id()))
}

fn rename(from: &Path, to: &Path) -> Result<(), CliError> {
    std::fs::rename(from, to).map_err(|source| CliError::Write {
        what: "key",
        path: to.display().to_string(),
        source,
    })
}

fn public(name: &str) -> Result<PublicKey, CliError> {
    let path = public_file(name)?;
    let text = places::read(&path, "public key", MAX_KEY_FILE_BYTES)?;
    Ok(PublicKey::from_file(&String::from_utf8_lossy(&text))?)
}

fn secret_file(name: &str) -> Result<PathBuf, CliError> {
    file(name, "key")
}

fn public_file(name: &str) -> Result<PathBuf, CliError> {
    file(name, "pub")
}

fn file(name: &str, ending: &str) -> Result<PathBuf, CliError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(CliError::Usage(format!(
            "`{name}` is no name for a key: it has 1 to 64 of `A-Z a-z 0-9 _ -`"
        )));
    }
    Ok(places::keys()?.join(format!("{name}.{ending}")))
}
