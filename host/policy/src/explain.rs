//! Why something was decided, and what would change it.

use crate::layer::{Layer, LayerKind, Said};
use crate::rule::{Rule, Verdict};
use crate::{Answers, Interpreters, Policy, PolicyError};
use ringfence_capability::{
    Capability, Grant, GrantSet, Kind, Necessity, Origin, Profile, Request, text,
};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt;

/// One request, what was decided about it, why, and what would change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked.
    #[serde(serialize_with = "request_as_json")]
    pub request: Request,
    /// The verdict, with the answers taken into account.
    pub verdict: Verdict,
    /// Where the approval was given, when one turned a prompt into an allow.
    pub approved_by: Option<String>,
    /// What decided: the first of the strictest layers.
    pub decided_by: Cause,
    /// What every layer says.
    pub votes: Vec<Vote>,
    /// For a native program that runs whatever it is given: why it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// What would make it allowed, every step of it in order; empty when it is allowed already.
    pub remedy: Vec<Remedy>,
}

/// The rule, or the lack of one, behind a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cause {
    /// The name of the layer.
    pub layer: String,
    /// Its file.
    pub file: String,
    /// The line of the rule or of the default.
    pub line: Option<u32>,
    /// The rule, or what stands in for one.
    pub rule: String,
    /// Why the rule is there.
    pub reason: String,
    /// What the rule wants a person to know before approving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What one layer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Vote {
    /// The kind of layer.
    pub kind: LayerKind,
    /// The verdict; nothing when the layer has nothing to say.
    pub verdict: Option<Verdict>,
    /// What it goes by.
    #[serde(flatten)]
    pub cause: Cause,
}

/// One step towards allowing something without switching a protection off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// Approve it, with this flag or when asked.
    Approve {
        /// The flag.
        flag: String,
    },
    /// Run under a profile that allows it or lets it be approved.
    Profile {
        /// The flag.
        flag: String,
    },
    /// Have the bundle signed by a key that is trusted this far.
    Trust {
        /// The least profile the key must be good for.
        max_profile: String,
    },
    /// Change a rule.
    Edit {
        /// The file.
        file: String,
        /// The line.
        line: u32,
        /// The rule that stands there.
        rule: String,
    },
    /// Leave a flag of this run out.
    Flag {
        /// The flag.
        flag: String,
    },
    /// No profile allows it.
    Never,
}

/// What was decided about a list of requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verdicts {
    /// What was granted.
    pub granted: GrantSet,
    /// The requests that were not granted, required and optional ones, in the order asked.
    pub refused: Vec<Explanation>,
    /// Every request, in the order asked.
    pub all: Vec<Explanation>,
}

impl Policy {
    /// Returns what is decided about `request`, with the reason and what would change it.
    pub fn explain(&self, request: &Request, answers: &Answers) -> Explanation {
        let decision = self.decide(&request.capability, answers);
        let said: Vec<_> = self.said(&request.capability).collect();
        let votes: Vec<_> = said.iter().map(|(layer, said)| vote(layer, *said)).collect();
        let decided_by = votes.get(usize::from(decision.layer)).map(|vote| vote.cause.clone());
        let approval = decision.answer.and_then(|index| answers.get(index));
        let approved = answers.covering(&request.capability).is_some();
        Explanation {
            remedy: if decision.verdict == Verdict::Allow {
                Vec::new()
            } else {
                remedies(&request.capability, &said, approved)
            },
            warning: match &request.capability {
                Capability::Exec(pattern) => {
                    Interpreters::built_in().reached_by(pattern).map(str::to_owned)
                }
                _ => None,
            },
            request: request.clone(),
            verdict: decision.verdict,
            approved_by: approval.map(|grant| grant.origin.to_string()),
            decided_by: decided_by.unwrap_or_else(Cause::unknown),
            votes,
        }
    }

    /// Returns what of `requests` is granted. The caller decides what a refused one means: a
    /// required one stops the plugin, see [`Verdicts::refusal`].
    ///
    /// A command that would be asked about is granted: as the possibility to ask. Each start of the
    /// program is decided about anew, with what exactly it would run, and asks a person then.
    pub fn grant(&self, requests: &[Request], answers: &Answers) -> Verdicts {
        let all: Vec<_> = requests.iter().map(|request| self.explain(request, answers)).collect();
        let grant = |explanation: &Explanation| {
            let capability = &explanation.request.capability;
            let origin = self.origin(self.decide(capability, answers), answers);
            explanation.is_given().then(|| Grant::new(capability.clone(), origin))
        };
        Verdicts {
            granted: GrantSet::new(all.iter().filter_map(grant).collect()),
            refused: all.iter().filter(|e| !e.is_given()).cloned().collect(),
            all,
        }
    }
}

impl Verdicts {
    /// Returns the refusal of the first required request that was not granted.
    pub fn refusal(&self) -> Option<PolicyError> {
        let required = |e: &&Explanation| e.request.necessity == Necessity::Required;
        self.refused.iter().find(required).and_then(Explanation::refusal)
    }
}

impl Explanation {
    /// Tells whether what was asked for is given: it is allowed, or it is a native program, which a
    /// person is asked about each time it is started.
    pub fn is_given(&self) -> bool {
        match self.verdict {
            Verdict::Allow => true,
            Verdict::Prompt => self.request.capability.kind() == Kind::Exec,
            Verdict::Forbid => false,
        }
    }

    /// Returns the refusal as an error; nothing when it is allowed.
    pub fn refusal(&self) -> Option<PolicyError> {
        match self.verdict {
            Verdict::Allow => None,
            Verdict::Prompt => Some(PolicyError::NeedsApproval(Box::new(self.clone()))),
            Verdict::Forbid => Some(PolicyError::Forbidden(Box::new(self.clone()))),
        }
    }
}

