//! Secret keys: made, kept in files that minisign reads, and never shown.

use crate::key::{KEY_ALGORITHM, KeyId};
use crate::{KeyError, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// The largest file of a secret key that is read: ten times a real one.
pub const MAX_KEY_FILE_BYTES: u64 = 4096;

const SCRYPT: [u8; 2] = *b"Sc";
const NO_KDF: [u8; 2] = [0, 0];
const CHECKSUM: [u8; 2] = *b"B2";
/// What encryption costs, in the two numbers of libsodium: 128 MiB and half a second, N = 2¹⁷, r = 8,
/// p = 1. The program of minisign reads the numbers from the file, and takes a gigabyte for its own.
const OPS: u64 = 1 << 22;
const MEMORY: u64 = 1 << 27;
/// The most memory a file may ask for: what minisign writes. A hostile file asks for more.
const MAX_MEMORY: u64 = 1 << 30;
const MAX_OPS: u64 = 1 << 25;

/// The id, the seed with the public key, and the checksum: what is encrypted.
const SECRET_BYTES: usize = 8 + 64 + 32;
/// Algorithms, salt, two numbers, secret.
const FILE_BYTES: usize = 6 + 32 + 16 + SECRET_BYTES;

type Blake2b256 = Blake2b<U32>;

/// A secret key. `Debug` shows its public half only, and its bytes are wiped when it is dropped.
///
/// The library that computes signatures keeps the key in its own form while it works; that copy is
/// not wiped.
#[derive(Clone)]
pub struct SecretKey {
    public: PublicKey,
    seed: Zeroizing<[u8; 32]>,
}

/// What a person types to open a key file. Nothing prints it.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// How the file of a secret key is protected.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "writing a key must handle every way")]
pub enum Protection {
    /// Encrypted.
    Passphrase(Passphrase),
    /// By the rights of the file alone.
    None,
}

impl Passphrase {
    /// Returns the passphrase with this text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        // Both were typed by the same person a moment ago.
        *self.0 == *other.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, …)", self.public.id())
    }
}

impl SecretKey {
    /// Returns a new key.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let (mut id, mut seed) = ([0; 8], Zeroizing::new([0; 32]));
        getrandom::fill(&mut id).map_err(|_| KeyError::NoRandomness)?;
        getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyError::NoRandomness)?;
        Self::from_seed(KeyId(id), seed)
    }

    fn from_seed(id: KeyId, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|_| KeyError::Secret { why: "it holds no Ed25519 key" })?;
        let mut bytes = [0; 32];
        bytes.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { public: PublicKey { id, bytes }, seed })
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        // The seed was accepted when the key was made.
        if let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(self.seed.as_slice()) {
            signature.copy_from_slice(pair.sign(message).as_ref());
        }
        signature
    }

    /// Tells whether the text of a key file is encrypted, and a passphrase is needed.
    ///
    /// # Errors
    /// When it is no file of a secret key.
    pub fn is_encrypted(text: &str) -> Result<bool, KeyError> {
        let bytes = decode(text)?;
        match [bytes[2], bytes[3]] {
            SCRYPT => Ok(true),
            NO_KDF => Ok(false),
            _ => Err(KeyError::Secret { why: "it is encrypted in a way this host does not know" }),
        }
    }

    /// Returns the key in the text of a file, in the form of minisign.
    ///
    /// # Errors
    /// When it is no such file, needs a passphrase that is not given, or is not opened by it.
    pub fn from_file(text: &str, passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        let encrypted = Self::is_encrypted(text)?;
        let bytes = decode(text)?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        secret.copy_from_slice(&bytes[54..]);
        if encrypted {
            let passphrase = passphrase.ok_or(KeyError::NeedsPassphrase)?;
            let (ops, memory) = (number(&bytes[38..46]), number(&bytes[46..54]));
            mask(secret.as_mut_slice(), passphrase, &bytes[6..38], ops, memory)?;
        }
        let (id, key, sum) = (&secret[..8], &secret[8..72], &secret[72..]);
        // The program of minisign writes no checksum into a file that is not encrypted.
        let none = !encrypted && sum.iter().all(|byte| *byte == 0);
        if !none && checksum(id, key).as_slice() != sum {
            return Err(if encrypted {
                KeyError::WrongPassphrase
            } else {
                KeyError::Secret { why: "its checksum is wrong" }
            });
        }
        let (mut key_id, mut seed) = ([0; 8], Zeroizing::new([0; 32]));
        key_id.copy_from_slice(id);
        seed.copy_from_slice(&key[..32]);
        let read = Self::from_seed(KeyId(key_id), seed)?;
        if read.public.bytes != key[32..] {
            return Err(KeyError::Secret { why: "its two halves do not belong together" });
        }
        Ok(read)
    }

    /// Returns the file minisign would read.
    ///
    /// # Errors
    /// When the system has no random bytes, or not the memory that encryption takes.
    pub fn to_file(&self, protection: &Protection) -> Result<Zeroizing<String>, KeyError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        secret[..8].copy_from_slice(&self.public.id.0);
        secret[8..40].copy_from_slice(self.seed.as_slice());
        secret[40..72].copy_from_slice(&self.public.bytes);
        let sum = checksum(&secret[..8], &secret[8..72]);
        secret[72..].copy_from_slice(sum.as_slice());

        let mut bytes = Zeroizing::new([0; FILE_BYTES]);
        bytes[..2].copy_from_slice(&KEY_ALGORITHM);
        bytes[4..6].copy_from_slice(&CHECKSUM);
        let what = match protection {
            Protection::None => "minisign secret key",
            Protection::Passphrase(passphrase) => {
                bytes[2..4].copy_from_slice(&SCRYPT);
                getrandom::fill(&mut bytes[6..38]).map_err(|_| KeyError::NoRandomness)?;
                bytes[38..46].copy_from_slice(&OPS.to_le_bytes());
                bytes[46..54].copy_from_slice(&MEMORY.to_le_bytes());
                mask(secret.as_mut_slice(), passphrase, &bytes[6..38], OPS, MEMORY)?;
                "minisign encrypted secret key"
            }
        };
        bytes[54..].copy_from_slice(secret.as_slice());
        let mut line = STANDARD.encode(bytes.as_slice());
        let text = Zeroizing::new(format!("untrusted comment: {what}\n{line}\n"));
        line.zeroize();
        Ok(text)
    }
}

