//! What can be wrong with a policy file or an answer, and the two ways policy says no.

use crate::explain::Explanation;
use ringfence_capability::{Class, Diagnostic, ParseError};

/// A policy that could not be read, or a capability that policy refused.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The file is larger, or has more rules, than any real policy.
    #[error("`{file}` is too large for a policy: {size} {unit}, at most {most}")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        size: usize,
        /// What was counted.
        unit: &'static str,
        /// The limit.
        most: usize,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("cannot read `{file}`, line {line}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// What the reader says.
        message: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}` in `{file}`, line {line}")]
    UnknownKey {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The key.
        key: String,
        /// The keys that may stand there.
        known: String,
    },
    /// An entry lacks a key it needs.
    #[error("`{key}` is missing in `{file}`, in the entry at line {line}")]
    Missing {
        /// The file.
        file: String,
        /// The line of the entry, from 1.
        line: u32,
        /// The missing key.
        key: &'static str,
    },
    /// A value that is no capability, scope, decision or name.
    #[error("bad `{key}` in `{file}`, line {line}")]
    BadValue {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The key whose value it is.
        key: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// A rule that can never change a decision.
    #[error("rule `{rule}` in `{file}`, line {line}, can never matter: {why}")]
    Useless {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The rule.
        rule: String,
        /// Why it cannot matter.
        why: String,
    },
    /// A rule lets a program through that runs whatever it is given, and does not say so.
    #[error("rule `{rule}` in `{file}`, line {line}, has no `warning`: {why}")]
    Unwarned {
        /// The file.
        file: String,
        /// The line of the rule, from 1.
        line: u32,
        /// The rule.
        rule: String,
        /// What is known about the program.
        why: String,
    },
    /// A rule does not do with one of its examples what its author expects.
    #[error("example `{example}` in `{file}`, line {line}, is under `{key}` of rule `{rule}`, but {}", opposite(.key))]
    WrongExample {
        /// The file.
        file: String,
        /// The line of the example, from 1.
        line: u32,
        /// The key it stands under: `match` or `not_match`.
        key: &'static str,
        /// The command.
        example: String,
        /// The rule.
        rule: String,
    },
    /// The text of an approval or of a flag is no capability.
    #[error("`{text}` does not name a capability")]
    BadCapability {
        /// The text.
        text: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// A capability that no answer can grant under these layers.
    #[error("{} not allow `{}`", subject(&.0.decided_by.layer), .0.request.capability)]
    Forbidden(Box<Explanation>),
    /// A capability that a person has to approve first.
    #[error("`{}` needs an approval that nobody gave", .0.request.capability)]
    NeedsApproval(Box<Explanation>),
}

impl Diagnostic for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "policy::too-large",
            Self::Syntax { .. } => "policy::syntax",
            Self::UnknownKey { .. } => "policy::unknown-key",
            Self::Missing { .. } => "policy::missing-key",
            Self::BadValue { .. } => "policy::bad-value",
            Self::Useless { .. } => "policy::useless-rule",
            Self::Unwarned { .. } => "policy::no-warning",
            Self::WrongExample { .. } => "policy::wrong-example",
            Self::BadCapability { .. } => "policy::bad-capability",
            Self::Forbidden(_) => "policy::forbidden",
            Self::NeedsApproval(_) => "policy::needs-approval",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Forbidden(_) | Self::NeedsApproval(_) => Class::Refused,
            _ => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { .. } => "split it, or use patterns instead of single names".to_owned(),
            Self::Syntax { .. } => {
                "a policy is TOML; `docs/security-profiles.md` shows one".to_owned()
            }
            Self::UnknownKey { known, .. } => format!("the keys here are {known}"),
            Self::Missing { key: "reason", .. } => {
                "add `reason = \"…\"`: whoever meets the rule must learn why it is there".to_owned()
            }
            Self::Missing { key, .. } => format!("add `{key} = \"…\"`"),
            Self::BadValue { key, .. } => match key.as_str() {
                "capability" => format!("the capabilities are {}", crate::parse::capabilities()),
                "decision" => "write `allow`, `prompt` or `forbid`".to_owned(),
                "after-network" => "write `ask` or `allow`".to_owned(),
                _ => return None,
            },
            Self::Unwarned { .. } => {
                "write out the arguments it needs, or add `warning = \"…\"` that says what an approval gives away"
                    .to_owned()
            }
            Self::WrongExample { .. } => {
                "`*` and `**` stand for arguments that do not begin with `-`; write options out, or `-*` and `-**`"
                    .to_owned()
            }
            Self::Useless { .. } => "remove it, or change what it should change".to_owned(),
            Self::BadCapability { .. } => {
                "write it as `inspect` prints it, such as `env:HOME`, `http.read:example.org` or `exec:cargo test`"
                    .to_owned()
            }
            Self::Forbidden(explanation) | Self::NeedsApproval(explanation) => {
                let steps: Vec<_> = explanation.remedy.iter().map(ToString::to_string).collect();
                return (!steps.is_empty())
                    .then(|| format!("if it is intended: {}", steps.join("; then ")));
            }
        })
    }
}

fn opposite(key: &str) -> &'static str {
    if key == "match" { "it does not match" } else { "it matches" }
}

/// Returns the layer with the verb that its name needs.
fn subject(layer: &str) -> String {
    let flags = layer == crate::LayerKind::Flags.title();
    let verb = if flags { "do" } else { "does" };
    format!("{}{layer} {verb}", if flags { "the " } else { "" })
}
