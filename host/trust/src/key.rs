//! Public keys in the form of minisign.

use crate::KeyError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::fmt;
use std::str::FromStr;

/// The algorithm in a key: plain Ed25519.
pub(crate) const KEY_ALGORITHM: [u8; 2] = *b"Ed";
/// The longest file of a public key: two lines.
const MAX_FILE_BYTES: usize = 4096;

/// The name of a key: 8 bytes its maker chose, shown as 16 hexadecimal digits like minisign does.
///
/// Anybody can make a key with the id of another: an id finds a key, it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
        let number = (text.len() == 16 && text.bytes().all(digit))
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten();
        number.map(|number| Self(number.to_le_bytes())).ok_or_else(|| KeyError::public(text))
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    pub(crate) id: KeyId,
    pub(crate) bytes: [u8; 32],
}

impl PublicKey {
    /// Returns its name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the key in the text of a file: the line of a key, alone or below an untrusted comment
    /// as minisign writes it.
    ///
    /// # Errors
    /// When there is anything else, or no key.
    pub fn from_file(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(KeyError::public(text));
        }
        let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        if lines.first().is_some_and(|line| line.starts_with("untrusted comment:")) {
            lines.remove(0);
        }
        match lines.as_slice() {
            [line] => line.parse(),
            _ => Err(KeyError::public(text)),
        }
    }

    /// Returns the file minisign would write for it.
    pub fn to_file(&self) -> String {
        format!("untrusted comment: minisign public key {}\n{self}\n", self.id)
    }

    /// Tells whether `signature` over `message` was made with the secret half.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.bytes).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&KEY_ALGORITHM[..], &self.id.0, &self.bytes].concat();
        f.write_str(&STANDARD.encode(bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| KeyError::public(text))?;
        let bytes: [u8; 42] = bytes.try_into().map_err(|_| KeyError::public(text))?;
        let (algorithm, rest) = bytes.split_at(2);
        if algorithm != KEY_ALGORITHM {
            return Err(KeyError::public(text));
        }
        let (mut id, mut key) = ([0; 8], [0; 32]);
        id.copy_from_slice(&rest[..8]);
        key.copy_from_slice(&rest[8..]);
        Ok(Self { id: KeyId(id), bytes: key })
    }
}