/// Returns the bytes in the text of a key file.
fn decode(text: &str) -> Result<Zeroizing<[u8; FILE_BYTES]>, KeyError> {
    let fail = |why| KeyError::Secret { why };
    let mut lines = text.lines().map(str::trim_end);
    let (comment, line, more) = (lines.next(), lines.next(), lines.next());
    let (Some(comment), Some(line), None) = (comment, line, more) else {
        return Err(fail("it has not two lines"));
    };
    if !comment.starts_with("untrusted comment:") || text.len() as u64 > MAX_KEY_FILE_BYTES {
        return Err(fail("its first line is no comment"));
    }
    let decoded = STANDARD.decode(line).map(Zeroizing::new);
    let decoded = decoded.map_err(|_| fail("its second line is not written in base64"))?;
    let mut bytes = Zeroizing::new([0; FILE_BYTES]);
    if decoded.len() != FILE_BYTES || decoded[..2] != KEY_ALGORITHM || decoded[4..6] != CHECKSUM {
        return Err(fail("it is no secret key of minisign"));
    }
    bytes.copy_from_slice(&decoded);
    Ok(bytes)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn checksum(id: &[u8], key: &[u8]) -> Zeroizing<[u8; 32]> {
    let hash = Blake2b256::new().chain_update(KEY_ALGORITHM).chain_update(id).chain_update(key);
    Zeroizing::new(hash.finalize().into())
}

/// Encrypts or decrypts: adds the stream that scrypt makes of the passphrase.
fn mask(
    secret: &mut [u8],
    passphrase: &Passphrase,
    salt: &[u8],
    ops: u64,
    memory: u64,
) -> Result<(), KeyError> {
    let (log_n, r, p) = parameters(ops, memory).ok_or(KeyError::Costly)?;
    let parameters = scrypt::Params::new(log_n, r, p).map_err(|_| KeyError::Costly)?;
    let mut stream = Zeroizing::new([0; SECRET_BYTES]);
    scrypt::scrypt(passphrase.0.as_bytes(), salt, &parameters, stream.as_mut_slice())
        .map_err(|_| KeyError::Costly)?;
    secret.iter_mut().zip(stream.iter()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(())
}

/// Returns what the two numbers of libsodium stand for, unless they are beyond what is computed.
fn parameters(ops: u64, memory: u64) -> Option<(u8, u32, u32)> {
    let ops = ops.max(32768);
    if memory > MAX_MEMORY || ops > MAX_OPS {
        return None;
    }
    let r = 8;
    let (most, by_time) = if ops < memory / 32 {
        (ops / (u64::from(r) * 4), true)
    } else {
        (memory / (u64::from(r) * 128), false)
    };
    let log_n = (1..63_u8).find(|log_n| 1_u64 << log_n > most / 2)?;
    let p = if by_time {
        1
    } else {
        let most = ((ops / 4) / (1 << log_n)).min(0x3fff_ffff);
        u32::try_from(most).ok()? / r
    };
    Some((log_n, r, p))
}
