//! One rule: a kind, what it reaches, the verdict, and why.

use crate::scope::Scope;
use ringfence_capability::{ArgvPattern, Capability, Kind};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// What policy says about one capability. Ordered: the strictest is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "every caller must handle each verdict")]
pub enum Verdict {
    /// Never granted.
    Forbid,
    /// Granted when a person says so.
    Prompt,
    /// Granted.
    Allow,
}

impl Verdict {
    /// Returns the name used in policy files and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbid => "forbid",
            Self::Prompt => "prompt",
            Self::Allow => "allow",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Forbid, Self::Prompt, Self::Allow].into_iter().find(|verdict| verdict.name() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One rule of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) warning: Option<Cow<'static, str>>,
    pub(crate) line: u32,
}

impl Rule {
    /// Returns the kind of capability it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns what it says.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns why, in the words of whoever wrote the rule.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the commands it is about, for a rule about some native programs.
    pub fn argv(&self) -> Option<&ArgvPattern> {
        match &self.scope {
            Scope::Argv(pattern) => Some(pattern),
            _ => None,
        }
    }

    /// Returns what a person should know before approving what the rule lets through.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Returns the line it starts at, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Tells whether the rule covers all of `capability`. Looks at what it reaches, not at its
    /// kind.
    pub(crate) fn contains(&self, capability: &Capability) -> bool {
        self.scope.contains(capability)
    }

    /// Tells whether the rule speaks about a part of `capability`.
    pub(crate) fn overlaps(&self, capability: &Capability) -> bool {
        self.scope.overlaps(capability)
    }

    /// Returns the name a rule of the layer of protected names is about, else an empty text.
    pub(crate) fn protected_name(&self) -> &str {
        self.scope.protected_name().unwrap_or_default()
    }

    /// Tells whether this rule already decides everything that `other` could decide.
    pub(crate) fn shadows(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.verdict <= other.verdict
            && self.scope.contains_scope(&other.scope)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Everything => write!(f, "{}: {}", self.kind, self.verdict),
            scope => write!(f, "{} `{scope}`: {}", self.kind, self.verdict),
        }
    }
}
