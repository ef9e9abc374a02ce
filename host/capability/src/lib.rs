//! The vocabulary every other room speaks: what a plugin asks for, what it was given, and how an
//! error is told.
//!
//! Pure and synchronous: nothing here opens a file, reads a clock or knows the network. Invariants:
//! a value of a type in this crate is well formed (parsed at the edge, private fields where that
//! matters), and a [`GrantSet`] can only be made smaller.
//!
//! Start with [`Capability`], then [`Request`] and [`GrantSet`].
//!
//! ```
//! use ringfence_capability::{Capability, HostPattern, MethodClass, Port};
//!
//! let wiki = Capability::Http {
//!     host: "*.wikipedia.org".parse::<HostPattern>()?,
//!     port: Port::Default,
//!     methods: MethodClass::Read,
//! };
//! assert_eq!(wiki.to_string(), "http.read:*.wikipedia.org");
//! # Ok::<(), ringfence_capability::ParseError>(())
//! ```
#![forbid(unsafe_code)]

mod argv;
mod capability;
mod diagnostic;
mod digest;
mod grant;
mod host;
mod kind;
mod limits;
mod outside;
mod profile;
mod request;
mod scope;
pub mod text;

pub use argv::{ArgvPattern, MAX_ARGUMENTS, MAX_ARGV_BYTES};
pub use capability::Capability;
pub use diagnostic::{Class, Diagnostic, causes, with_causes};
pub use digest::{Digest, ParseDigestError};
pub use grant::{Grant, GrantSet};
pub use host::{HostPattern, Port};
pub use kind::{Kind, MethodClass};
pub use limits::{Limit, Limits, Unit};
pub use outside::{OutsidePart, OutsideScope};
pub use profile::Profile;
pub use request::{Necessity, Origin, Request};
pub use scope::{Fidelity, Name, NamePattern, PathScope, Place};

/// A piece of text that is not a well-formed value of this vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not {} {what}: {why}", article(.what))]
pub struct ParseError {
    /// What was expected, such as `host pattern`.
    pub what: &'static str,
    /// The text that was given.
    pub input: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Returns `a` or `an`, as `what` needs it.
fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}

impl ParseError {
    /// Returns the error for `input`, which should have been a `what`.
    pub fn new(what: &'static str, input: &str, why: &'static str) -> Self {
        // A hostile file can put a megabyte where a name belongs: the message shows its beginning.
        Self { what, input: text::brief(input, 80), why }
    }
}
