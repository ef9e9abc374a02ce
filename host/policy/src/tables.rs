//! The built-in policies as constants, made from `policies/*.toml` when the crate is built.

use crate::protected::Protected;
use crate::rule::{Rule, Verdict};
use crate::scope::Scope;
use ringfence_capability::{ArgvPattern, Kind, ParseError};
use std::borrow::Cow;

/// One rule as its file has it.
pub(crate) struct Written {
    line: u32,
    capability: &'static str,
    reach: Reach,
    decision: &'static str,
    reason: &'static str,
    warning: Option<&'static str>,
}

/// What a rule says it reaches.
enum Reach {
    Everything,
    Text(&'static str),
    Argv(&'static [&'static str]),
}

/// One protected name as its file has it.
pub(crate) struct WrittenName {
    line: u32,
    name: &'static str,
    reason: &'static str,
}

/// Programs that run whatever they are given, as their file has them.
pub(crate) struct WrittenProgram {
    pub(crate) names: &'static [&'static str],
    /// Nothing where no use is harmless.
    pub(crate) harmless: Option<&'static [&'static str]>,
    pub(crate) reason: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// Returns the rules of one profile.
pub(crate) fn rules(written: &[Written]) -> Result<Vec<Rule>, ParseError> {
    written.iter().map(Written::rule).collect()
}

/// Returns the protected names.
pub(crate) fn names() -> Vec<Protected> {
    PROTECTED_NAMES.iter().map(WrittenName::protected).collect()
}

impl Written {
    fn rule(&self) -> Result<Rule, ParseError> {
        let kind: Kind = self.capability.parse()?;
        let scope = match self.reach {
            Reach::Everything => Scope::Everything,
            Reach::Text(text) => Scope::parse(kind, text)?,
            Reach::Argv(words) => Scope::Argv(ArgvPattern::parse(words)?),
        };
        let unknown = || ParseError::new("decision", self.decision, "it is none");
        Ok(Rule {
            kind,
            scope,
            verdict: Verdict::from_name(self.decision).ok_or_else(unknown)?,
            reason: Cow::Borrowed(self.reason),
            warning: self.warning.map(Cow::Borrowed),
            line: self.line,
        })
    }
}

impl WrittenName {
    fn protected(&self) -> Protected {
        let (name, reason) = (Cow::Borrowed(self.name), Cow::Borrowed(self.reason));
        Protected { name, reason, line: self.line }
    }
}
