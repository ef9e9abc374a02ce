//! Decides what a plugin may be granted, and explains it.
//!
//! Pure and synchronous: same layers, request and answers, same decision. Nothing here opens a
//! file; callers hand in text and the name of the file it came from. Invariants: a layer can only
//! take authority away, an answer lifts a [`Verdict::Prompt`] and never a [`Verdict::Forbid`], and
//! what no profile rule names is forbidden.
//!
//! Start with [`Policy::new`] and [`Policy::grant`].
//!
//! ```
//! use ringfence_capability::{Capability, Profile};
//! use ringfence_policy::{Answers, Layer, LayerKind, Policy, Verdict};
//!
//! let user = Layer::parse(
//!     LayerKind::User,
//!     "policy.toml",
//!     r#"
//!     [[rule]]
//!     capability = "env"
//!     scope = "AWS_*"
//!     decision = "forbid"
//!     reason = "cloud keys stay out of plugins"
//!     "#,
//! )?;
//! let policy = Policy::new(Profile::Offline, vec![user]);
//! let decide = |name: &str| {
//!     let capability = Capability::Env(name.parse()?);
//!     Ok::<_, ringfence_capability::ParseError>(policy.decide(&capability, &Answers::default()).verdict)
//! };
//! assert_eq!(decide("HOME")?, Verdict::Prompt);
//! assert_eq!(decide("AWS_SECRET_ACCESS_KEY")?, Verdict::Forbid);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod answers;
mod commands;
mod error;
mod explain;
mod interpreters;
mod layer;
mod parse;
mod policy;
mod protected;
mod rule;
mod scope;
mod tables;

pub use answers::Answers;
pub use error::PolicyError;
pub use explain::{Cause, Explanation, Remedy, Verdicts, Vote};
pub use interpreters::Interpreters;
pub use layer::{AfterNetwork, Layer, LayerKind};
pub use policy::{Decision, Policy};
pub use protected::ProtectedNames;
pub use rule::{Rule, Verdict};
