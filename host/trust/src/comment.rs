//! The trusted comment of a signature: which plugin was meant, and when.

use crate::SignatureProblem;
use jiff::Timestamp;
use ringfence_bundle::Manifest;
use std::fmt;

/// What a signature says beside the bytes it is over; signed itself.
///
/// Written `plugin:<name>@<version> time:<seconds since 1970>`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedComment {
    /// The name of the plugin.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
    /// When it was signed.
    pub time: Timestamp,
}

impl TrustedComment {
    /// Returns the comment for the plugin with this manifest, signed at `time`.
    pub fn new(manifest: &Manifest, time: Timestamp) -> Self {
        // Whole seconds, as they are written.
        let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
        Self { name: manifest.name.clone(), version: manifest.version.clone(), time }
    }

    /// Returns the comment written in `text`.
    ///
    /// # Errors
    /// When it is not written exactly as this type would write it.
    pub fn parse(text: &str) -> Result<Self, SignatureProblem> {
        let parsed = Self::read(text);
        parsed.filter(|comment| comment.to_string() == text).ok_or(SignatureProblem::Comment)
    }

    fn read(text: &str) -> Option<Self> {
        let (plugin, time) = text.strip_prefix("plugin:")?.split_once(" time:")?;
        let (name, version) = plugin.split_once('@')?;
        let time = Timestamp::from_second(time.parse().ok()?).ok()?;
        Some(Self { name: name.to_owned(), version: version.parse().ok()?, time })
    }
}

impl fmt::Display for TrustedComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, time } = self;
        write!(f, "plugin:{name}@{version} time:{}", time.as_second())
    }
}
