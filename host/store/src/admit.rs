//! Whether a bundle may take a name: whose name it is, and whether it goes back. Pure.

use crate::{Asked, Installed, Receipt, Signer, Source, StoreError};
use jiff::Timestamp;
use ringfence_bundle::archive::Sealed;
use semver::Version;

/// A bundle that is to be installed: what it says about itself, and who stands behind it. Whoever
/// makes one has checked the signature.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "whoever installs names all of it")]
pub struct Candidate<'a> {
    /// The bundle.
    pub bundle: &'a Sealed,
    /// The name in its manifest.
    pub name: &'a str,
    /// The version in its manifest.
    pub version: &'a Version,
    /// Who signed it; none when it is not signed.
    pub signer: Option<Signer>,
    /// Where it came from.
    pub source: Source,
    /// The time now.
    pub time: Timestamp,
    /// What it asks for.
    pub asked: Asked,
}

impl Candidate<'_> {
    pub(crate) fn installed(&self, size_bytes: u64) -> Installed {
        Installed {
            version: self.version.clone(),
            digest: self.bundle.digest(),
            size_bytes,
            source: self.source.clone(),
            signer: self.signer.clone(),
            time: self.time,
            asked: self.asked.clone(),
        }
    }
}

/// What a person allowed, or the trust store knows, beyond the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "each is decided by whoever installs")]
pub struct Terms {
    /// Whether a lower version may take the place of a higher one.
    pub downgrade: Downgrade,
    /// Whether the key of the bundle is known to follow the key that owns the name.
    pub succession: Succession,
}

/// Whether a lower version may take the place of a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Downgrade {
    /// No: it would bring back what was repaired since.
    Refused,
    /// A person said so.
    Allowed,
}

/// Whether a key is known to follow another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Succession {
    /// Nothing says so.
    None,
    /// The older key signed a statement that names the newer one.
    Rotated,
}

/// Decides whether `version`, signed by the key `signer`, may take the name that `receipt` is about.
/// Returns the key the name belongs to from then on.
///
/// # Errors
/// [`StoreError::NameTaken`] when the name belongs to another key, [`StoreError::Downgrade`] when
/// what is installed is newer.
pub fn admit(
    receipt: Option<&Receipt>,
    version: &Version,
    signer: Option<&str>,
    terms: Terms,
) -> Result<Option<String>, StoreError> {
    let Some(receipt) = receipt else { return Ok(signer.map(str::to_owned)) };
    let name = || receipt.name.clone();
    match (receipt.owner.as_deref(), signer) {
        (None, _) => {}
        (Some(owner), Some(signer)) if owner == signer => {}
        (Some(_), Some(_)) if terms.succession == Succession::Rotated => {}
        (Some(owner), signer) => {
            let (owner, signer) = (owner.to_owned(), signer.map(str::to_owned));
            return Err(StoreError::NameTaken { name: name(), owner, signer });
        }
    }
    match receipt.current() {
        Some(current) if *version < current.version && terms.downgrade == Downgrade::Refused => {
            let (installed, version) = (current.version.clone(), version.clone());
            Err(StoreError::Downgrade { name: name(), installed, version })
        }
        _ => Ok(signer.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use ringfence_capability::{Diagnostic as _, Digest};

    const STRICT: Terms = Terms { downgrade: Downgrade::Refused, succession: Succession::None };

    fn receipt(version: &str, owner: Option<&str>) -> Receipt {
        let signer = owner.map(|key| Signer { key: key.to_owned(), name: "n".to_owned() });
        let installed = Installed {
            version: version.parse().unwrap(),
            digest: Digest::from_bytes([1; 32]),
            size_bytes: 1,
            source: Source::File("/x.rfz".to_owned()),
            signer,
            time: Timestamp::UNIX_EPOCH,
            asked: Asked::default(),
        };
        Receipt::first("word-count", installed)
    }

    fn check(
        receipt: Option<&Receipt>,
        version: &str,
        signer: Option<&str>,
        terms: Terms,
    ) -> String {
        match admit(receipt, &version.parse().unwrap(), signer, terms) {
            Ok(owner) => format!("belongs to {}", owner.as_deref().unwrap_or("nobody")),
            Err(error) => format!("{}: {error}", error.code()),
        }
    }

    #[test]
    fn a_name_belongs_to_the_key_it_was_first_installed_from() {
        let (acme, nobody) = (receipt("1.0.0", Some("acme")), receipt("1.0.0", None));
        let rotated = Terms { succession: Succession::Rotated, ..STRICT };
        let taken = "store::name-taken: the name `word-count` belongs to the key `acme`";
        for (receipt, signer, terms, said) in [
            (None, Some("acme"), STRICT, "belongs to acme"),
            (None, None, STRICT, "belongs to nobody"),
            (Some(&acme), Some("acme"), STRICT, "belongs to acme"),
            (Some(&acme), Some("evil"), STRICT, taken),
            (Some(&acme), None, STRICT, taken),
            (Some(&acme), Some("acme2"), rotated, "belongs to acme2"),
            // Only a key can follow a key.
            (Some(&acme), None, rotated, taken),
            (Some(&nobody), Some("acme"), STRICT, "belongs to acme"),
            (Some(&nobody), None, STRICT, "belongs to nobody"),
        ] {
            assert!(check(receipt, "1.0.1", signer, terms).starts_with(said), "{signer:?} {said}");
        }
    }

    #[test]
    fn going_back_needs_a_person() {
        let installed = receipt("1.10.0", Some("k"));
        let allowed = Terms { downgrade: Downgrade::Allowed, ..STRICT };
        let back = "store::downgrade: `word-count` 1.10.0 is installed, and 1.9.0 is older";
        for (version, terms, said) in [
            ("1.10.0", STRICT, "belongs to k"),
            ("1.10.1", STRICT, "belongs to k"),
            ("1.9.0", STRICT, back),
            ("1.9.0", allowed, "belongs to k"),
            ("1.10.0-rc.1", STRICT, "store::downgrade: "),
        ] {
            let found = check(Some(&installed), version, Some("k"), terms);
            assert!(found.starts_with(said), "{version}: {found}");
        }
    }
}
