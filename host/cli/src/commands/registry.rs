//! `push` and `pull`: bundles in registries.

use std::future::Future;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_bundle::archive::Sealed;
use ringfence_bundle::oci::{
    self, Credential, CredentialFile, MAX_CREDENTIALS_BYTES, OciError, Options, Progress,
    Reference, Secret, Timeouts,
};
use ringfence_bundle::{MANIFEST_FILE, manifest};
use serde_json::json;

use crate::args::{Global, Pull, Push, Registry};
use crate::commands::sign;
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::places;
use crate::print::{Printer, visible};

/// The most bytes of a password on standard input; tokens of some registries are a few kilobytes.
const PASSWORD_BYTES: u64 = 64 * 1024;
/// The most bytes of a file with certificate authorities.
const AUTHORITY_BYTES: u64 = 4 * 1024 * 1024;
/// How long a transfer may take before it is said that it goes on.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the numbers are shown anew.
const REFRESH: Duration = Duration::from_millis(200);

/// `ringfence push`.
pub(crate) fn push(args: &Push, printer: &Printer) -> Result<u8, CliError> {
    let reference: Reference = args.reference.parse()?;
    let sealed = sign::read(&args.file)?;
    let options = options(&args.registry, &reference, printer)?;
    let progress = Progress::default();
    let work = oci::push(&sealed, &reference, &options, &progress);
    let pushed = run(work, &progress, &format!("pushing {reference}"), printer)?;
    let pinned = reference.pinned(pushed.artifact);
    if printer.is_json() {
        printer.value(&json!({
            "reference": reference.to_string(),
            "pinned": pinned.to_string(),
            "artifact": pushed.artifact,
            "referrer": pushed.referrer,
            "bundle": sealed.digest(),
            "file": pushed.file,
            "signatures": sealed.signatures().count(),
            "replaced": pushed.replaced,
            "listing": pushed.listing.name(),
        }));
    } else {
        printer.line(&pinned.to_string());
        printer.note(&format!("bundle {}", sealed.digest()));
        if let Some(before) = pushed.replaced {
            printer.note(&format!("the tag meant {before} before"));
        }
        if sealed.signatures().next().is_none() {
            printer.note("it is not signed: whoever pulls it runs it under `read-only` at most");
        }
    }
    Ok(0)
}

/// `ringfence pull`.
pub(crate) fn pull(args: &Pull, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let reference: Reference = args.reference.parse()?;
    if let Some(path) = &args.output {
        free(path, args.force)?;
    }
    let options = options(&args.registry, &reference, printer)?;
    let progress = Progress::default();
    let what = format!("pulling {reference}");
    if let (true, Some(path)) = (args.component, &args.output) {
        let work = oci::pull_component(&reference, &options, &progress);
        let component = run(work, &progress, &what, printer)?;
        files::write(path, "component", &component.bytes, Readers::All, existing(args.force))?;
        let pinned = reference.pinned(component.artifact).to_string();
        if printer.is_json() {
            printer.value(&json!({ "path": path, "pinned": pinned, "signed": false }));
        } else {
            printer.line(&path.display().to_string());
            printer
                .note(&format!("{pinned}: a component alone, with no manifest and no signature"));
        }
        return Ok(0);
    }
    let work = oci::pull(&reference, &options, &progress);
    let pulled = run(work, &progress, &what, printer)?;
    let path = match &args.output {
        Some(path) => path.clone(),
        None => usual_name(&pulled.sealed)?,
    };
    let mut bytes = Vec::new();
    let fail =
        |source| CliError::Write { what: "bundle", path: path.display().to_string(), source };
    pulled.sealed.write(&mut bytes).map_err(fail)?;
    if args.output.is_none() {
        free(&path, args.force)?;
    }
    files::write(&path, "bundle", &bytes, Readers::All, existing(args.force))?;
    let pinned = reference.pinned(pulled.artifact).to_string();
    let signatures = pulled.sealed.signatures().count();
    let (signer, told) = signer(&pulled.sealed, global)?;
    if printer.is_json() {
        printer.value(&json!({
            "path": path,
            "pinned": pinned,
            "artifact": pulled.artifact,
            "bundle": pulled.sealed.digest(),
            "file": pulled.file,
            "signatures": signatures,
            "signer": signer,
        }));
    } else {
        printer.line(&path.display().to_string());
        printer.note(&format!("{pinned}, bundle {}", pulled.sealed.digest()));
        printer.note(&told);
    }
    Ok(0)
}

