//! What the operator says about one run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ringfence_approval::Approver;
use ringfence_capability::{Digest, Grant, GrantSet, Limit, Profile, Request};
use ringfence_interfaces::model::ModelBudget;
use ringfence_interfaces::{AgentWorld, Level, Observer, Sink, Stdin};
use ringfence_policy::Layer;
use sha2::{Digest as _, Sha256};

use crate::agents::Flow;
use crate::{NativeOptions, OutsideServers, RunModels};

/// What the operator says about a run. The default runs under `Offline` and gives nothing extra.
#[derive(Default, Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct RunOptions {
    /// The ceiling.
    pub profile: Profile,
    /// Requests the operator makes on the plugin's behalf, such as `--dir`.
    pub requests: Vec<Request>,
    /// What a person approved.
    pub approved: Vec<Grant>,
    /// Further layers, narrowest last.
    pub layers: Vec<Layer>,
    /// Limits the operator sets, above or below what the plugin asks.
    pub limits: Vec<(Limit, u64)>,
    /// The plugin digest a person vouches for, and how far.
    pub trust: Option<(Digest, Profile)>,
    /// Values for granted environment variables.
    pub env: BTreeMap<String, String>,
    /// Values for granted configuration names.
    pub config: BTreeMap<String, String>,
    /// Values for granted secrets.
    pub secrets: BTreeMap<String, Secret>,
    /// The models that can be granted.
    pub models: RunModels,
    /// Address ranges outside the public internet that granted hosts may resolve to.
    pub addresses: Vec<String>,
    /// How native programs the plugin asks for are found, asked about and bounded.
    pub native: NativeOptions,
    /// The outside servers that tools can be granted of; without it there are none.
    pub outside: Option<OutsideServers>,
    /// What whoever calls the plugin holds: it gets no more than that. Without a caller, nothing is cut.
    pub within: Option<Arc<GrantSet>>,
    /// Whether other plugins run with the same options: trust and approvals that are about none of this
    /// one are for another then, and no mistake.
    pub shared: bool,
    /// Hears what the plugin says; nobody by default.
    pub observer: Option<Arc<dyn Observer>>,
}

impl RunOptions {
    /// Returns a digest of the values it supplies: environment, configuration and secrets. A plugin that
    /// is given others may answer otherwise.
    pub fn values_digest(&self) -> Digest {
        let mut all = Sha256::new();
        let secrets = self.secrets.iter().map(|(name, secret)| (name, &secret.0));
        for part in
            [self.env.iter().collect::<Vec<_>>(), self.config.iter().collect(), secrets.collect()]
        {
            all.update((part.len() as u64).to_le_bytes());
            for text in part.into_iter().flat_map(|(name, value)| [name, value]) {
                all.update((text.len() as u64).to_le_bytes());
                all.update(text);
            }
        }
        Digest::from_bytes(all.finalize().into())
    }
}

/// A secret's value. Nothing prints it.
#[derive(Clone)]
pub struct Secret(pub(crate) String);

impl Secret {
    /// Returns the secret with this value.
    pub fn new(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a guest reads and where what it prints goes.
#[non_exhaustive]
pub struct Stdio {
    /// What it reads.
    pub stdin: Stdin,
    /// Where standard output goes.
    pub stdout: Box<dyn Sink>,
    /// Where standard error goes.
    pub stderr: Box<dyn Sink>,
    /// Who hears this run in place of whoever hears all of them.
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// What answers an agent.
    pub(crate) world: Option<Arc<dyn AgentWorld>>,
    /// What holds the effects of all runs of a crew to the flow rule.
    pub(crate) flow: Option<Arc<Flow>>,
    /// What it may spend on models together with others; without it, a run has its own.
    pub(crate) budget: Option<Arc<dyn ModelBudget>>,
    /// The person at the other end of this run, who may be asked in place of the one of the options.
    pub(crate) person: Option<Arc<dyn Approver>>,
}

impl Stdio {
    /// Returns empty input, and output that is dropped.
    pub fn captured() -> Self {
        Self::new(None, Vec::new(), Vec::new())
    }

    /// Returns this input and these takers of output.
    pub fn new(stdin: impl Into<Stdin>, stdout: impl Sink, stderr: impl Sink) -> Self {
        Self {
            stdin: stdin.into(),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            observer: None,
            world: None,
            flow: None,
            budget: None,
            person: None,
        }
    }

    /// Returns the same, for a run that is held to the flow rule, together with all others of `flow`.
    #[must_use]
    pub fn in_flow(self, flow: Arc<Flow>) -> Self {
        Self { flow: Some(flow), ..self }
    }

    /// Returns the same, for an agent whose questions `world` answers.
    pub(crate) fn of_agent(self, world: Arc<dyn AgentWorld>, flow: Arc<Flow>) -> Self {
        Self { world: Some(world), ..self.in_flow(flow) }
    }

    /// Returns the same, for a run that spends what `budget` has on models.
    pub(crate) fn spending(self, budget: Arc<dyn ModelBudget>) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Returns the same, for a run at whose other end `person` can be asked about native programs, where
    /// [`NativeOptions::at_client`](crate::NativeOptions::at_client) lets them.
    #[must_use]
    pub fn with_person(self, person: Arc<dyn Approver>) -> Self {
        Self { person: Some(person), ..self }
    }

    /// Returns the same, for a run that `observer` hears in place of that of the options.
    #[must_use]
    pub fn heard_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }
}

/// Hears nothing.
pub(crate) struct Silence;

impl Observer for Silence {
    fn message(&self, _: Level, _: &str, _: &[(String, String)]) {}

    fn progress(&self, _: f64, _: Option<f64>, _: &str) {}
}
