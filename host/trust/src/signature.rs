//! One signature file, in the form of minisign.

use crate::key::KeyId;
use crate::{PublicKey, SecretKey, SignatureProblem};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use ringfence_capability::text;

/// The longest comment, as minisign has it.
pub const MAX_COMMENT_BYTES: usize = 1024;

/// The algorithm: Ed25519 over the BLAKE2b-512 of the message.
const ALGORITHM: [u8; 2] = *b"ED";
/// The one before it: Ed25519 over the message itself.
const OLD_ALGORITHM: [u8; 2] = *b"Ed";
const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

/// A signature, well formed; whether it holds is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    untrusted: String,
    key: KeyId,
    over_message: [u8; 64],
    trusted: String,
    over_both: [u8; 64],
}

impl Signature {
    /// Returns the signature of `key` over `message`, with this comment signed too.
    ///
    /// The public key stands in the comment that is not signed, so that a person who has only the
    /// signature can look at the key and decide.
    pub fn sign(message: &[u8], comment: &str, key: &SecretKey) -> Self {
        let public = key.public();
        let over_message = key.sign(&Blake2b512::digest(message));
        let over_both = key.sign(&both(&over_message, comment));
        let (untrusted, trusted) = (format!("signature by {public}"), comment.to_owned());
        Self { untrusted, key: public.id(), over_message, trusted, over_both }
    }

    /// Returns the signature in the bytes of a file: four lines, each ended by a line feed.
    ///
    /// # Errors
    /// When the file is anything else; an algorithm this host does not have is told apart.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureProblem> {
        let text = std::str::from_utf8(bytes).map_err(|_| SignatureProblem::Form)?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [untrusted, first, trusted, second, ""] = lines.as_slice() else {
            return Err(SignatureProblem::Form);
        };
        let untrusted = comment(untrusted, UNTRUSTED)?;
        let trusted = comment(trusted, TRUSTED)?;
        let first = STANDARD.decode(first).map_err(|_| SignatureProblem::Form)?;
        let (algorithm, rest) = first.split_at_checked(2).ok_or(SignatureProblem::Form)?;
        if algorithm != ALGORITHM {
            let old = algorithm == OLD_ALGORITHM;
            let name = text::brief(&String::from_utf8_lossy(algorithm), 8);
            return Err(SignatureProblem::Algorithm { name, old });
        }
        let rest: [u8; 72] = rest.try_into().map_err(|_| SignatureProblem::Form)?;
        let (mut key, mut over_message) = ([0; 8], [0; 64]);
        key.copy_from_slice(&rest[..8]);
        over_message.copy_from_slice(&rest[8..]);
        let over_both = STANDARD.decode(second).map_err(|_| SignatureProblem::Form)?;
        let over_both = over_both.try_into().map_err(|_| SignatureProblem::Form)?;
        Ok(Self { untrusted, key: KeyId(key), over_message, trusted, over_both })
    }

    /// Returns the file minisign would read.
    pub fn to_file(&self) -> String {
        let first = [&ALGORITHM[..], &self.key.0, &self.over_message].concat();
        format!(
            "{UNTRUSTED}{}\n{}\n{TRUSTED}{}\n{}\n",
            self.untrusted,
            STANDARD.encode(first),
            self.trusted,
            STANDARD.encode(self.over_both),
        )
    }

    /// Returns the name of the key it says it was made with.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Returns the signed comment when the signature over `message` and over the comment holds.
    pub fn verify(&self, message: &[u8], key: &PublicKey) -> Option<&str> {
        let holds = self.key == key.id()
            && key.signed(&Blake2b512::digest(message), &self.over_message)
            && key.signed(&both(&self.over_message, &self.trusted), &self.over_both);
        holds.then_some(self.trusted.as_str())
    }

    /// Returns the public key that the comment which is not signed names, when the signature over
    /// `message` holds for it: what a person can be asked about. Anybody can make such a pair.
    pub fn claimed_key(&self, message: &[u8]) -> Option<PublicKey> {
        let key = self.untrusted.strip_prefix("signature by ")?.parse().ok()?;
        self.verify(message, &key).map(|_| key)
    }
}

/// Returns what the second signature is over.
fn both(signature: &[u8; 64], comment: &str) -> Vec<u8> {
    [signature, comment.as_bytes()].concat()
}

fn comment(line: &str, prefix: &str) -> Result<String, SignatureProblem> {
    let text = line.strip_prefix(prefix).ok_or(SignatureProblem::Form)?;
    if text.len() > MAX_COMMENT_BYTES || text.chars().any(text::hides) {
        return Err(SignatureProblem::Form);
    }
    Ok(text.to_owned())
}
