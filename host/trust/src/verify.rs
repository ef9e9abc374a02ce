//! The check itself, and the types that prove it ran.

use crate::key::KeyId;
use crate::rotation::CLOCK_SKEW;
use crate::{
    KeyState, LayerKind, PublicKey, Signature, SignatureProblem, TrustError, TrustStore,
    TrustedComment, TrustedKey,
};
use jiff::Timestamp;
use ringfence_bundle::Plugin;
use ringfence_bundle::archive::{Sealed, key_of_signature};
use ringfence_capability::{Digest, Profile};
use std::collections::BTreeSet;
use std::ops::Deref;

/// Who signed a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signer {
    /// The key.
    pub key: KeyId,
    /// What the operator calls it.
    pub name: String,
    /// When it was signed, as the signer says.
    pub signed_at: Timestamp,
    /// The layer of the trust store the key comes from.
    pub layer: LayerKind,
}

/// A plugin whose signature was checked: its files are those a trusted key signed, under the name and
/// version in its manifest.
///
/// Only [`verify`] makes one:
///
/// ```compile_fail
/// # fn f(plugin: ringfence_bundle::Plugin, signer: ringfence_trust::Signer) {
/// let forged = ringfence_trust::VerifiedBundle {
///     plugin,
///     signer,
///     max_profile: ringfence_capability::Profile::Trusted,
/// };
/// # }
/// ```
///
/// and what was verified cannot be exchanged afterwards:
///
/// ```compile_fail
/// # fn f(mut verified: ringfence_trust::VerifiedBundle, other: Vec<u8>) {
/// verified.component = other;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    plugin: Plugin,
    signer: Signer,
    max_profile: Profile,
}

impl VerifiedBundle {
    /// Returns who signed it; of several signers, the one that is trusted furthest.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns the most it can get, by the trust in its signer.
    pub fn max_profile(&self) -> Profile {
        self.max_profile
    }
}

impl Deref for VerifiedBundle {
    type Target = Plugin;

    fn deref(&self) -> &Plugin {
        &self.plugin
    }
}

/// A plugin that nobody signed: a bundle without signatures, a directory, a bare component.
#[derive(Debug, Clone)]
pub struct UnsignedBundle {
    plugin: Plugin,
}

impl Deref for UnsignedBundle {
    type Target = Plugin;

    fn deref(&self) -> &Plugin {
        &self.plugin
    }
}

/// What is known about who made a plugin.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "how far a plugin is trusted depends on it")]
pub enum Checked {
    /// Signed with a trusted key.
    Verified(VerifiedBundle),
    /// Not signed.
    Unsigned(UnsignedBundle),
}

impl Checked {
    /// Returns who signed it.
    pub fn signer(&self) -> Option<&Signer> {
        match self {
            Self::Verified(verified) => Some(verified.signer()),
            Self::Unsigned(_) => None,
        }
    }
}

impl Deref for Checked {
    type Target = Plugin;

    fn deref(&self) -> &Plugin {
        match self {
            Self::Verified(verified) => verified,
            Self::Unsigned(unsigned) => unsigned,
        }
    }
}

/// Checks every signature of a bundle, and only then reads its manifest.
///
/// # Errors
/// When a signature cannot be read, one by a known key does not hold or the key is revoked, retired,
/// expired or not valid yet; when there are signatures and no key of theirs is known; when a signer
/// meant another plugin or version, or may not sign for one of that name; when the bundle itself was
/// revoked, or its manifest cannot be used.
///
/// # Security
/// A bundle without signatures is [`Checked::Unsigned`]; one with a signature never is. Whoever can
/// change a bundle can also take all its signatures away: the difference is what it may get.
pub fn verify(sealed: Sealed, store: &TrustStore, now: Timestamp) -> Result<Checked, TrustError> {
    let path = sealed.display().to_owned();
    not_revoked(&path, sealed.digest(), store)?;
    let signatures = parsed(&sealed)?;
    if signatures.is_empty() {
        return plain(Plugin::from_sealed(sealed)?, store);
    }
    let mut held: Vec<(&TrustedKey, TrustedComment)> = Vec::new();
    for (file, signature) in &signatures {
        if let Some(key) = store.key(signature.key()) {
            held.push((key, check(&path, file, signature, sealed.sums(), key, now)?));
        }
    }
    let Some((_, first)) = signatures.first().filter(|_| held.is_empty()) else {
        return named(sealed, &held, store);
    };
    let (key, public) = (first.key(), first.claimed_key(sealed.sums()));
    Err(TrustError::UnknownKey { path, key, public })
}

