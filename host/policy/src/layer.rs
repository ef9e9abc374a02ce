//! A layer: the rules of one file, ready to be asked.

use crate::PolicyError;
use crate::parse;
use crate::protected;
use crate::rule::{Rule, Verdict};
use crate::scope::Scope;
use crate::tables;
use ringfence_capability::{Capability, Kind, Profile, text};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Where a layer comes from. Profiles and trust caps are ceilings: what they do not name is
/// forbidden. The others only narrow: what they do not name is left to the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "explanations must handle every kind of layer")]
pub enum LayerKind {
    /// A security profile.
    Profile,
    /// The ceiling that the signer of a bundle earns.
    Trust,
    /// The policy of the machine, and what is built into the host.
    Host,
    /// The policy of the user.
    User,
    /// The policy of the workspace.
    Workspace,
    /// Flags of this run.
    Flags,
}

/// The rules of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    kind: LayerKind,
    name: String,
    file: String,
    ceiling: Option<Profile>,
    rules: Vec<Rule>,
    /// Where the rules of each kind begin; the rules are sorted by kind.
    starts: [u16; KINDS + 1],
    defaults: [Option<Fallback>; KINDS],
    after_network: Option<AfterNetwork>,
}

/// What happens to a change after the run has read from the network, where everything else allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "a host must handle both")]
pub enum AfterNetwork {
    /// A person is asked.
    #[default]
    Ask,
    /// Nothing more. Only the policy of the machine can say so.
    Allow,
}

/// What a narrowing layer says where none of its rules covers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fallback {
    pub(crate) verdict: Verdict,
    pub(crate) line: u32,
}

/// What one layer says about one capability; no verdict when it has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) kind: Kind,
    pub(crate) rule: Option<u16>,
}

const KINDS: usize = Kind::ALL.len();

static PROFILES: [LazyLock<Layer>; 5] = [
    LazyLock::new(|| built_in(Profile::Offline)),
    LazyLock::new(|| built_in(Profile::ReadOnly)),
    LazyLock::new(|| built_in(Profile::NetReadOnly)),
    LazyLock::new(|| built_in(Profile::WorkspaceWrite)),
    LazyLock::new(|| built_in(Profile::Trusted)),
];

impl LayerKind {
    /// Returns the name a person sees.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Trust => "trust cap",
            Self::Host => "host policy",
            Self::User => "user policy",
            Self::Workspace => "workspace policy",
            Self::Flags => "run flags",
        }
    }

    /// Tells whether layers of this kind only take away, as opposed to being a ceiling.
    pub const fn narrows(self) -> bool {
        match self {
            Self::Profile | Self::Trust => false,
            Self::Host | Self::User | Self::Workspace | Self::Flags => true,
        }
    }
}

impl Layer {
    /// Returns the layer written in `text`, the contents of `file`.
    ///
    /// # Errors
    /// When the text is too large, no TOML, has an unknown key, capability or scope, lacks a
    /// reason, or has a rule that could never change a decision. Every error names file and line.
    pub fn parse(kind: LayerKind, file: &str, text: &str) -> Result<Self, PolicyError> {
        parse::layer(kind, file, text)
    }

    /// Returns the built-in layer of `profile`.
    pub fn profile(profile: Profile) -> Self {
        Self::of(profile).clone()
    }

    /// Returns the ceiling `profile`, imposed by the trust in a bundle; `why` is shown to people,
    /// such as `unsigned bundle`.
    pub fn cap(profile: Profile, why: &str) -> Self {
        let name = format!("trust cap `{profile}` ({why})");
        Self { kind: LayerKind::Trust, name, ..Self::profile(profile) }
    }

