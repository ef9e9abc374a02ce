//! A publisher's statement that a key is no longer to be believed, signed with that key.

use crate::key::KeyId;
use crate::{KeyEntry, KeyError, KeyState, SecretKey, Signature, TrustStore};
use jiff::Timestamp;
use ringfence_capability::text;
use std::fmt;

const FIRST_LINE: &str = "ringfence key revocation";
const BETWEEN: &str = "\n---\n";
/// The largest statement: ten times a real one.
const MAX_BYTES: usize = 8 * 1024;
/// The longest reason, in characters.
const MAX_REASON: usize = 160;

/// The statement with its signature. Whoever holds the secret key can make it, its thief too: nothing
/// is lost when a thief does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    key: KeyId,
    time: Timestamp,
    reason: String,
    signature: Signature,
}

impl Revocation {
    /// Returns the statement that `key` is revoked.
    ///
    /// # Errors
    /// When the reason is not one short line.
    pub fn new(key: &SecretKey, reason: &str, time: Timestamp) -> Result<Self, KeyError> {
        let count = reason.chars().count();
        if count == 0 || count > MAX_REASON || reason.chars().any(text::hides) {
            return Err(KeyError::Statement {
                why: "its reason is not one line of 160 characters",
            });
        }
        let id = key.public().id();
        let signature = Signature::sign(body(id, time, reason).as_bytes(), &comment(id, time), key);
        Ok(Self { key: id, time, reason: reason.to_owned(), signature })
    }

    /// Tells whether `text` begins like such a statement.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(FIRST_LINE)
    }

    /// Returns the statement in the text of a file.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let fail = || KeyError::Statement { why: "it is not written as one" };
        let (before, signature) = text.split_once(BETWEEN).ok_or_else(fail)?;
        let lines: Vec<&str> = before.split('\n').collect();
        let [FIRST_LINE, key, time, reason] = lines.as_slice() else { return Err(fail()) };
        let field = |line: &str, name: &str| line.strip_prefix(name).map(str::to_owned);
        let key = field(key, "key: ").and_then(|key| key.parse().ok()).ok_or_else(fail)?;
        let seconds = field(time, "time: ").and_then(|time| time.parse().ok()).ok_or_else(fail)?;
        let time = Timestamp::from_second(seconds).map_err(|_| fail())?;
        let reason = field(reason, "reason: ").ok_or_else(fail)?;
        let hidden = reason.chars().any(text::hides) || reason.chars().count() > MAX_REASON;
        let signature = Signature::parse(signature.as_bytes()).map_err(|_| fail())?;
        if hidden || text.len() > MAX_BYTES || body(key, time, &reason) != format!("{before}\n") {
            return Err(fail());
        }
        Ok(Self { key, time, reason, signature })
    }

    /// Returns what has to be written into the trust store.
    ///
    /// # Errors
    /// When the key is not known here, or did not sign it.
    pub fn apply(&self, store: &TrustStore) -> Result<KeyEntry, KeyError> {
        let known = store.key(self.key);
        let known = known.ok_or(KeyError::Statement { why: "the key is not known here" })?;
        let body = body(self.key, self.time, &self.reason);
        let said = self.signature.verify(body.as_bytes(), &known.public);
        if said != Some(comment(self.key, self.time).as_str()) {
            return Err(KeyError::Statement { why: "its signature does not hold" });
        }
        let mut entry = KeyEntry::about(self.key);
        entry.state = KeyState::Revoked;
        entry.reason = Some(format!("its owner says: {}", self.reason));
        Ok(entry)
    }

    /// Returns the key.
    pub fn key(&self) -> KeyId {
        self.key
    }
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = body(self.key, self.time, &self.reason);
        write!(f, "{body}---\n{}", self.signature.to_file())
    }
}

fn body(key: KeyId, time: Timestamp, reason: &str) -> String {
    format!("{FIRST_LINE}\nkey: {key}\ntime: {}\nreason: {reason}\n", time.as_second())
}

fn comment(key: KeyId, time: Timestamp) -> String {
    format!("revocation:{key} time:{}", time.as_second())
}
