//! What can go wrong between this machine and a registry.

use ringfence_capability::{Class, Diagnostic, Digest};
use std::error::Error;
use std::time::Duration;

use crate::BundleError;
use crate::archive::ArchiveError;

/// Why a bundle was not pushed or pulled. Nothing is left half-done on this machine.
///
/// Texts of the registry are shortened and hold no control characters. No variant holds a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OciError {
    /// A reference that is not well formed.
    #[error("`{reference}` is not a reference to a bundle in a registry: {problem}")]
    Reference {
        /// The reference, shortened.
        reference: String,
        /// What is wrong.
        problem: ReferenceProblem,
    },
    /// A reference without what the command needs.
    #[error("`{reference}` {problem}")]
    Version {
        /// The reference.
        reference: String,
        /// What is wrong.
        problem: VersionProblem,
    },
    /// The registry cannot be reached.
    #[error("`{host}` cannot be reached")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the operating system, TLS or HTTP said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It took too long.
    #[error("{what} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// The registry has no such thing.
    #[error("the registry has no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The registry wants credentials, or others.
    #[error("`{registry}` does not let {who} {action} `{repository}`")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// Who asked.
        who: String,
        /// `pull` or `push to`.
        action: &'static str,
        /// The repository.
        repository: String,
        /// What to do.
        hint: String,
    },
    /// Credentials would go to a host they are not for.
    #[error("`{registry}` wants its credentials sent to `{host}`")]
    TokenHost {
        /// The registry.
        registry: String,
        /// Where they would go.
        host: String,
    },
    /// Credentials that cannot be read.
    #[error("the credentials in `{file}` cannot be used: {problem}")]
    Credentials {
        /// The file.
        file: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A certificate that cannot be used as an authority.
    #[error("`{file}` holds no certificate that can be trusted")]
    Authority {
        /// The file.
        file: String,
    },
    /// An answer nobody expected.
    #[error("`{host}` answered {status} to {what}{said}")]
    Status {
        /// Host and port.
        host: String,
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// What it said, with `: ` before it, or nothing.
        said: String,
    },
    /// Something the registry may not do.
    #[error("the registry cannot be trusted with {what}")]
    Registry {
        /// What was asked for.
        what: String,
        /// What it did.
        #[source]
        problem: RegistryProblem,
    },
    /// A tag that no longer means the given digest.
    #[error("`{reference}` is now {found}")]
    Moved {
        /// The reference with both.
        reference: String,
        /// What the tag means now.
        found: Digest,
    },
    /// Something else than a WebAssembly artifact.
    #[error("`{reference}` is not a WebAssembly artifact: {problem}")]
    NotWasm {
        /// The reference.
        reference: String,
        /// What is different.
        problem: String,
    },
    /// A component without a bundle.
    #[error("`{reference}` is a component alone: nothing in the registry makes it a bundle")]
    NoBundle {
        /// The reference.
        reference: String,
    },
    /// A bundle of which the registry no longer has the rest.
    #[error("`{reference}` was pushed as a bundle, and the registry does not have the rest of it")]
    Incomplete {
        /// The reference.
        reference: String,
        /// Why the last candidate was no use, when there was one.
        #[source]
        last: Option<Box<OciError>>,
    },
    /// The index of referrers was changed again and again by others.
    #[error("the index `{tag}` was changed by others {attempts} times while it was written")]
    Contended {
        /// The tag.
        tag: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The files are no bundle.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The manifest or the component is wrong.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// What is wrong with a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceProblem {
    /// Another scheme.
    #[error("it is a URL")]
    Scheme,
    /// No registry.
    #[error("it names no registry")]
    NoHost,
    /// Not a host name.
    #[error("the registry is no host name or address")]
    Host,
    /// Not a port.
    #[error("the port is no number from 1 to 65535")]
    Port,
    /// Not a path.
    #[error(
        "the repository is not made of `a-z`, `0-9` and single `.`, `_`, `-` or `/` between them"
    )]
    Path,
    /// Not a tag.
    #[error("the tag is not made of at most 128 letters, digits, `_`, `.` and `-`")]
    Tag,
    /// Not a digest.
    #[error("what follows `@` is not `sha256:` and 64 hexadecimal digits")]
    Digest,
}

/// What is missing from a reference, or too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionProblem {
    /// Neither tag nor digest.
    #[error("names no version")]
    Missing,
    /// A digest where a tag belongs.
    #[error("names a digest, which only follows from what is pushed")]
    DigestInPush,
}

