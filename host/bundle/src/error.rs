//! What can be wrong with a plugin before anything of it runs.

use crate::sniff::Found;
use ringfence_capability::{Class, Diagnostic, ParseError};
use std::error::Error;
use std::io;

/// Why a plugin cannot be opened, inspected or adapted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// There is no such file or directory.
    #[error("there is no file or directory `{path}`")]
    NotFound {
        /// The path, as the operator named it.
        path: String,
    },
    /// The operating system refused to read it.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The path, as the operator named it.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A link, device, pipe or socket where a plain file belongs.
    #[error("`{path}` is {kind}, not a plain file")]
    NotPlain {
        /// The path, as the operator named it.
        path: String,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A file larger than what is read.
    #[error("`{path}` is larger than {limit_bytes} bytes, the most a {what} may have")]
    TooLarge {
        /// The path, as the operator named it.
        path: String,
        /// What was being read.
        what: &'static str,
        /// The limit.
        limit_bytes: u64,
    },
    /// Something else where a WebAssembly component belongs.
    #[error("`{path}` is not a WebAssembly component: {found}")]
    WrongKind {
        /// The path, as the operator named it.
        path: String,
        /// What it is instead.
        found: Found,
    },
    /// A directory without a manifest.
    #[error("the directory `{path}` has no `plugin.toml`")]
    NoManifest {
        /// The path, as the operator named it.
        path: String,
    },
    /// The component a manifest names is not there.
    #[error("`{path}`, which `plugin.toml` names as the component, is not there")]
    NoComponent {
        /// The path, as the operator would name it.
        path: String,
    },
    /// A manifest that cannot be used; the source says why.
    #[error("{file}:{line}:{column}: the manifest cannot be used")]
    Manifest {
        /// The manifest, as the operator would name it.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The column in characters, from 1.
        column: u32,
        /// What is wrong there.
        #[source]
        problem: Box<ManifestProblem>,
    },
    /// A component that is not valid, or whose interface cannot be read.
    #[error("`{path}` is not a valid component")]
    Invalid {
        /// The path, as the operator named it.
        path: String,
        /// What the decoder said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A component larger or more nested than what is decoded.
    #[error("`{path}` has more {what} than the {limit} that are decoded")]
    TooComplex {
        /// The path, as the operator named it.
        path: String,
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A core module that cannot be turned into a component.
    #[error("the core module `{path}` cannot be turned into a component")]
    NotAdaptable {
        /// The path, as the operator named it.
        path: String,
        /// What the encoder said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A core module with nothing the host could call.
    #[error("the core module `{path}` exports neither `_start` nor functions with WIT types")]
    NothingToCall {
        /// The path, as the operator named it.
        path: String,
    },
}

impl Diagnostic for BundleError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "bundle::not-found",
            Self::Unreadable { .. } => "bundle::unreadable",
            Self::NotPlain { .. } => "bundle::not-plain-file",
            Self::TooLarge { .. } => "bundle::too-large",
            Self::WrongKind { .. } => "bundle::wrong-kind",
            Self::NoManifest { .. } => "bundle::no-manifest",
            Self::NoComponent { .. } => "bundle::no-component",
            Self::Manifest { .. } => "bundle::manifest",
            Self::Invalid { .. } => "bundle::invalid-component",
            Self::TooComplex { .. } => "bundle::too-complex",
            Self::NotAdaptable { .. } => "bundle::not-adaptable",
            Self::NothingToCall { .. } => "bundle::nothing-to-call",
        }
    }

    fn class(&self) -> Class {
        Class::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => {
                "name a bundle (`.rfz`), a plugin directory or a component (`.wasm`)".to_owned()
            }
            Self::Unreadable { .. } | Self::TooComplex { .. } => return None,
            Self::NotPlain { .. } => "name the plain file itself".to_owned(),
            Self::TooLarge { what: "manifest", .. } => {
                "a manifest is a few kilobytes: check that it is the right file".to_owned()
            }
            Self::TooLarge { .. } => {
                "build it optimised and stripped of debug information".to_owned()
            }
            Self::WrongKind { found, .. } => found.advice().to_owned(),
            Self::NoManifest { .. } => {
                "write a `plugin.toml`, or name the `.wasm` file to run it without requests"
                    .to_owned()
            }
            Self::NoComponent { .. } => {
                "build the plugin, or correct `component` in its `plugin.toml`".to_owned()
            }
            Self::Manifest { problem, .. } => return problem.hint(),
            Self::Invalid { .. } => "build it again; the file may be damaged".to_owned(),
            Self::NotAdaptable { .. } => {
                "only modules for WASI 0.1 (`wasm32-wasip1`) are adapted; build for `wasm32-wasip2`"
                    .to_owned()
            }
            Self::NothingToCall { .. } => {
                "build a component (`wasm32-wasip2`), or a WASI 0.1 command with a `main`"
                    .to_owned()
            }
        })
    }
}

/// What is wrong at one place of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// It is not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// It is not TOML.
    #[error("it is not valid TOML: {message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// A key nobody reads.
    #[error("unknown key `{key}` in {section}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it stands in.
        section: String,
        /// The key that was probably meant.
        nearest: Option<String>,
        /// The keys that exist there.
        known: String,
    },
    /// A capability that does not exist.
    #[error("unknown capability `{name}`")]
    UnknownCapability {
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
        /// The names that exist.
        known: String,
    },
    /// A key that must be there is missing.
    #[error("{section} has no `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table it belongs to.
        section: String,
        /// A line that would do.
        example: &'static str,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {expected}, not {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What it must be, with its article.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value that is not well formed; the source says why.
    #[error("`{key}` cannot be used")]
    Value {
        /// The key.
        key: String,
        /// Why.
        source: ParseError,
    },
    /// Something is said twice, or in two ways that exclude each other.
    #[error("`{key}`: {what} is already {how}")]
    Repeated {
        /// The key.
        key: String,
        /// What is repeated.
        what: String,
        /// How it was said before.
        how: String,
    },
    /// More entries than are read.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl ManifestProblem {
    /// Returns how to fix it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotText => "write the manifest as UTF-8".to_owned(),
            Self::Syntax { .. } => "strings need quotes, and each key stands once".to_owned(),
            Self::UnknownKey { nearest: Some(nearest), .. }
            | Self::UnknownCapability { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`?")
            }
            Self::UnknownKey { known, .. } => format!("the keys here are {known}"),
            Self::UnknownCapability { known, .. } => format!("the capabilities are {known}"),
            Self::MissingKey { example, .. } => format!("add `{example}`"),
            Self::WrongType { expected, .. } => format!("write {expected}"),
            Self::Value { .. } => return None,
            Self::Repeated { .. } => "remove one of the two".to_owned(),
            Self::TooMany { .. } => "ask for a directory or a domain as a whole".to_owned(),
        })
    }
}
