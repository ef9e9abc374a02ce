//! The decision: the least of what every layer says.

use crate::answers::Answers;
use crate::layer::{Layer, Said};
use crate::protected::ProtectedNames;
use crate::rule::{Rule, Verdict};
use ringfence_capability::{Capability, Origin, Profile};

/// A profile and the layers that narrow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    layers: Vec<Layer>,
}

/// What was decided and by which rule. Small and copied freely; [`crate::Policy::explain`] tells
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The deciding layer, an index into [`Policy::layers`].
    pub layer: u16,
    /// The deciding rule in that layer; nothing when the layer's default decided.
    pub rule: Option<u16>,
    /// The answer, an index into the answers, that turned a prompt into an allow.
    pub answer: Option<u16>,
}

impl Policy {
    /// Returns the policy of `profile`, narrowed by `layers`. The protected names are always among
    /// the layers.
    pub fn new(profile: Profile, layers: Vec<Layer>) -> Self {
        let mut all = Vec::with_capacity(layers.len() + 2);
        all.push(Layer::profile(profile));
        all.push(ProtectedNames::built_in().layer());
        all.extend(layers);
        Self { profile, layers: all }
    }

    /// Returns the profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the layers: the profile, the protected names, then those given.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns what is decided about `capability`: the strictest verdict of all layers, and `Allow`
    /// instead of `Prompt` when one of `answers` contains it. Does not allocate.
    pub fn decide(&self, capability: &Capability, answers: &Answers) -> Decision {
        let mut decision =
            Decision { verdict: Verdict::Forbid, layer: 0, rule: None, answer: None };
        for (index, (layer, position)) in self.layers.iter().zip(0_u16..).enumerate() {
            let said = layer.say(capability);
            let verdict = at_most(capability, said.verdict.unwrap_or(Verdict::Allow));
            if index == 0 || verdict < decision.verdict {
                decision = Decision { verdict, layer: position, rule: said.rule, answer: None };
            }
        }
        if decision.verdict == Verdict::Prompt
            && let Some(answer) = answers.covering(capability)
        {
            return Decision { verdict: Verdict::Allow, answer: Some(answer), ..decision };
        }
        decision
    }

    /// Returns where what decided is written: the approval if one did, else the rule.
    pub fn origin(&self, decision: Decision, answers: &Answers) -> Origin {
        if let Some(answer) = decision.answer.and_then(|index| answers.get(index)) {
            return answer.origin.clone();
        }
        let Some(layer) = self.layers.get(usize::from(decision.layer)) else {
            return Origin::BuiltIn;
        };
        let line = decision.rule.and_then(|rule| layer.rule(rule)).map_or(1, Rule::line);
        Origin::File { path: layer.file().to_owned(), line }
    }

    /// Returns what each layer says, in order.
    pub(crate) fn said<'p>(
        &'p self,
        capability: &'p Capability,
    ) -> impl Iterator<Item = (&'p Layer, Said)> {
        self.layers.iter().map(move |layer| {
            let said = layer.say(capability);
            (
                layer,
                Said { verdict: said.verdict.map(|verdict| at_most(capability, verdict)), ..said },
            )
        })
    }
}

/// Running a native program asks whatever the rules say.
fn at_most(capability: &Capability, verdict: Verdict) -> Verdict {
    if matches!(capability, Capability::Exec(_)) { verdict.min(Verdict::Prompt) } else { verdict }
}
