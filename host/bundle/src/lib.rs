//! Opens untrusted plugin input within limits: a packed bundle, a directory with a manifest, or a bare
//! component.
//!
//! Nothing of a plugin runs here, and nothing here opens a path by itself: every function takes a
//! directory or bytes. Invariants: no read is unbounded, links and devices are never followed, the
//! digest is over the very bytes that are handed on, and no input makes this crate panic.
//!
//! Start with [`open`]; [`inspect`] tells what a component imports and exports, [`imports`] what an
//! import needs, [`archive`] reads and writes the packed form, and [`adapt`] turns a WASI 0.1 module into a component.
#![forbid(unsafe_code)]

pub mod adapt;
pub mod archive;
mod contain;
pub mod diff;
mod error;
pub mod imports;
pub mod inspect;
pub mod manifest;
mod nearest;
#[cfg(feature = "oci")]
pub mod oci;
mod open;
mod read;
mod sniff;
#[cfg(test)]
mod testing;

pub use error::{BundleError, ManifestProblem};
pub use imports::{ImportClass, import_capability};
pub use manifest::Manifest;
pub use nearest::nearest;
pub use open::{
    Encoding, Form, MANIFEST_FILE, MAX_COMPONENT_BYTES, MAX_MANIFEST_BYTES, Opened, PackedFile,
    Plugin, SBOM_FILE, open, open_any,
};
pub use sniff::{Found, sniff};