impl Cause {
    fn unknown() -> Self {
        let none = String::new;
        let (layer, file, rule, reason) = (none(), none(), none(), none());
        Self { layer, file, line: None, rule, reason, warning: None }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.layer, self.rule, self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, "): {}", self.reason)?;
        self.warning.as_ref().map_or(Ok(()), |warning| write!(f, "; warning: {warning}"))
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approve { flag } => write!(f, "approve it with `{flag}`"),
            Self::Profile { flag } => write!(f, "run with `{flag}`"),
            Self::Trust { max_profile } => {
                write!(
                    f,
                    "vouch for exactly this plugin up to `{max_profile}` with `--trust-digest DIGEST` \
                     (`ringfence inspect` shows the digest)"
                )
            }
            Self::Edit { file, line, rule } => {
                write!(f, "change the rule at `{file}:{line}` ({rule})")
            }
            Self::Flag { flag } => write!(f, "leave out `{flag}`"),
            Self::Never => f.write_str("there is none: no profile allows it"),
        }
    }
}

fn vote(layer: &Layer, said: Said) -> Vote {
    let deciding = said.rule.and_then(|index| layer.rule(index));
    let (line, rule, reason) = match (deciding, said.verdict) {
        (Some(rule), _) => (Some(rule.line), rule.to_string(), rule.reason.to_string()),
        (None, Some(verdict)) if layer.kind().narrows() => {
            let line = layer.default_of(said.kind).map(|fallback| fallback.line);
            (
                line,
                format!("default of {}: {verdict}", said.kind),
                "no rule covers the request".to_owned(),
            )
        }
        (None, Some(verdict)) => {
            let reason = "a ceiling forbids what none of its rules names";
            (None, format!("{}: {verdict}", said.kind), reason.to_owned())
        }
        (None, None) => (None, "no rule".to_owned(), "the layer says nothing about it".to_owned()),
    };
    let warning = deciding.and_then(Rule::warning).map(str::to_owned);
    let (name, file) = (layer.name().to_owned(), layer.file().to_owned());
    let cause = Cause { layer: name, file, line, rule, reason, warning };
    Vote { kind: layer.kind(), verdict: said.verdict, cause }
}

/// Returns the steps that turn the verdict into an allow: one for every layer that forbids, and an
/// approval when what remains is a prompt that nobody answered yet.
fn remedies(capability: &Capability, said: &[(&Layer, Said)], approved: bool) -> Vec<Remedy> {
    let mut steps = Vec::new();
    let mut asks = false;
    for (layer, said) in said {
        match said.verdict {
            Some(Verdict::Forbid) => {
                let (step, still_asks) = lift(capability, layer, *said);
                steps.push(step);
                asks |= still_asks;
            }
            Some(Verdict::Prompt) => asks = true,
            Some(Verdict::Allow) | None => {}
        }
    }
    if steps.contains(&Remedy::Never) {
        return vec![Remedy::Never];
    }
    // A native program is asked about at each start: nothing said before is needed, or enough.
    if asks && !approved && capability.kind() != Kind::Exec {
        steps.push(Remedy::Approve {
            flag: format!("--approve {}", quoted(&capability.to_string())),
        });
    }
    steps
}

/// Returns the step that lifts a forbid of `layer`, and whether it leaves a prompt behind.
fn lift(capability: &Capability, layer: &Layer, said: Said) -> (Remedy, bool) {
    let rule = said.rule.and_then(|index| layer.rule(index));
    match layer.kind() {
        LayerKind::Profile | LayerKind::Trust => {
            let Some((profile, verdict)) = lowest(capability) else {
                return (Remedy::Never, false);
            };
            let step = if layer.kind() == LayerKind::Trust {
                Remedy::Trust { max_profile: profile.to_string() }
            } else {
                Remedy::Profile { flag: format!("--profile {profile}") }
            };
            (step, verdict == Verdict::Prompt)
        }
        LayerKind::Flags if layer.file() == "--deny" => {
            let flag = rule.map_or_else(String::new, |rule| match &rule.scope {
                crate::scope::Scope::Everything => rule.kind.to_string(),
                scope => format!("{}:{scope}", rule.kind),
            });
            (Remedy::Flag { flag: format!("--deny {}", quoted(&flag)) }, false)
        }
        LayerKind::Host | LayerKind::User | LayerKind::Workspace | LayerKind::Flags => {
            let default = layer.default_of(said.kind).map_or(1, |fallback| fallback.line);
            let text =
                rule.map_or_else(|| format!("default of {}", said.kind), ToString::to_string);
            let line = rule.map_or(default, |rule| rule.line);
            (Remedy::Edit { file: layer.file().to_owned(), line, rule: text }, false)
        }
    }
}

fn lowest(capability: &Capability) -> Option<(Profile, Verdict)> {
    let said = |profile: Profile| Layer::of(profile).say(capability).verdict.map(|v| (profile, v));
    Profile::ALL.into_iter().filter_map(said).find(|(_, verdict)| *verdict > Verdict::Forbid)
}

/// Returns `text` as one word of a POSIX shell, with control characters made visible.
fn quoted(text: &str) -> String {
    format!("'{}'", text::plain(text).replace('\'', "'\\''"))
}

fn request_as_json<S: Serializer>(request: &Request, serializer: S) -> Result<S::Ok, S::Error> {
    let mut json = serializer.serialize_struct("Request", 4)?;
    json.serialize_field("capability", &request.capability.to_string())?;
    json.serialize_field("reason", &request.reason)?;
    json.serialize_field("required", &(request.necessity == Necessity::Required))?;
    json.serialize_field(
        "origin",
        &match &request.origin {
            Origin::BuiltIn => None,
            origin => Some(origin.to_string()),
        },
    )?;
    json.end()
}