/// Returns what is known about a plugin that is no bundle and therefore has no signature.
///
/// # Errors
/// When it was revoked.
pub fn plain(plugin: Plugin, store: &TrustStore) -> Result<Checked, TrustError> {
    not_revoked(&plugin.display, plugin.identity, store)?;
    not_revoked(&plugin.display, plugin.digest, store)?;
    Ok(Checked::Unsigned(UnsignedBundle { plugin }))
}

/// What one signature of a bundle is worth.
#[derive(Debug)]
#[non_exhaustive]
pub struct Signed {
    /// The file it is in.
    pub file: String,
    /// The key it says it was made with, when it can be read.
    pub key: Option<KeyId>,
    /// The key itself, when it is not known and the signature names it and holds for it.
    pub claimed: Option<PublicKey>,
    /// What it says, when the key is known and it holds.
    pub outcome: Result<TrustedComment, TrustError>,
}

/// Returns what each signature of a bundle is worth, for a person to look at. Nothing is parsed as a
/// manifest, and nothing follows for whether it may run.
pub fn examine(sealed: &Sealed, store: &TrustStore, now: Timestamp) -> Vec<Signed> {
    let path = sealed.display();
    let one = |(file, bytes): (&str, &[u8])| {
        let parsed = Signature::parse(bytes).and_then(|signature| {
            named_for(file, &signature)?;
            Ok(signature)
        });
        let file = file.to_owned();
        let signature = match parsed {
            Ok(signature) => signature,
            Err(problem) => {
                let outcome = Err(malformed(path, &file, problem));
                return Signed { file, key: None, claimed: None, outcome };
            }
        };
        let key = signature.key();
        let (claimed, outcome) = if let Some(known) = store.key(key) {
            (None, check(path, &file, &signature, sealed.sums(), known, now))
        } else {
            let public = signature.claimed_key(sealed.sums());
            (public, Err(TrustError::UnknownKey { path: path.to_owned(), key, public }))
        };
        Signed { file, key: Some(key), claimed, outcome }
    };
    sealed.signatures().map(one).collect()
}

/// Ways round the check.
pub mod danger {
    use ringfence_bundle::archive::Sealed;
    use ringfence_bundle::{BundleError, Plugin};

    /// Reads the manifest of a bundle whose signatures nobody checked, to show what it says.
    ///
    /// # Errors
    /// When the manifest or the component cannot be used.
    ///
    /// # Security
    /// It could be from anybody. What this returns is for looking at, never for running.
    pub fn unverified(sealed: Sealed) -> Result<Plugin, BundleError> {
        Plugin::from_sealed(sealed)
    }
}

/// Reads all signatures; one that cannot be read refuses the bundle whoever made it.
fn parsed(sealed: &Sealed) -> Result<Vec<(String, Signature)>, TrustError> {
    let mut keys = BTreeSet::new();
    let read = |(file, bytes): (&str, &[u8])| {
        let signature = Signature::parse(bytes).and_then(|signature| {
            named_for(file, &signature)?;
            let key = signature.key();
            if keys.insert(key) { Ok(signature) } else { Err(SignatureProblem::Twice { key }) }
        });
        let signature = signature.map_err(|problem| malformed(sealed.display(), file, problem))?;
        Ok((file.to_owned(), signature))
    };
    sealed.signatures().map(read).collect()
}

