//! `sign`: a signature over the list of a bundle.

use std::path::Path;

use ringfence::trust::{SecretKey, Signature, Timestamp, TrustedComment, danger};
use ringfence_bundle::Manifest;
use ringfence_bundle::archive::{self, SIGNATURE_FILE, Sealed};
use serde_json::json;

use crate::args::Sign;
use crate::commands::{keys, pack};
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::print::Printer;

/// `ringfence sign`.
pub(crate) fn sign(args: &Sign, printer: &Printer) -> Result<u8, CliError> {
    let sealed = read(&args.bundle)?;
    // What is signed is what the person sees: name and version come from the manifest.
    let manifest = danger::unverified(sealed.clone())?.manifest;
    let key = keys::open(&args.key, args.passphrase_file.as_deref())?;
    let (name, bytes) = signature(&sealed, &manifest, &key);
    let digest = sealed.digest();
    if args.bundle.is_dir() {
        let path = args.bundle.join(&name);
        files::write(&path, "signature", &bytes, Readers::All, Existing::Replace)?;
    } else {
        pack::write(&sealed.with_signature(&name, bytes)?, &args.bundle)?;
    }
    let id = key.public().id();
    if printer.is_json() {
        printer.value(&json!({
            "ok": true, "digest": digest.to_string(), "key": id.to_string(), "file": name,
        }));
    } else {
        printer.line(&format!("signed {}@{} with key {id}", manifest.name, manifest.version));
        printer.note(&digest.to_string());
    }
    Ok(0)
}

/// Returns the bundle with a signature of `key`.
pub(crate) fn signed(
    sealed: Sealed,
    manifest: &Manifest,
    key: &SecretKey,
) -> Result<Sealed, CliError> {
    let (name, bytes) = signature(&sealed, manifest, key);
    Ok(sealed.with_signature(&name, bytes)?)
}

/// Returns a signature with the name of its file: the plain one for the first signer, and for a
/// signer who signs again that of the signature before.
fn signature(sealed: &Sealed, manifest: &Manifest, key: &SecretKey) -> (String, Vec<u8>) {
    let comment = TrustedComment::new(manifest, Timestamp::now()).to_string();
    let text = Signature::sign(sealed.sums(), &comment, key).to_file();
    let id = key.public().id();
    let own = |bytes| Signature::parse(bytes).is_ok_and(|signature| signature.key() == id);
    let before = sealed.signatures().find(|(_, bytes)| own(bytes)).map(|(name, _)| name.to_owned());
    let free = sealed.signatures().all(|(name, _)| name != SIGNATURE_FILE);
    let name = before.unwrap_or_else(|| {
        if free { SIGNATURE_FILE.to_owned() } else { format!("SHA256SUMS.{id}.minisig") }
    });
    (name, text.into_bytes())
}

/// Reads a bundle: a `.rfz`, or a directory with a `SHA256SUMS`.
pub(crate) fn read(path: &Path) -> Result<Sealed, CliError> {
    let display = path.display().to_string();
    let fail = |source| CliError::File { what: "bundle", path: display.clone(), source };
    if path.is_dir() {
        let dir = cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority());
        let dir = dir.map_err(fail)?;
        if !archive::is_sealed(&dir) {
            return Err(CliError::Usage(format!(
                "the directory `{display}` has no `SHA256SUMS`, so there is nothing to check; \
                 `ringfence pack {display}` makes a bundle of it"
            )));
        }
        return Ok(archive::read_tree(&dir, &display)?);
    }
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if !metadata.is_file() {
        return Err(CliError::Usage(format!("the bundle `{display}` is not a plain file")));
    }
    Ok(archive::read(std::fs::File::open(path).map_err(fail)?, &display)?)
}