    /// Returns the layer of `--deny` flags, each the text of a capability with or without a scope,
    /// such as `env`, `http.read:*.example.com` or `exec:bash` (with any arguments).
    ///
    /// # Errors
    /// When a text names no capability or has a bad scope.
    pub fn denying<'t>(flags: impl IntoIterator<Item = &'t str>) -> Result<Self, PolicyError> {
        let rules = flags.into_iter().map(denied).collect::<Result<Vec<_>, _>>()?;
        let kind = LayerKind::Flags;
        Ok(Self::compiled(kind, kind.title().to_owned(), "--deny".to_owned(), rules))
    }

    /// Returns where the layer comes from.
    pub fn kind(&self) -> LayerKind {
        self.kind
    }

    /// Returns the name a person sees.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns what it says about changes after the network was read; nothing unless it is the policy of
    /// the machine.
    pub fn after_network(&self) -> Option<AfterNetwork> {
        self.after_network
    }

    /// Returns the rules, ordered by kind.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    pub(crate) fn of(profile: Profile) -> &'static Self {
        &PROFILES[profile as usize]
    }

    /// Returns the profile it is made from, for a ceiling.
    pub fn ceiling(&self) -> Option<Profile> {
        self.ceiling
    }

    pub(crate) fn compiled(
        kind: LayerKind,
        name: String,
        file: String,
        mut rules: Vec<Rule>,
    ) -> Self {
        rules.sort_by_key(|rule| rule.kind);
        // What does not fit the index would be out of reach: better a layer that forbids
        // everything.
        let fits = u16::try_from(rules.len()).is_ok();
        let rules =
            if fits { rules } else { Kind::ALL.map(|kind| forbid(kind, "too many rules")).into() };
        let mut starts = [0; KINDS + 1];
        for rule in &rules {
            for start in &mut starts[rule.kind as usize + 1..] {
                *start += 1;
            }
        }
        let (ceiling, defaults, after_network) = (None, [None; KINDS], None);
        Self { kind, name, file, ceiling, rules, starts, defaults, after_network }
    }

    pub(crate) fn set_default(&mut self, kind: Kind, fallback: Fallback) {
        self.defaults[kind as usize] = Some(fallback);
    }

    pub(crate) fn set_after_network(&mut self, said: AfterNetwork) {
        self.after_network = Some(said);
    }

    pub(crate) fn default_of(&self, kind: Kind) -> Option<Fallback> {
        self.defaults[kind as usize]
    }

    pub(crate) fn rule(&self, index: u16) -> Option<&Rule> {
        self.rules.get(usize::from(index))
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> &[Rule] {
        let (start, end) = (self.starts[kind as usize], self.starts[kind as usize + 1]);
        self.rules.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }

    /// Returns what this layer says about `capability`: the strictest of what it says about the
    /// capability itself and about what the capability includes.
    pub(crate) fn say(&self, capability: &Capability) -> Said {
        let own = self.say_as(capability.kind(), capability);
        let Some(included) = included(capability.kind()) else { return own };
        let other = self.say_as(included, capability);
        match (own.verdict, other.verdict) {
            (None, Some(_)) => other,
            (Some(mine), Some(theirs)) if theirs < mine => other,
            (_, None) | (Some(_), Some(_)) => own,
        }
    }

    fn say_as(&self, kind: Kind, capability: &Capability) -> Said {
        if let Some(said) = self.say_of_names(kind, capability) {
            return said;
        }
        let mut covered = None;
        let mut strictest: Option<(Verdict, u16)> = None;
        let start = self.starts[kind as usize];
        for (rule, index) in self.of_kind(kind).iter().zip(start..) {
            let contains = rule.contains(capability);
            if contains && covered.is_none() {
                covered = Some(index);
            }
            let restricts =
                rule.verdict < Verdict::Allow && (contains || rule.overlaps(capability));
            if restricts && strictest.is_none_or(|(verdict, _)| rule.verdict < verdict) {
                strictest = Some((rule.verdict, index));
            }
        }
        let base = match covered {
            Some(index) => Said { verdict: Some(Verdict::Allow), kind, rule: Some(index) },
            None => Said { verdict: self.unnamed(kind), kind, rule: None },
        };
        match strictest {
            Some((verdict, index)) if base.verdict.is_none_or(|base| verdict < base) => {
                Said { verdict: Some(verdict), kind, rule: Some(index) }
            }
            Some((verdict, index)) if base.verdict == Some(verdict) => {
                Said { rule: Some(index), ..base }
            }
            _ => base,
        }
    }

    /// Returns what the layer of protected names says, nothing for every other layer. Its rules are
    /// sorted: a path is looked up, not compared with a hundred names.
    fn say_of_names(&self, kind: Kind, capability: &Capability) -> Option<Said> {
        let rules = self.of_kind(kind);
        rules.first()?.scope.protected_name()?;
        let Capability::FsWrite(scope) = capability else { return None };
        let mut parts = scope.path().split('/');
        let found = parts.find_map(|part| protected::position(rules, Rule::protected_name, part));
        let index = found.and_then(|at| u16::try_from(at).ok());
        let rule = index.map(|at| at.saturating_add(self.starts[kind as usize]));
        let verdict = rule.and_then(|at| self.rule(at)).map(|rule| rule.verdict);
        Some(Said { verdict, kind, rule })
    }

    /// Returns what holds where no rule covers the request.
    fn unnamed(&self, kind: Kind) -> Option<Verdict> {
        if self.kind.narrows() {
            return self.default_of(kind).map(|fallback| fallback.verdict);
        }
        Some(Verdict::Forbid)
    }
}