/// Checks that a file named for a key holds a signature by that key.
fn named_for(file: &str, signature: &Signature) -> Result<(), SignatureProblem> {
    let key = signature.key();
    match key_of_signature(file) {
        Some(id) if id != key.to_string() => Err(SignatureProblem::FileName { key }),
        _ => Ok(()),
    }
}

/// Checks one signature by a known key.
fn check(
    path: &str,
    file: &str,
    signature: &Signature,
    sums: &[u8],
    trusted: &TrustedKey,
    now: Timestamp,
) -> Result<TrustedComment, TrustError> {
    let (path, key, name) = (path.to_owned(), signature.key(), trusted.name.clone());
    let Some(comment) = signature.verify(sums, &trusted.public) else {
        return Err(TrustError::Broken { path, key, name });
    };
    if trusted.state == KeyState::Revoked {
        return Err(TrustError::RevokedKey { path, key, name, reason: trusted.why() });
    }
    let comment = TrustedComment::parse(comment).map_err(|p| malformed(&path, file, p))?;
    let signed = comment.time;
    if signed > now.saturating_add(CLOCK_SKEW).unwrap_or(now) {
        return Err(TrustError::Future { path, signed });
    }
    if let Some(from) = trusted.not_before
        && (now < from || signed < from)
    {
        return Err(TrustError::NotYetValid { path, key, name, from });
    }
    if let Some(until) = trusted.not_after
        && (now >= until || signed >= until)
    {
        return Err(TrustError::Expired { path, key, name, until });
    }
    if let KeyState::Retired(at) = trusted.state
        && signed > at
    {
        return Err(TrustError::Retired { path, key, name, signed, at });
    }
    Ok(comment)
}

/// Reads the manifest, now that its bytes are known to be signed, and checks that it is what the
/// signers meant.
fn named(
    sealed: Sealed,
    held: &[(&TrustedKey, TrustedComment)],
    store: &TrustStore,
) -> Result<Checked, TrustError> {
    let plugin = Plugin::from_sealed(sealed)?;
    let path = || plugin.display.clone();
    not_revoked(&plugin.display, plugin.digest, store)?;
    let manifest = &plugin.manifest;
    for (key, comment) in held {
        let id = key.public.id();
        if comment.name != manifest.name || comment.version != manifest.version {
            return Err(TrustError::OtherPlugin {
                path: path(),
                key: id,
                is: format!("{}@{}", manifest.name, manifest.version),
                signed: format!("{}@{}", comment.name, comment.version),
            });
        }
        if !key.covers(&manifest.name) {
            let lists = key.plugins.iter().map(|list| format!("`{}`", list.join("`, `")));
            return Err(TrustError::OutOfScope {
                path: path(),
                key: id,
                name: key.name.clone(),
                plugin: manifest.name.clone(),
                patterns: lists.collect::<Vec<_>>().join(" and "),
            });
        }
    }
    // Of two that are trusted as far, the first.
    let best = held.iter().rev().max_by_key(|(key, _)| key.max_profile);
    let Some((key, comment)) = best else { return plain(plugin, store) };
    let signer = Signer {
        key: key.public.id(),
        name: key.name.clone(),
        signed_at: comment.time,
        layer: key.layer,
    };
    let max_profile = key.max_profile;
    Ok(Checked::Verified(VerifiedBundle { plugin, signer, max_profile }))
}

fn not_revoked(path: &str, digest: Digest, store: &TrustStore) -> Result<(), TrustError> {
    match store.revoked(&digest) {
        None => Ok(()),
        Some(reason) => {
            let (path, reason) = (path.to_owned(), reason.to_owned());
            Err(TrustError::RevokedDigest { path, digest, reason })
        }
    }
}

fn malformed(path: &str, file: &str, problem: SignatureProblem) -> TrustError {
    TrustError::Signature { path: path.to_owned(), file: file.to_owned(), problem }
}
