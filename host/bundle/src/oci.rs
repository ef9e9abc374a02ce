//! Bundles in OCI registries: push and pull by tag or digest.
//!
//! A bundle is two artifacts. The first is the component alone, in the layout that other WebAssembly tools
//! read: one layer. The second refers to it and carries every other file. An annotation of the first is the
//! SHA-256 of the whole `.rfz`, so its digest stands for exactly one file, signatures included, and nobody
//! who only stores the parts can exchange one of them. `docs/reference/oci-layout.md` has the details.
//!
//! The only part of this room that uses the network, and only with the [`Options`] it is given. What a
//! registry says is hostile input: bounded, hashed while it comes, and rebuilt byte for byte before it is
//! believed. No signature is checked here; what [`pull`] returns is to be verified like any other bundle.
//!
//! Start with [`pull`] and [`push`].

mod challenge;
mod credentials;
pub mod danger;
mod document;
mod error;
mod layout;
mod options;
mod progress;
mod pull;
mod push;
mod reference;
mod referrers;
mod session;
mod transport;
mod url;

pub use credentials::{Credential, CredentialFile, MAX_CREDENTIALS_BYTES, Secret};
pub use document::{
    BUNDLE, BUNDLE_FILE, EMPTY, INDEX, MANIFEST, MAX_DOCUMENT_BYTES, RFZ, SUMS, TITLE, WASM_CONFIG,
    WASM_LAYER,
};
pub use error::{OciError, ReferenceProblem, RegistryProblem, VersionProblem};
pub use options::Options;
pub use progress::Progress;
pub use pull::{Component, Pulled, pull, pull_component};
pub use push::{Listing, Pushed, push};
pub use reference::{Reference, Registry};
pub use transport::Timeouts;

use ringfence_capability::Digest;
use sha2::{Digest as _, Sha256};
use std::future::Future;
use std::time::Duration;

/// How many files are sent or fetched at once.
const AT_ONCE: usize = 4;

/// Ends `work` when it takes too long.
async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, OciError>>,
) -> Result<T, OciError> {
    let late = |_| OciError::TimedOut { what: what.to_owned(), limit };
    tokio::time::timeout(limit, work).await.map_err(late)?
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
