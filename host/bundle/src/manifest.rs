//! `plugin.toml`: what a plugin says about itself and asks for.
//!
//! Parsed strictly: an unknown key, an unknown capability or a value that is not well formed is an
//! error with its line and column. Start with [`parse`].

mod document;
mod plugin;
mod request;

use crate::{BundleError, ManifestProblem};
use ringfence_capability::{HostPattern, Limit, Limits, Name, Profile, Request};
use semver::Version;
use std::collections::BTreeMap;

pub use plugin::MAX_DESCRIPTION_CHARS;
pub use request::{DEFAULT_KV_BYTES, MAX_KV_BYTES, MAX_REASON_CHARS, MAX_REQUESTS};

/// What a plugin says about itself. Untrusted: texts are checked for control characters only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The name: `a-z`, `0-9` and `-`, 1 to 64 characters.
    pub name: String,
    /// The version.
    pub version: Version,
    /// What it does, in one line; may be empty.
    pub description: String,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// The component, relative to the manifest.
    pub component: String,
    /// The least profile the author believes it can work in; never widens anything.
    pub needs_profile: Option<Profile>,
    /// What it asks for, one entry for each host, directory and name.
    pub requests: Vec<Request>,
    /// How the host attaches the secrets that are asked for.
    pub secrets: Vec<SecretUse>,
    /// The limits it states.
    pub limits: LimitsRequest,
    /// What it says about its functions, by the name of the function.
    pub tools: BTreeMap<String, ToolMeta>,
    /// Interfaces that its language runtime imports and never uses, such as `wasi:sockets/*`.
    pub stub_imports: Vec<String>,
}

/// How a secret reaches an outgoing request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretUse {
    /// The name under which the operator supplies it.
    pub name: Name,
    /// The hosts it may be sent to.
    pub hosts: Vec<HostPattern>,
    /// The header it is put in, lower case.
    pub header: String,
    /// The value of the header; `{}` stands for the secret.
    pub format: String,
}

/// The limits a manifest states; those it does not name stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitsRequest {
    asked: Vec<(Limit, u64)>,
}

impl LimitsRequest {
    /// Returns the limits that are named, in the order of [`Limit::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        self.asked.iter().copied()
    }

    /// Returns the number stated for `limit`.
    pub fn of(&self, limit: Limit) -> Option<u64> {
        self.iter().find(|(asked, _)| *asked == limit).map(|(_, number)| number)
    }

    /// Returns `base` with the named limits replaced.
    #[must_use]
    pub fn over(&self, base: &Limits) -> Limits {
        let mut limits = *base;
        for (limit, number) in self.iter() {
            limits.set(limit, number);
        }
        limits
    }
}

/// What a manifest says about one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolMeta {
    /// What a call does to the world.
    pub effect: Effect,
    /// Whether a second call with the same input changes nothing more.
    pub idempotent: bool,
}

/// What calling a function does to the world, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever asks a person must handle every effect")]
pub enum Effect {
    /// It only reads.
    Read,
    /// It changes files.
    Write,
    /// It changes something outside this machine.
    External,
    /// It runs programs.
    Exec,
}

impl Effect {
    /// Every effect, least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::External, Self::Exec];

    /// Returns the name used in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::External => "external",
            Self::Exec => "exec",
        }
    }
}

impl Manifest {
    /// Returns the manifest of a bare component in the file `file_name`: it asks for nothing.
    pub fn of_bare(file_name: &str) -> Self {
        let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
        let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = stem.chars().map(fit).collect();
        let name: String = name.trim_matches('-').chars().take(64).collect();
        Self {
            name: if name.is_empty() { "plugin".to_owned() } else { name },
            version: Version::new(0, 0, 0),
            description: String::new(),
            license: None,
            component: file_name.to_owned(),
            needs_profile: None,
            requests: Vec::new(),
            secrets: Vec::new(),
            limits: LimitsRequest::default(),
            tools: BTreeMap::new(),
            stub_imports: Vec::new(),
        }
    }
}

/// Reads a manifest from its text. `file` is how the operator would name it.
///
/// # Errors
/// [`BundleError::Manifest`] with the line and column of the first thing that is wrong.
pub fn parse(text: &str, file: &str) -> Result<Manifest, BundleError> {
    plugin::manifest(&document::Document::new(text, file))
}

/// Reads a manifest from the bytes of its file.
///
/// # Errors
/// As [`parse`], and when the bytes are not UTF-8.
pub fn parse_bytes(bytes: &[u8], file: &str) -> Result<Manifest, BundleError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, file),
        Err(error) => {
            let before = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let document = document::Document::new(before, file);
            Err(document.error(before.len(), ManifestProblem::NotText))
        }
    }
}

#[cfg(test)]
mod tests;
