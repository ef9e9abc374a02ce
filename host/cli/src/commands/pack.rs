//! `pack`: one file of a plugin directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfence_bundle::archive::{self, Sealed};
use ringfence_bundle::{Encoding, MANIFEST_FILE, Plugin, SBOM_FILE, adapt, inspect, manifest};
use serde_json::{Value, json};

use crate::args::Pack;
use crate::commands::sign;
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::print::Printer;
use crate::{commands::keys, places};

/// The largest list of what a plugin was built of.
const SBOM_BYTES: u64 = 64 * 1024 * 1024;
/// Files that are packed beside the manifest and the component: these, and those that begin so.
const FILES: [&str; 2] = [SBOM_FILE, "provenance.dsse.json"];
const BEGINNINGS: [&str; 6] = ["readme", "license", "licence", "copying", "notice", "changelog"];
const FOLDERS: [&str; 2] = ["wit/", "licenses/"];

/// `ringfence pack`.
pub(crate) fn pack(args: &Pack, printer: &Printer) -> Result<u8, CliError> {
    // A key that cannot be opened is found out before anything is written.
    let key = match &args.sign {
        Some(name) => Some(keys::open(name, args.passphrase_file.as_deref())?),
        None => None,
    };
    let display = args.dir.display().to_string();
    let sealed = archive::seal(files(args, &display)?, &display)?;
    let plugin = checked(&sealed)?;
    let (sealed, signer) = match key {
        Some(key) => {
            (sign::signed(sealed, &plugin.manifest, &key)?, Some(key.public().id().to_string()))
        }
        None => (sealed, None),
    };
    let output = args.output.clone().unwrap_or_else(|| {
        PathBuf::from(format!("{}-{}.rfz", plugin.manifest.name, plugin.manifest.version))
    });
    write(&sealed, &output)?;
    let size = std::fs::metadata(&output).map_or(0, |metadata| metadata.len());
    if printer.is_json() {
        printer.value(&json!({
            "ok": true,
            "file": output.display().to_string(),
            "digest": sealed.digest().to_string(),
            "size-bytes": size,
            "signed-with": signer,
            "files": plugin.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    printer.line(&output.display().to_string());
    let count = plugin.files.len();
    printer.note(&format!("{count} files, {size} bytes, {}", sealed.digest()));
    match signer {
        Some(key) => printer.note(&format!("signed with key {key}")),
        None => printer.note("not signed: it runs under at most `read-only`"),
    }
    Ok(0)
}

/// Packs a directory as `pack` does without options; nobody signs it.
pub(crate) fn directory(dir: &Path) -> Result<Sealed, CliError> {
    let display = dir.display().to_string();
    let args = Pack {
        dir: dir.to_owned(),
        output: None,
        include: Vec::new(),
        sbom: None,
        sign: None,
        passphrase_file: None,
    };
    let sealed = archive::seal(files(&args, &display)?, &display)?;
    checked(&sealed).map(|_| sealed)
}

/// Writes a bundle, whole or not at all.
pub(crate) fn write(sealed: &Sealed, path: &Path) -> Result<(), CliError> {
    let mut bytes = Vec::new();
    sealed.write(&mut bytes).map_err(|source| CliError::Write {
        what: "bundle",
        path: path.display().to_string(),
        source,
    })?;
    files::write(path, "bundle", &bytes, Readers::All, Existing::Replace)
}

/// Reads what belongs into the bundle.
fn files(args: &Pack, display: &str) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let dir = cap_std::fs::Dir::open_ambient_dir(&args.dir, cap_std::ambient_authority()).map_err(
        |source| CliError::File { what: "plugin directory", path: display.to_owned(), source },
    )?;
    let shown = format!("{}/{MANIFEST_FILE}", display.trim_end_matches('/'));
    let text = places::read(
        &args.dir.join(MANIFEST_FILE),
        "manifest",
        ringfence_bundle::MAX_MANIFEST_BYTES,
    )?;
    let manifest = manifest::parse_bytes(&text, &shown)?;
    let include: Vec<&str> = args
        .include
        .iter()
        .map(|path| path.trim_start_matches("./").trim_end_matches('/'))
        .collect();
    let named = [MANIFEST_FILE, manifest.component.as_str()];
    let mut files = archive::read_files(&dir, display, |path| {
        wanted(path, &named) || included(path, &include)
    })?;
    for path in &include {
        let below = format!("{path}/");
        if !files.keys().any(|file| file == path || file.starts_with(&below)) {
            return Err(CliError::Usage(format!("`--include {path}` is no file of `{display}`")));
        }
    }
    if !files.contains_key(&manifest.component) {
        let path = format!("{}/{}", display.trim_end_matches('/'), manifest.component);
        return Err(ringfence_bundle::BundleError::NoComponent { path }.into());
    }
    if let Some(path) = &args.sbom {
        files.insert(SBOM_FILE.to_owned(), places::read(path, "SBOM", SBOM_BYTES)?);
    }
    if let Some(sbom) = files.get(SBOM_FILE) {
        cyclonedx(sbom)?;
    }
    Ok(files)
}

/// Tells whether a path belongs into every bundle, or leads to one that does.
fn wanted(path: &str, named: &[&str]) -> bool {
    if FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return true;
    }
    if path.ends_with('/') {
        return named.iter().any(|named| named.starts_with(path));
    }
    let lower = path.to_ascii_lowercase();
    named.contains(&path)
        || FILES.contains(&path)
        || (!path.contains('/') && BEGINNINGS.iter().any(|name| lower.starts_with(name)))
}

/// Tells whether a path was asked for, lies below one, or leads to one.
fn included(path: &str, include: &[&str]) -> bool {
    include.iter().any(|wanted| {
        path.trim_end_matches('/') == *wanted
            || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
            || (path.ends_with('/') && wanted.starts_with(path))
    })
}

/// Refuses an SBOM that nobody could read later.
fn cyclonedx(bytes: &[u8]) -> Result<(), CliError> {
    let value = serde_json::from_slice::<Value>(bytes).ok();
    if value.is_some_and(|value| value["bomFormat"] == "CycloneDX") {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "`{SBOM_FILE}` is no CycloneDX document in JSON: it has no `\"bomFormat\": \"CycloneDX\"`"
    )))
}

/// Checks that the bundle is one that can be opened, and that its component can be read.
fn checked(sealed: &Sealed) -> Result<Plugin, CliError> {
    let plugin = Plugin::from_sealed(sealed.clone())?;
    match plugin.encoding {
        Encoding::Component => inspect::inspect(&plugin.component, &plugin.display)?,
        Encoding::CoreModule => {
            let component = adapt::adapt(&plugin.component, &plugin.display)?;
            inspect::inspect(&component, &plugin.display)?
        }
    };
    Ok(plugin)
}
