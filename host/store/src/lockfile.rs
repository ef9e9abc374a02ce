//! `ringfence.lock`: which bundles a workspace was made with.
//!
//! It only takes away: a plugin it names is refused when another bundle is installed under that name.
//! It comes with the workspace, so it is read as what a stranger wrote: within limits, unknown keys
//! are errors, and it never picks an older bundle in place of the installed one.

use crate::source::Source;
use crate::store::is_name;
use crate::toml_file::{self, Problem};
use ringfence_capability::{Class, Diagnostic, Digest};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the file, in the workspace.
pub const FILE: &str = "ringfence.lock";
/// The largest lockfile that is read.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// The most plugins in one.
pub const MAX_PLUGINS: usize = 1_000;
/// The form this host writes.
const FORMAT: u32 = 1;
const HEAD: &str = "# Written by `ringfence lock`. Here, `ringfence` runs exactly these bundles of \
                    what it names.\n";

/// The bundles of a workspace, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lockfile {
    plugins: BTreeMap<String, Locked>,
}

/// One bundle of a lockfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::exhaustive_structs, reason = "whoever locks names all of it")]
pub struct Locked {
    /// The name.
    pub name: String,
    /// The version, for people; the digest is what counts.
    pub version: Version,
    /// The digest of the bundle.
    pub digest: Digest,
    /// Where it can be installed from; a path inside the workspace is relative to it.
    pub source: Source,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    #[serde(rename = "plugin", default)]
    plugins: Vec<Locked>,
}

impl Lockfile {
    /// Returns the bundles, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Locked> {
        self.plugins.values()
    }

    /// Returns the bundle of `name`.
    pub fn get(&self, name: &str) -> Option<&Locked> {
        self.plugins.get(name)
    }

    /// Puts a bundle in the place of what was locked under its name.
    pub fn put(&mut self, locked: Locked) {
        self.plugins.insert(locked.name.clone(), locked);
    }

    /// Checks that the bundle `digest` is the one that is locked as `name`, if one is.
    ///
    /// # Errors
    /// [`LockError::Mismatch`].
    pub fn check(&self, name: &str, digest: Digest) -> Result<(), LockError> {
        match self.get(name) {
            Some(locked) if locked.digest != digest => {
                Err(LockError::Mismatch { locked: Box::new(locked.clone()), found: digest })
            }
            _ => Ok(()),
        }
    }

    /// Reads a lockfile; `file` is how the operator would name it.
    ///
    /// # Errors
    /// [`LockError::File`] with the line.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self, LockError> {
        let fail = |problem| LockError::File { file: file.to_owned(), problem };
        if bytes.len() as u64 > MAX_BYTES {
            return Err(fail(Problem::new(1, format!("it is larger than {MAX_BYTES} bytes"))));
        }
        let stored: Stored = toml_file::read(bytes).map_err(fail)?;
        let wrong = |why: String| Err(fail(Problem::new(1, why)));
        if stored.format != FORMAT {
            return wrong(format!(
                "it is of form {}, this host reads form {FORMAT}",
                stored.format
            ));
        }
        if stored.plugins.len() > MAX_PLUGINS {
            return wrong(format!("it names more than {MAX_PLUGINS} plugins"));
        }
        let mut lockfile = Self::default();
        for locked in stored.plugins {
            let name = ringfence_capability::text::brief(&locked.name, 80);
            if !is_name(&locked.name) {
                return wrong(format!("`{name}` is no name of a plugin"));
            }
            if lockfile.get(&locked.name).is_some() {
                return wrong(format!("`{name}` stands in it twice"));
            }
            lockfile.put(locked);
        }
        Ok(lockfile)
    }

    /// Returns the text of the file: the same bundles give the same text.
    ///
    /// # Errors
    /// Never for a lockfile that was made or read here.
    pub fn text(&self) -> Result<String, LockError> {
        let stored = Stored { format: FORMAT, plugins: self.iter().cloned().collect() };
        let text = toml::to_string(&stored).map_err(|source| LockError::Encode { source })?;
        Ok(format!("{HEAD}{text}"))
    }
}

/// Why a lockfile cannot be used, or what it refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The file is not a lockfile.
    #[error("the lockfile `{file}` cannot be used")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        #[source]
        problem: Problem,
    },
    /// It cannot be written as TOML.
    #[error("the lockfile cannot be written as TOML")]
    Encode {
        /// What the encoder said.
        source: toml::ser::Error,
    },
    /// Another bundle than the one that is locked.
    #[error(
        "this workspace is locked to `{}` {} ({}), and this is {found}",
        locked.name,
        locked.version,
        locked.digest
    )]
    Mismatch {
        /// What is locked.
        locked: Box<Locked>,
        /// The digest that was found.
        found: Digest,
    },
    /// A plugin that the lockfile should name and does not.
    #[error("`{name}` is not in the lockfile")]
    Absent {
        /// The name.
        name: String,
    },
}

impl Diagnostic for LockError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "lock::file",
            Self::Encode { .. } => "lock::encode",
            Self::Mismatch { .. } => "lock::mismatch",
            Self::Absent { .. } => "lock::absent",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::File { .. } => Class::BadInput,
            Self::Encode { .. } => Class::Internal,
            Self::Mismatch { .. } | Self::Absent { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => {
                Some("look at who changed it; `ringfence lock NAME` writes it anew".to_owned())
            }
            Self::Encode { .. } => None,
            Self::Mismatch { locked, .. } => Some(format!(
                "`ringfence diff` shows what differs; `ringfence install --locked` gets the locked \
                 bundle, `ringfence lock {}` accepts the installed one",
                locked.name
            )),
            Self::Absent { name } => {
                Some(format!("`ringfence lock {name}` adds what is installed"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