/// Returns what a capability of `kind` includes besides itself: writing includes reading.
fn included(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::FsWrite => Some(Kind::FsRead),
        Kind::HttpWrite => Some(Kind::HttpRead),
        Kind::FsRead
        | Kind::HttpRead
        | Kind::Socket
        | Kind::Env
        | Kind::Config
        | Kind::Secret
        | Kind::Kv
        | Kind::Clock
        | Kind::Random
        | Kind::Model
        | Kind::Tool
        | Kind::Agent
        | Kind::Mcp
        | Kind::Exec => None,
    }
}

fn built_in(profile: Profile) -> Layer {
    let (file, rules) = match profile {
        Profile::Offline => ("policies/offline.toml", tables::OFFLINE),
        Profile::ReadOnly => ("policies/read-only.toml", tables::READ_ONLY),
        Profile::NetReadOnly => ("policies/net-read-only.toml", tables::NET_READ_ONLY),
        Profile::WorkspaceWrite => ("policies/workspace-write.toml", tables::WORKSPACE_WRITE),
        Profile::Trusted => ("policies/trusted.toml", tables::TRUSTED),
    };
    // A profile that cannot be read has no rules, and a ceiling without rules forbids everything.
    let rules = tables::rules(rules).unwrap_or_default();
    let name = format!("profile `{profile}`");
    let layer = Layer::compiled(LayerKind::Profile, name, file.to_owned(), rules);
    Layer { ceiling: Some(profile), ..layer }
}

fn denied(flag: &str) -> Result<Rule, PolicyError> {
    let shown = || text::brief(flag, 80);
    let bad = |source| PolicyError::BadCapability { text: shown(), source };
    let (kind, scope) =
        flag.split_once(':').map_or((flag, None), |(kind, scope)| (kind, Some(scope)));
    let kind: Kind = kind.parse().map_err(bad)?;
    let scope =
        scope.map_or(Ok(Scope::Everything), |scope| Scope::parse(kind, scope)).map_err(bad)?;
    // Denying a program denies it with any arguments.
    let scope = match scope {
        Scope::Argv(program) if program.is_bare() => Scope::Argv(program.with_any_arguments()),
        scope => scope,
    };
    Ok(Rule { scope, ..forbid(kind, "denied for this run") })
}

fn forbid(kind: Kind, reason: &'static str) -> Rule {
    let reason = Cow::Borrowed(reason);
    let (scope, verdict) = (Scope::Everything, Verdict::Forbid);
    Rule { kind, scope, verdict, reason, warning: None, line: 1 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[test]
    fn every_built_in_profile_is_what_its_file_says() {
        for profile in Profile::ALL {
            let built_in = Layer::of(profile);
            let path = format!("../../{}", built_in.file());
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            let read = Layer::parse(LayerKind::Profile, built_in.file(), &text)
                .unwrap_or_else(|error| panic!("{error:?}"));
            let expected = Layer { name: built_in.name.clone(), ceiling: Some(profile), ..read };
            assert_eq!(built_in, &expected);
            assert!(built_in.rules().count() > 10, "{profile}");
        }
    }
}
