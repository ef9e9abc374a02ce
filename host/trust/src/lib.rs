//! Who made a bundle: minisign signatures over its `SHA256SUMS`, and the keys a person trusts.
//!
//! Pure: nothing here opens a file or reads a clock; the only thing taken from outside is random
//! bytes for a new key. Invariants: a [`VerifiedBundle`] exists only for a bundle whose every
//! signature by a known key held, and its manifest was parsed after that; a signature that does not
//! hold is a refusal and never makes a bundle unsigned; a layer of the trust store after the one
//! that brought a key can only take away; no error and no `Debug` shows a secret.
//!
//! Start with [`verify`]. `docs/reference/bundle-format.md` has what is signed, byte for byte.
#![forbid(unsafe_code)]

mod comment;
mod error;
mod key;
mod revocation;
mod rotation;
mod secret;
mod signature;
mod store;
mod verify;

pub use comment::TrustedComment;
pub use error::{KeyError, SignatureProblem, StoreError, TrustError};
pub use key::{KeyId, PublicKey};
pub use revocation::Revocation;
pub use rotation::{Rotation, Statement};
pub use secret::{MAX_KEY_FILE_BYTES, Passphrase, Protection, SecretKey};
pub use signature::{MAX_COMMENT_BYTES, Signature};
pub use store::{
    KeyEntry, KeyState, LayerKind, MAX_TRUST_BYTES, Revoked, TrustLayer, TrustStore, TrustedKey,
};
pub use verify::{
    Checked, Signed, Signer, UnsignedBundle, VerifiedBundle, danger, examine, plain, verify,
};

/// A point in time, as the caller read it from a clock.
pub use jiff::Timestamp;

#[cfg(test)]
mod tests;