/// What a registry did that no registry should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// Other bytes than the digest stands for.
    #[error("it is {found}, not {expected}")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// More bytes than are read, or than were announced.
    #[error("it has more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// Fewer bytes than were announced, or another number in another place.
    #[error("it has {found} bytes where {expected} were announced")]
    Size {
        /// What was announced.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// More entries than are read.
    #[error("it has {found} {what}, and at most {limit} are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Another media type.
    #[error("its media type is `{found}`, not `{expected}`")]
    MediaType {
        /// What it must be.
        expected: &'static str,
        /// What it is, shortened.
        found: String,
    },
    /// A compressed answer that nobody asked for.
    #[error("it is encoded as `{0}`, which was not asked for")]
    Encoding(String),
    /// JSON that does not say what it must.
    #[error("it is not well formed")]
    Malformed(#[source] serde_json::Error),
    /// Something in it that contradicts the rest.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A redirect that is not followed.
    #[error("it leads to `{to}`, and {why}")]
    Redirect {
        /// Where it leads: scheme, host and port.
        to: String,
        /// Why it is not followed.
        why: &'static str,
    },
}

impl Diagnostic for OciError {
    fn code(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "oci::reference",
            Self::Version { .. } => "oci::version",
            Self::Unreachable { .. } => "oci::unreachable",
            Self::TimedOut { .. } => "oci::timed-out",
            Self::NotFound { .. } => "oci::not-found",
            Self::Unauthorized { .. } => "oci::unauthorized",
            Self::TokenHost { .. } => "oci::token-host",
            Self::Credentials { .. } => "oci::credentials",
            Self::Authority { .. } => "oci::authority",
            Self::Status { .. } => "oci::status",
            Self::Registry { .. } => "oci::registry",
            Self::Moved { .. } => "oci::moved",
            Self::NotWasm { .. } => "oci::not-wasm",
            Self::NoBundle { .. } => "oci::no-bundle",
            Self::Incomplete { .. } => "oci::incomplete",
            Self::Contended { .. } => "oci::contended",
            Self::Archive(error) => error.code(),
            Self::Bundle(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::TokenHost { .. }
            | Self::Registry { .. }
            | Self::Moved { .. }
            | Self::Incomplete { .. } => Class::Refused,
            Self::TimedOut { .. } => Class::LimitReached,
            Self::Archive(error) => error.class(),
            Self::Bundle(error) => error.class(),
            _ => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reference { problem: ReferenceProblem::Digest, .. } => {
                "copy the digest that `ringfence push` printed".to_owned()
            }
            Self::Reference { .. } => {
                "write `HOST[:PORT]/PATH:TAG`, such as `registry.example.com/tools/word-count:0.1.0`"
                    .to_owned()
            }
            Self::Version { problem: VersionProblem::Missing, reference } => {
                format!("add a tag or a digest, such as `{reference}:0.1.0`")
            }
            Self::Version { .. } => "name a tag instead".to_owned(),
            Self::Unreachable { .. } => {
                "check the name and the network; a registry without TLS needs `--plain-http`, one with \
                 a certificate of its own `--ca-file`"
                    .to_owned()
            }
            Self::TimedOut { .. } => "try again, or allow more with `--timeout`".to_owned(),
            Self::NotFound { .. } => {
                "check the spelling; some registries hide what needs credentials".to_owned()
            }
            Self::Unauthorized { hint, .. } => hint.clone(),
            Self::TokenHost { host, .. } => {
                format!("if `{host}` belongs to the registry, say so with `--token-host {host}`")
            }
            Self::Credentials { .. } => {
                "repair the file, or give `--username` and `--password-stdin`".to_owned()
            }
            Self::Authority { .. } => "name a file with certificates in PEM form".to_owned(),
            Self::Moved { .. } => {
                "leave the tag out to get what the digest stands for, or look at what changed first"
                    .to_owned()
            }
            Self::NoBundle { .. } => {
                "`--component` pulls the component as it is: without a manifest, unsigned".to_owned()
            }
            Self::Incomplete { .. } => "ask the publisher to push it again".to_owned(),
            Self::Contended { .. } => "push again when the others are done".to_owned(),
            Self::Archive(error) => return error.hint(),
            Self::Bundle(error) => return error.hint(),
            Self::Status { .. } | Self::Registry { .. } | Self::NotWasm { .. } => return None,
        })
    }
}

/// Returns the error that `problem` with `what` is.
pub(super) fn broken(what: impl Into<String>, problem: RegistryProblem) -> OciError {
    OciError::Registry { what: what.into(), problem }
}
