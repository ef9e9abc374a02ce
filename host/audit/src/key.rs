//! The key that checkpoints are signed with: one for a log, readable by its owner only, in the form
//! that other tools read (PKCS #8 in PEM).
//!
//! It is made under the lock of the log, at the first checkpoint. It proves something to whoever
//! cannot read it; see the threat model for who can.

use crate::AuditError;
use crate::names::{self, Names};
use crate::own::Checkpoint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cap_std::fs::{Dir, OpenOptions};
use ring::rand::SecureRandom as _;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ringfence_capability::Digest;
use sha2::Digest as _;
use std::io::{self, Read, Write};

/// What stands before the 32 bytes of a private key in PKCS #8 (RFC 8410).
const PRIVATE: &[u8] = &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What stands before the 32 bytes of a public key in its DER form (RFC 8410).
const PUBLIC: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// More than a PEM file with one key of this kind holds.
const MAX_PEM: u64 = 1024;

/// The public half of a key that checkpoints are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A text that is no public key of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no Ed25519 public key in PEM form")]
pub struct ParseKeyError;

impl PublicKey {
    /// Returns the key that the log in the file `name` signs with, whose key file is in `dir`;
    /// nothing when none was made yet.
    ///
    /// # Errors
    /// [`AuditError::Key`].
    pub fn of_log(dir: &Dir, name: &str) -> Result<Option<Self>, AuditError> {
        Ok(SigningKey::load(dir, &Names::new(name).key())?.map(|key| key.public()))
    }

    /// Returns the key in `pem`.
    ///
    /// # Errors
    /// [`ParseKeyError`].
    pub fn from_pem(pem: &str) -> Result<Self, ParseKeyError> {
        unwrap(pem, "PUBLIC KEY", PUBLIC).map(Self).ok_or(ParseKeyError)
    }

    /// Returns the key in the form that other tools read.
    pub fn to_pem(&self) -> String {
        wrap("PUBLIC KEY", PUBLIC, &self.0)
    }

    /// Returns what names the key: the SHA-256 of its DER form.
    pub fn id(&self) -> Digest {
        let der = sha2::Sha256::new().chain_update(PUBLIC).chain_update(self.0);
        Digest::from_bytes(der.finalize().into())
    }

    /// Tells whether this key signed `checkpoint` as it is.
    pub fn signed(&self, checkpoint: &Checkpoint) -> bool {
        let signature = STANDARD.decode(&checkpoint.signature);
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        signature.is_ok_and(|signature| {
            checkpoint.key == self.id()
                && key.verify(checkpoint.line().as_bytes(), &signature).is_ok()
        })
    }
}

/// The private half.
pub(crate) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Returns the key in the file `name`, made when it is missing. The caller holds the lock of the
    /// log.
    pub(crate) fn load_or_make(dir: &Dir, name: &str) -> Result<Self, AuditError> {
        if let Some(key) = Self::load(dir, name)? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        let made = ring::rand::SystemRandom::new().fill(&mut seed);
        made.map_err(|_| unusable(name, "there are no random numbers to make one"))?;
        store(dir, name, &wrap("PRIVATE KEY", PRIVATE, &seed))
            .map_err(|source| AuditError::Key { name: name.to_owned(), what: "write", source })?;
        Self::from_seed(&seed, name)
    }

    fn load(dir: &Dir, name: &str) -> Result<Option<Self>, AuditError> {
        let fail = |source| AuditError::Key { name: name.to_owned(), what: "read", source };
        let file = match names::open_to_read(dir, name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        #[cfg(unix)]
        {
            use cap_std::fs::MetadataExt as _;
            if file.metadata().map_err(fail)?.mode() & 0o077 != 0 {
                return Err(unusable(name, "others may read or write it"));
            }
        }
        let mut pem = String::new();
        file.take(MAX_PEM).read_to_string(&mut pem).map_err(fail)?;
        let seed = unwrap(&pem, "PRIVATE KEY", PRIVATE);
        let seed = seed.ok_or_else(|| unusable(name, "it is no Ed25519 key in PEM form"))?;
        Self::from_seed(&seed, name).map(Some)
    }

    fn from_seed(seed: &[u8; 32], name: &str) -> Result<Self, AuditError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        pair.map(Self).map_err(|_| unusable(name, "it is no Ed25519 key"))
    }

    pub(crate) fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Returns the signed checkpoint over the record `seq`.
    pub(crate) fn sign(&self, seq: u64, head: Digest, time: &str) -> Checkpoint {
        let (time, key) = (time.to_owned(), self.public().id());
        let mut checkpoint = Checkpoint { seq, head, time, key, signature: String::new() };
        checkpoint.signature = STANDARD.encode(self.0.sign(checkpoint.line().as_bytes()));
        checkpoint
    }
}

fn unusable(name: &str, why: &'static str) -> AuditError {
    AuditError::UnusableKey { name: name.to_owned(), why }
}

/// Writes the file whole or not at all.
fn store(dir: &Dir, name: &str, pem: &str) -> io::Result<()> {
    let new = format!("{name}.new");
    // What a process left here that died while it made a key is of no use to anybody.
    match dir.remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = names::open(dir, &new, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    dir.rename(&new, dir, name)
}

fn wrap(label: &str, prefix: &[u8], key: &[u8; 32]) -> String {
    let body = STANDARD.encode([prefix, key].concat());
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn unwrap(pem: &str, label: &str, prefix: &[u8]) -> Option<[u8; 32]> {
    let rest = pem.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body = rest.strip_suffix(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()?.strip_prefix(prefix)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_survives_its_pem_form_and_nothing_else_is_one() {
        let key = SigningKey::from_seed(&[7; 32], "k").unwrap().public();
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        for pem in ["", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "\u{0}"] {
            assert_eq!(PublicKey::from_pem(pem), Err(ParseKeyError), "{pem:?}");
        }
    }

    #[test]
    fn every_field_of_a_checkpoint_is_signed() {
        let key = SigningKey::from_seed(&[7; 32], "k").unwrap();
        let sound = key.sign(64, Digest::from_bytes([1; 32]), "2026-01-02T03:04:05.678Z");
        assert!(key.public().signed(&sound));
        let other = SigningKey::from_seed(&[8; 32], "k").unwrap().public();
        assert!(!other.signed(&sound), "another key");
        let changes: [fn(&mut Checkpoint); 5] = [
            |c| c.seq += 1,
            |c| c.head = Digest::from_bytes([2; 32]),
            |c| c.time.push('0'),
            |c| c.key = Digest::from_bytes([3; 32]),
            |c| c.signature.insert(0, 'A'),
        ];
        for change in changes {
            let mut forged = sound.clone();
            change(&mut forged);
            assert!(!key.public().signed(&forged), "{forged:?}");
        }
    }
}
