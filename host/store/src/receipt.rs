//! `receipts/<name>.toml`: what is installed under a name, and what a person agreed to.

use crate::source::Source;
use crate::toml_file::{self, Problem};
use jiff::Timestamp;
use ringfence_capability::{Digest, text};
use semver::Version;
use serde::{Deserialize, Serialize};

/// The largest receipt that is read: a hundred versions that ask for a lot.
pub(crate) const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The most versions that are kept under one name; `ringfence remove --unused` makes room.
pub(crate) const MAX_VERSIONS: usize = 100;
/// The form this host writes.
const FORMAT: u32 = 1;
const HEAD: &str =
    "# Written by ringfence; `ringfence install`, `update` and `remove` change it.\n";

/// Everything installed under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Receipt {
    format: u32,
    /// The name.
    pub name: String,
    /// The key the name belongs to; none while nothing signed was installed under it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// The digest of the bundle that the name alone stands for.
    pub current: Digest,
    /// What is installed, the latest last.
    #[serde(rename = "installed")]
    pub(crate) versions: Vec<Installed>,
}

/// One installed bundle, and what a person agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Installed {
    /// Its version.
    pub version: Version,
    /// The digest of the bundle: what is opened must have it.
    pub digest: Digest,
    /// The size of the packed bundle.
    pub size_bytes: u64,
    /// Where it came from.
    pub source: Source,
    /// Who signed it, when it was installed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer: Option<Signer>,
    /// When it was installed.
    pub time: Timestamp,
    /// What it asked for when a person agreed.
    #[serde(default)]
    pub asked: Asked,
}

/// A key and the name the user gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "whoever installs names both")]
pub struct Signer {
    /// The id of the key.
    pub key: String,
    /// What the user calls it.
    pub name: String,
}

/// What a bundle asked for, as text: for people to compare, never parsed again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::exhaustive_structs, reason = "whoever installs names all of it")]
pub struct Asked {
    /// The capabilities.
    pub requests: Vec<String>,
    /// The limits, each as `name=value`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub limits: Vec<String>,
    /// The profile it says it needs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub needs_profile: Option<String>,
}

impl Receipt {
    /// Returns the receipt of `name` with this first bundle.
    pub(crate) fn first(name: &str, installed: Installed) -> Self {
        Self {
            format: FORMAT,
            name: name.to_owned(),
            owner: installed.signer.as_ref().map(|signer| signer.key.clone()),
            current: installed.digest,
            versions: vec![installed],
        }
    }

    /// Returns what is installed, the latest last.
    pub fn versions(&self) -> &[Installed] {
        &self.versions
    }

    /// Returns the bundle that the name alone stands for.
    pub fn current(&self) -> Option<&Installed> {
        self.versions.iter().find(|installed| installed.digest == self.current)
    }

    /// Returns the same receipt with one more bundle, which the name stands for from now on.
    #[must_use]
    pub(crate) fn with(&self, installed: Installed, owner: Option<String>) -> Self {
        let mut versions = self.versions.clone();
        // Another bundle of the same version takes the place of the earlier one.
        versions
            .retain(|other| other.digest != installed.digest && other.version != installed.version);
        let current = installed.digest;
        versions.push(installed);
        Self { format: FORMAT, name: self.name.clone(), owner, current, versions }
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// Never for a receipt that was made or read here.
    pub(crate) fn text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self).map(|text| format!("{HEAD}{text}"))
    }

    /// Reads the receipt of `name`.
    ///
    /// # Errors
    /// When it is not TOML, has an unknown key, another form, or is about another name.
    pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let receipt: Self = toml_file::read(bytes)?;
        receipt.sound(name).map_err(|why| Problem::new(1, why))?;
        Ok(receipt)
    }

    fn sound(&self, name: &str) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "it is of form {}, and this host reads form {FORMAT}",
                self.format
            ));
        }
        if self.name != name {
            return Err(format!("it is the receipt of `{}`", text::brief(&self.name, 80)));
        }
        if self.versions.is_empty() || self.versions.len() > MAX_VERSIONS {
            return Err(format!("it names none, or more than {MAX_VERSIONS} bundles"));
        }
        if self.current().is_none() {
            return Err("`current` is none of what is installed".to_owned());
        }
        for (at, installed) in self.versions.iter().enumerate() {
            if self.versions[..at].iter().any(|other| other.version == installed.version) {
                return Err(format!("version {} stands in it twice", installed.version));
            }
        }
        if self.texts().all(is_shown) { Ok(()) } else { Err("a text in it hides something".into()) }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.owner.as_deref().into_iter().chain(self.versions.iter().flat_map(Installed::texts))
    }
}

impl Installed {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let signer = self.signer.iter().flat_map(|signer| [&signer.key, &signer.name]);
        let Asked { requests, limits, needs_profile } = &self.asked;
        signer.chain(requests).chain(limits).chain(needs_profile).map(String::as_str)
    }
}

/// Tells whether a terminal shows `text` as it is.
fn is_shown(text: &str) -> bool {
    !text.chars().any(text::hides)
}

#[cfg(test)]
mod tests;