/// Returns the name of who signed a bundle, by this machine's trust, and a sentence about it. Nothing is
/// refused here: what is pulled is a file, and whoever runs or installs it checks it again.
fn signer(sealed: &Sealed, global: &Global) -> Result<(Option<String>, String), CliError> {
    let now = ringfence::trust::Timestamp::now();
    let checked = ringfence::trust::verify(sealed.clone(), &places::trust(global)?, now);
    Ok(match checked.as_ref().map(|checked| checked.signer()) {
        Ok(Some(signer)) => {
            let (name, key) = (signer.name.clone(), signer.key);
            (Some(name.clone()), visible(&format!("signed by `{name}` (key {key})")))
        }
        Ok(None) => (None, "not signed: it runs under `read-only` at most".to_owned()),
        Err(error) => (None, visible(&format!("not trusted, and will not run as it is: {error}"))),
    })
}

/// Fetches the bundle at a reference for `install` and `update`, with what `docker login` stored.
pub(crate) fn fetch(reference: &str) -> Result<Sealed, CliError> {
    let reference: Reference = reference.parse()?;
    let options = Options::new()?.credential(stored(&reference)?);
    let progress = Progress::default();
    let work = oci::pull(&reference, &options, &progress);
    let what = format!("pulling {reference}");
    Ok(run(work, &progress, &what, &Printer::new(false))?.sealed)
}

/// Turns flags, and what `docker login` stored, into how the registry is spoken to.
fn options(args: &Registry, reference: &Reference, printer: &Printer) -> Result<Options, CliError> {
    let mut options = Options::new()?.credential(credential(args, reference)?);
    if args.plain_http {
        options = options.plain_http();
        if !reference.registry().is_loopback() {
            printer.note("without TLS anybody on the way can read and change what is sent");
        }
    }
    if let Some(path) = &args.ca_file {
        let pem = places::read(path, "certificates", AUTHORITY_BYTES)?;
        options = options.authorities(&pem, &path.display().to_string())?;
    }
    for host in &args.token_host {
        options = options.token_host(host);
    }
    let mut timeouts = Timeouts::default();
    timeouts.whole = Duration::from_secs(args.timeout);
    Ok(options.timeouts(timeouts))
}

/// Returns the credential for the registry: what was given, then what `docker login` stored.
fn credential(args: &Registry, reference: &Reference) -> Result<Credential, CliError> {
    if let Some(username) = &args.username {
        let fail = |source| CliError::File { what: "password", path: "-".to_owned(), source };
        let mut text = String::new();
        std::io::stdin().take(PASSWORD_BYTES).read_to_string(&mut text).map_err(fail)?;
        let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
        return Ok(Credential::Password { username: username.clone(), password });
    }
    stored(reference)
}

/// Returns what `docker login` stored for the registry.
fn stored(reference: &Reference) -> Result<Credential, CliError> {
    let directory = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let Some(path) = directory.or_else(home).map(|directory| directory.join("config.json")) else {
        return Ok(Credential::Anonymous);
    };
    if !path.is_file() {
        return Ok(Credential::Anonymous);
    }
    let text = places::read(&path, "credentials", MAX_CREDENTIALS_BYTES)?;
    let file = CredentialFile::parse(&text, &path.display().to_string())?;
    Ok(file.find(reference.registry())?)
}

/// Runs a transfer, and says how far it is when it takes long. Ctrl-C ends the command as usual: nothing
/// is written before all of it is there.
fn run<T>(
    work: impl Future<Output = Result<T, OciError>>,
    progress: &Progress,
    what: &str,
    printer: &Printer,
) -> Result<T, CliError> {
    let runtime = crate::commands::event_loop::here()?;
    let done = runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        let mut shown = false;
        let mut wait = PATIENCE;
        loop {
            if let Ok(done) = tokio::time::timeout(wait, &mut work).await {
                if shown {
                    printer.progress("");
                }
                break done;
            }
            (shown, wait) = (true, REFRESH);
            let (moved, total) = progress.bytes();
            printer.progress(&format!("{what}: {} of {} KiB", moved / 1024, total.div_ceil(1024)));
        }
    });
    runtime.shutdown_background();
    Ok(done?)
}

/// Returns the name a pulled bundle gets where none is given.
fn usual_name(sealed: &Sealed) -> Result<PathBuf, CliError> {
    let text = sealed.file(MANIFEST_FILE).unwrap_or_default();
    let manifest = manifest::parse_bytes(text, MANIFEST_FILE)?;
    Ok(PathBuf::from(format!("{}-{}.rfz", manifest.name, manifest.version)))
}

/// Refuses to replace a file.
fn free(path: &Path, force: bool) -> Result<(), CliError> {
    if force || std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    let path = path.display();
    Err(CliError::Usage(format!("`{path}` is already there; `--force` replaces it")))
}

/// Returns what happens to a file that is there already.
fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}
