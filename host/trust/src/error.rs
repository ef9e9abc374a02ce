//! Why a bundle is not trusted, and what can be wrong with keys and the trust store.

use crate::key::KeyId;
use crate::{PublicKey, Timestamp};
use ringfence_bundle::BundleError;
use ringfence_capability::{Class, Diagnostic, Digest, text};

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Its signature held, and its content cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A signature file that is none, or of an algorithm this host does not have.
    #[error("the signature `{file}` of `{path}` cannot be used")]
    Signature {
        /// The bundle, as the operator named it.
        path: String,
        /// The file of the signature.
        file: String,
        /// Why.
        #[source]
        problem: SignatureProblem,
    },
    /// A signature by a known key that does not hold.
    #[error("the signature of `{path}` by key {key} (`{name}`) is broken")]
    Broken {
        /// The bundle, as the operator named it.
        path: String,
        /// The key it says it was made with.
        key: KeyId,
        /// What the operator calls the key.
        name: String,
    },
    /// Signed, and nobody said that any of the keys is trusted.
    #[error("`{path}` is signed with key {key}, which is not trusted here")]
    UnknownKey {
        /// The bundle, as the operator named it.
        path: String,
        /// The key it says it was made with.
        key: KeyId,
        /// The key itself, when the signature names it and holds for it.
        public: Option<PublicKey>,
    },
    /// The key was taken back.
    #[error("`{path}` is signed with key {key} (`{name}`), which was revoked: {reason}")]
    RevokedKey {
        /// The bundle, as the operator named it.
        path: String,
        /// The key.
        key: KeyId,
        /// What the operator calls the key.
        name: String,
        /// Why it was taken back.
        reason: String,
    },
    /// This very plugin was taken back, whoever signed it.
    #[error("`{path}` was revoked: {reason}")]
    RevokedDigest {
        /// The plugin, as the operator named it.
        path: String,
        /// The digest that was taken back.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// The key is trusted from a later time on.
    #[error("`{path}` is signed with key {key} (`{name}`), which is trusted from {from} on only")]
    NotYetValid {
        /// The bundle, as the operator named it.
        path: String,
        /// The key.
        key: KeyId,
        /// What the operator calls the key.
        name: String,
        /// From when on.
        from: Timestamp,
    },
    /// The key is no longer trusted.
    #[error("`{path}` is signed with key {key} (`{name}`), which was trusted until {until} only")]
    Expired {
        /// The bundle, as the operator named it.
        path: String,
        /// The key.
        key: KeyId,
        /// What the operator calls the key.
        name: String,
        /// Until when.
        until: Timestamp,
    },
    /// The key signs nothing new.
    #[error("`{path}` was signed at {signed} with key {key} (`{name}`), which was retired at {at}")]
    Retired {
        /// The bundle, as the operator named it.
        path: String,
        /// The key.
        key: KeyId,
        /// What the operator calls the key.
        name: String,
        /// When it was signed.
        signed: Timestamp,
        /// When the key was retired.
        at: Timestamp,
    },
    /// Signed later than now.
    #[error("`{path}` says that it was signed at {signed}, which is in the future")]
    Future {
        /// The bundle, as the operator named it.
        path: String,
        /// When it says it was signed.
        signed: Timestamp,
    },
    /// Signed for another plugin or version.
    #[error("`{path}` is `{is}`, and key {key} signed it as `{signed}`")]
    OtherPlugin {
        /// The bundle, as the operator named it.
        path: String,
        /// The key.
        key: KeyId,
        /// Name and version in the manifest.
        is: String,
        /// Name and version in the signature.
        signed: String,
    },
    /// The key is not trusted for plugins of this name.
    #[error("key {key} (`{name}`) is not trusted for a plugin called `{plugin}`")]
    OutOfScope {
        /// The bundle, as the operator named it.
        path: String,
        /// The key.
        key: KeyId,
        /// What the operator calls the key.
        name: String,
        /// What the plugin is called.
        plugin: String,
        /// What it may be called.
        patterns: String,
    },
}

impl Diagnostic for TrustError {
    fn code(&self) -> &'static str {
        match self {
            Self::Bundle(error) => error.code(),
            Self::Signature { problem: SignatureProblem::Algorithm { .. }, .. } => {
                "trust::unknown-algorithm"
            }
            Self::Signature { .. } => "trust::malformed-signature",
            Self::Broken { .. } => "trust::broken-signature",
            Self::UnknownKey { .. } => "trust::unknown-key",
            Self::RevokedKey { .. } => "trust::revoked-key",
            Self::RevokedDigest { .. } => "trust::revoked-digest",
            Self::NotYetValid { .. } => "trust::not-yet-valid",
            Self::Expired { .. } => "trust::expired",
            Self::Retired { .. } => "trust::retired",
            Self::Future { .. } => "trust::signed-in-future",
            Self::OtherPlugin { .. } => "trust::other-plugin",
            Self::OutOfScope { .. } => "trust::out-of-scope",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Bundle(error) => error.class(),
            _ => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Bundle(error) => return error.hint(),
            Self::Signature { problem: SignatureProblem::Algorithm { old: true, .. }, .. } => {
                "ask the publisher to sign it again with minisign 0.10 or later, which signs a hash"
                    .to_owned()
            }
            Self::Signature { .. } | Self::Broken { .. } | Self::OtherPlugin { .. } => {
                "do not run it: fetch it again from its publisher".to_owned()
            }
            Self::UnknownKey { path, public: Some(key), .. } => format!(
                "compare the key with what the publisher says elsewhere; then `ringfence trust add \
                 {key} --name NAME`, or `ringfence trust pin {path}`"
            ),
            Self::UnknownKey { .. } => {
                "get the public key from the publisher; then `ringfence trust add FILE.pub --name NAME`"
                    .to_owned()
            }
            Self::RevokedKey { .. } | Self::RevokedDigest { .. } => {
                "do not run it: look for a newer version, signed with another key".to_owned()
            }
            Self::NotYetValid { .. } => {
                "check the clock of this machine, and `not-before` in `ringfence trust list`"
                    .to_owned()
            }
            Self::Expired { .. } => {
                "ask the publisher for a version signed with a current key; `ringfence trust list` \
                 shows until when each is trusted"
                    .to_owned()
            }
            Self::Retired { .. } => {
                "ask the publisher which key came after it, and for its statement: `ringfence trust \
                 rotate FILE`"
                    .to_owned()
            }
            Self::Future { .. } => "check the clock of this machine".to_owned(),
            Self::OutOfScope { patterns, .. } => {
                format!("the key may sign for {patterns}; `ringfence trust add` sets that")
            }
        })
    }
}

