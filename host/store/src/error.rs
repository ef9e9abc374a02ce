//! What can be wrong with what is installed.

use crate::toml_file::Problem;
use ringfence_bundle::archive::ArchiveError;
use ringfence_capability::{Class, Diagnostic, Digest};
use semver::Version;
use std::io;
use std::path::PathBuf;

/// Why something cannot be installed, found or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A place that belongs to somebody else.
    #[error("`{}` belongs to user {owner}, not to user {me}", path.display())]
    ForeignOwner {
        /// The place.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs this.
        me: u32,
    },
    /// A place that others can reach.
    #[error("others can reach `{}` (mode {mode:o})", path.display())]
    TooOpen {
        /// The place.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The most it may have.
        wanted: u32,
    },
    /// A link or a device in the place of something plain.
    #[error("`{}` is not used: {why}", path.display())]
    NotPlain {
        /// The place.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// A file larger than what is read.
    #[error("`{}` is larger than {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        most: u64,
    },
    /// A receipt that cannot be used.
    #[error("the receipt `{}` is damaged", path.display())]
    Receipt {
        /// The receipt.
        path: PathBuf,
        /// The name it is for.
        name: String,
        /// What is wrong with it.
        #[source]
        problem: Problem,
    },
    /// A receipt that cannot be written down.
    #[error("the receipt of `{name}` cannot be written as TOML")]
    Encode {
        /// The name.
        name: String,
        /// What the encoder said.
        source: toml::ser::Error,
    },
    /// Nothing is installed under a name.
    #[error("`{name}` is not installed")]
    NotInstalled {
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// Another version is installed.
    #[error("version {version} of `{name}` is not installed")]
    NoVersion {
        /// The name.
        name: String,
        /// The version that was asked for.
        version: Version,
        /// The versions that are there.
        have: String,
    },
    /// What a receipt names is gone.
    #[error("the bundle of `{name}` {version} is gone from the store")]
    Missing {
        /// The name.
        name: String,
        /// The version.
        version: Version,
    },
    /// What is in the store cannot be read as a bundle.
    #[error("the bundle of `{name}` {version} in the store is damaged")]
    Damaged {
        /// The name.
        name: String,
        /// The version.
        version: Version,
        /// What is wrong with it.
        source: ArchiveError,
    },
    /// Another bundle lies where the installed one belongs.
    #[error(
        "the bundle of `{name}` in the store is not what was installed: it is {found}, not {expected}"
    )]
    Tampered {
        /// The name.
        name: String,
        /// The digest in the receipt.
        expected: Digest,
        /// The digest it has.
        found: Digest,
    },
    /// A lower version than the installed one.
    #[error("`{name}` {installed} is installed, and {version} is older")]
    Downgrade {
        /// The name.
        name: String,
        /// The version that is installed.
        installed: Version,
        /// The version that was to be installed.
        version: Version,
    },
    /// A name that belongs to another key.
    #[error("the name `{name}` belongs to the key `{owner}`, and this bundle is {}", signed(.signer.as_deref()))]
    NameTaken {
        /// The name.
        name: String,
        /// The key it belongs to.
        owner: String,
        /// The key that signed the bundle.
        signer: Option<String>,
    },
    /// Something changed while a person thought about it.
    #[error("what is installed as `{name}` changed in the meantime")]
    Changed {
        /// The name.
        name: String,
    },
    /// The version a name stands for, while there are others.
    #[error("{version} is the version that `{name}` stands for")]
    IsCurrent {
        /// The name.
        name: String,
        /// The version.
        version: Version,
    },
    /// More versions than are kept.
    #[error("{limit} versions of `{name}` are installed, the most that are kept")]
    TooMany {
        /// The name.
        name: String,
        /// The limit.
        limit: usize,
    },
    /// A name that no plugin can have.
    #[error("`{name}` is no name of a plugin")]
    BadName {
        /// The beginning of the text.
        name: String,
    },
}

fn signed(signer: Option<&str>) -> String {
    signer.map_or_else(|| "not signed".to_owned(), |key| format!("signed by `{key}`"))
}

impl Diagnostic for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "store::io",
            Self::ForeignOwner { .. } => "store::foreign-owner",
            Self::TooOpen { .. } => "store::too-open",
            Self::NotPlain { .. } => "store::not-plain",
            Self::TooLarge { .. } => "store::too-large",
            Self::Receipt { .. } => "store::damaged-receipt",
            Self::Encode { .. } => "store::encode",
            Self::NotInstalled { .. } => "store::not-installed",
            Self::NoVersion { .. } => "store::no-version",
            Self::Missing { .. } => "store::missing",
            Self::Damaged { .. } => "store::damaged",
            Self::Tampered { .. } => "store::tampered",
            Self::Downgrade { .. } => "store::downgrade",
            Self::NameTaken { .. } => "store::name-taken",
            Self::Changed { .. } => "store::changed",
            Self::IsCurrent { .. } => "store::is-current",
            Self::TooMany { .. } => "store::too-many",
            Self::BadName { .. } => "store::bad-name",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Io { .. } | Self::Encode { .. } => Class::Internal,
            Self::NotInstalled { .. }
            | Self::NoVersion { .. }
            | Self::IsCurrent { .. }
            | Self::TooMany { .. }
            | Self::BadName { .. } => Class::BadInput,
            Self::ForeignOwner { .. }
            | Self::TooOpen { .. }
            | Self::NotPlain { .. }
            | Self::TooLarge { .. }
            | Self::Receipt { .. }
            | Self::Missing { .. }
            | Self::Damaged { .. }
            | Self::Tampered { .. }
            | Self::Downgrade { .. }
            | Self::NameTaken { .. }
            | Self::Changed { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let again =
            |name: &str| format!("install it again: `ringfence install SOURCE` for `{name}`");
        Some(match self {
            Self::Io { .. } => "check the disk and the rights, or name another place with `--data-dir`".to_owned(),
            Self::Encode { .. } => return None,
            Self::ForeignOwner { .. } => "name a directory of your own with `--data-dir`".to_owned(),
            Self::TooOpen { path, wanted, .. } => {
                format!("look at what is in it, then `chmod {wanted:o} {}`", path.display())
            }
            Self::NotPlain { path, .. } | Self::TooLarge { path, .. } => {
                format!("find out who made it, then remove `{}`", path.display())
            }
            Self::Receipt { path, name, .. } => format!(
                "find out who changed it; remove `{}` and install `{name}` again",
                path.display()
            ),
            Self::NotInstalled { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::NotInstalled { .. } => {
                "`ringfence list` shows what is installed; a path has a `/` or exists".to_owned()
            }
            Self::NoVersion { name, have, .. } => format!("installed of `{name}`: {have}"),
            Self::Missing { name, .. } | Self::Damaged { name, .. } => again(name),
            Self::Tampered { name, .. } => format!("find out who changed it; {}", again(name)),
            Self::Downgrade { .. } => {
                "an older version has the faults that were repaired since; `--allow-downgrade` installs it all the same".to_owned()
            }
            Self::NameTaken { name, .. } => format!(
                "if its maker changed keys, they can hand over with `ringfence keys rotate`; `ringfence remove {name}` frees the name"
            ),
            Self::Changed { .. } => "run the command again, and look again at what it asks for".to_owned(),
            Self::IsCurrent { name, .. } => {
                format!("`ringfence remove {name}` removes every version of it")
            }
            Self::TooMany { .. } => "`ringfence remove --unused` removes the older ones".to_owned(),
            Self::BadName { .. } => {
                "a name has 1 to 64 characters of `a-z 0-9 -`, a version follows after `@`".to_owned()
            }
        })
    }
}
