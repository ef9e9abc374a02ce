//! `verify`: who signed a bundle, and whether every file is the listed one.

use ringfence::trust::{
    KeyEntry, LayerKind, PublicKey, Signed, Timestamp, TrustLayer, TrustStore, examine,
};
use ringfence::{Class, Diagnostic as _};
use ringfence_bundle::archive::Sealed;
use serde_json::{Value, json};

use crate::args::{Global, Verify};
use crate::commands::{sign, trust};
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, described, visible};

/// `ringfence verify`.
pub(crate) fn verify(args: &Verify, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let sealed = sign::read(&args.bundle)?;
    let store = match &args.public_key {
        Some(text) => only(trust::public_key(text)?)?,
        None => places::trust(global)?,
    };
    let now = Timestamp::now();
    let signatures = examine(&sealed, &store, now);
    let facts = facts(&sealed, &signatures);
    let checked = ringfence::trust::verify(sealed, &store, now)?;
    let Some(signer) = checked.signer() else {
        if printer.is_json() {
            printer.value(&json!({ "ok": false, "signed": false, "bundle": facts }));
        } else {
            printer
                .line("not signed: every file is the listed one, and nobody says whose list it is");
        }
        return Ok(Class::Refused.exit_code());
    };
    if printer.is_json() {
        printer.value(&json!({
            "ok": true,
            "signed": true,
            "signer": signer.name,
            "key": signer.key.to_string(),
            "signed-at": signer.signed_at.to_string(),
            "plugin": format!("{}@{}", checked.manifest.name, checked.manifest.version),
            "bundle": facts,
        }));
        return Ok(0);
    }
    let manifest = &checked.manifest;
    printer.line(&visible(&format!(
        "{}@{} is signed by `{}` (key {}) at {}",
        manifest.name, manifest.version, signer.name, signer.key, signer.signed_at
    )));
    for signed in &signatures {
        let key = signed.key.map(|key| key.to_string()).unwrap_or_default();
        let other = key != signer.key.to_string();
        match &signed.outcome {
            Ok(comment) if other => {
                printer.line(&format!("  signed with key {key} too, at {}", comment.time));
            }
            Err(error) => printer.line(&visible(&format!("  `{}`: {error}", signed.file))),
            Ok(_) => {}
        }
    }
    printer.line(&format!("  {} files, {}", checked.files.len(), checked.identity));
    Ok(0)
}

/// Returns the store that trusts this key alone.
fn only(key: PublicKey) -> Result<TrustStore, CliError> {
    let layer = TrustLayer::parse(LayerKind::User, "--public-key", "")?;
    let mut entry = KeyEntry::new(key);
    entry.name = Some("the given key".to_owned());
    Ok(TrustStore::new([layer.with_key(&entry)?])?)
}

/// Returns what programs read about a bundle and its signatures.
pub(crate) fn facts(sealed: &Sealed, signatures: &[Signed]) -> Value {
    json!({
        "digest": sealed.digest().to_string(),
        "files": sealed.files().count(),
        "signatures": signatures.iter().map(signature).collect::<Vec<_>>(),
    })
}

/// Returns what programs read about one signature.
pub(crate) fn signature(signed: &Signed) -> Value {
    let mut json = json!({
        "file": signed.file,
        "key": signed.key.map(|key| key.to_string()),
        "holds": signed.outcome.is_ok(),
    });
    match &signed.outcome {
        Ok(comment) => json["comment"] = comment.to_string().into(),
        Err(error) => {
            json["error"] = described(error);
            json["code"] = error.code().into();
        }
    }
    if let Some(key) = &signed.claimed {
        json["claimed-key"] = key.to_string().into();
    }
    json
}
