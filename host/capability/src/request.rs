//! What a manifest, or the operator on the plugin's behalf, asks for.

use crate::Capability;
use std::fmt;

/// One asked-for capability with the reason the plugin gives for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// What is asked for.
    pub capability: Capability,
    /// Why, in the plugin author's words; untrusted text.
    pub reason: String,
    /// Whether the plugin can run without it.
    pub necessity: Necessity,
    /// Where it is written.
    pub origin: Origin,
}

impl Request {
    /// Returns a request that must be granted for the plugin to run.
    pub fn required(capability: Capability, reason: impl Into<String>, origin: Origin) -> Self {
        Self { capability, reason: reason.into(), necessity: Necessity::Required, origin }
    }

    /// Returns the same request, one the plugin can run without.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { necessity: Necessity::Optional, ..self }
    }
}

/// Whether a plugin can run without a capability it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "loading must handle both")]
pub enum Necessity {
    /// Not granted means the plugin is not started.
    Required,
    /// Not granted means the interface answers a typed `denied`.
    Optional,
}

/// The file and line something was written at, or what stands in for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "explanations must handle every origin")]
pub enum Origin {
    /// A line of a file.
    File {
        /// The file, as the operator would name it.
        path: String,
        /// The line, from 1.
        line: u32,
    },
    /// A command-line flag, written as the operator gave it.
    Flag(String),
    /// Part of the host itself.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Flag(flag) => write!(f, "`{flag}`"),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}