/// What is wrong with a signature file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureProblem {
    /// It is not written like one.
    #[error("it is not written as minisign writes signatures")]
    Form,
    /// Its algorithm is another one.
    #[error("its algorithm `{name}` is not `ED`, Ed25519 over a BLAKE2b hash")]
    Algorithm {
        /// The two letters.
        name: String,
        /// Whether it is the one minisign used before.
        old: bool,
    },
    /// Its signed comment is not that of a plugin.
    #[error("its trusted comment is not `plugin:<name>@<version> time:<seconds>`")]
    Comment,
    /// The name of the file names another key.
    #[error("its file is named for another key than the {key} it was made with")]
    FileName {
        /// The key in the signature.
        key: KeyId,
    },
    /// Two signatures by one key.
    #[error("key {key} signed it before, in another file")]
    Twice {
        /// The key.
        key: KeyId,
    },
}

/// Why a key cannot be used, made or read. Nothing of a secret key is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a public key.
    #[error("`{text}` is not a public key of minisign")]
    Public {
        /// The beginning of what was given.
        text: String,
    },
    /// Not a secret key.
    #[error("the file is not a secret key of minisign: {why}")]
    Secret {
        /// Why.
        why: &'static str,
    },
    /// Encrypted, and no passphrase was given.
    #[error("the key is encrypted, and there is no passphrase")]
    NeedsPassphrase,
    /// Encrypted with another passphrase.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// Encrypted in a way that takes too much to undo.
    #[error("the key is encrypted in a way that takes more than 1 GiB of memory to open")]
    Costly,
    /// The system gave no random bytes.
    #[error("the system has no random bytes for a new key")]
    NoRandomness,
    /// A statement about a new key that is none.
    #[error("the statement about a new key cannot be used: {why}")]
    Statement {
        /// Why.
        why: &'static str,
    },
}

impl KeyError {
    /// Returns the error for `text`, which should have been a public key. A secret key given by
    /// mistake is not shown.
    pub(crate) fn public(text: &str) -> Self {
        let secret = text.len() > 100 || text.contains("secret");
        let shown = if secret { "…".to_owned() } else { text::brief(text, 80) };
        Self::Public { text: shown }
    }
}

impl Diagnostic for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Public { .. } => "trust::not-a-public-key",
            Self::Secret { .. } => "trust::not-a-secret-key",
            Self::NeedsPassphrase => "trust::needs-passphrase",
            Self::WrongPassphrase => "trust::wrong-passphrase",
            Self::Costly => "trust::costly-key",
            Self::NoRandomness => "trust::no-randomness",
            Self::Statement { .. } => "trust::statement",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NoRandomness => Class::Internal,
            Self::Statement { .. } => Class::Refused,
            _ => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Public { .. } => {
                    "name a `.pub` file, or the line in it that begins with `RW`"
                }
                Self::Secret { .. } | Self::Costly => {
                    "`ringfence keys new NAME` makes a key, `ringfence keys list` shows those there are"
                }
                Self::NeedsPassphrase => {
                    "run it on a terminal, or name a file with the passphrase: `--passphrase-file FILE`"
                }
                Self::WrongPassphrase => "type it again",
                Self::NoRandomness => return None,
                Self::Statement { .. } => "ask the publisher for the statement again",
            }
            .to_owned(),
        )
    }
}

/// What is wrong with a file of the trust store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be read as what it should be.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// The file, as the operator would name it.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// An entry that cannot be used.
    #[error("{file}: {entry}: {why}")]
    Entry {
        /// The file, as the operator would name it.
        file: String,
        /// Which entry.
        entry: String,
        /// Why.
        why: String,
    },
    /// Too large.
    #[error("{file}: it has more than {limit} {what}")]
    TooLarge {
        /// The file, as the operator would name it.
        file: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Diagnostic for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "trust::store-syntax",
            Self::Entry { .. } => "trust::store-entry",
            Self::TooLarge { .. } => "trust::store-too-large",
        }
    }

    fn class(&self) -> Class {
        Class::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Syntax { .. } | Self::Entry { .. } => {
                    "correct the file; until then no signature can be checked, so that nothing runs"
                }
                Self::TooLarge { .. } => "remove keys and digests nobody uses any more",
            }
            .to_owned(),
        )
    }
}
