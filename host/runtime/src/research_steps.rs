//! The steps of a research run as plugins, each prepared by itself with its own grants.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::lock::Mutex;
use ringfence_capability::Kind;
use ringfence_engine::value::CallResult;
use ringfence_research::{Ended, StepError, StepKind, StepUsed, Steps};
use serde_json::Value;

use crate::{Flow, FlowRule, Plugin, Prepared, RunError, Session, Stdio};

/// Plugins that were prepared as steps. What one is granted the others are not: each has a store of its
/// own, and they meet only in the values that are passed from one to the next. Because those values can come
/// from the network, all steps of a run share one [`Flow`]: once one has read from it, none changes anything
/// unasked.
#[derive(Default)]
pub struct ResearchSteps {
    steps: BTreeMap<StepKind, (Prepared, StepUsed)>,
}

impl ResearchSteps {
    /// Returns a set without steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the plugin that is a step. `prepared` is `plugin`, prepared.
    pub fn set(&mut self, step: StepKind, plugin: &Plugin, prepared: Prepared) {
        let used = StepUsed {
            step: step.name().to_owned(),
            plugin: format!("{}@{}", plugin.manifest.name, plugin.manifest.version),
            digest: plugin.digest.to_string(),
            grants: prepared.grants().iter().map(|grant| grant.capability.to_string()).collect(),
        };
        self.steps.insert(step, (prepared, used));
    }

    /// Returns the steps, ready to be called: each keeps one instance until it fails. All are under `rule`
    /// together.
    pub fn start(&self, rule: FlowRule) -> Started<'_> {
        let flow = Arc::new(Flow::new(rule));
        let mut steps = BTreeMap::new();
        for (step, (prepared, used)) in &self.steps {
            let flow = Arc::clone(&flow);
            steps.insert(*step, One { prepared, used, flow, session: Mutex::new(None) });
        }
        Started { steps }
    }

    /// Ends the outside servers that the steps started.
    pub async fn end_servers(&self) {
        for (prepared, _) in self.steps.values() {
            prepared.end_servers().await;
        }
    }
}

/// What a provider that remembers exports, and the functions of it.
const MEMORY: &str = "ringfence:research/memory@0.1.0";

/// Steps that are running.
pub struct Started<'p> {
    steps: BTreeMap<StepKind, One<'p>>,
}

struct One<'p> {
    prepared: &'p Prepared,
    used: &'p StepUsed,
    flow: Arc<Flow>,
    session: Mutex<Option<Session<'p>>>,
}

impl<'p> One<'p> {
    /// Tells whether the plugin keeps what it learned.
    fn remembers(&self) -> bool {
        let mut exports = self.prepared.exports().iter();
        exports.any(|export| export.interface.as_deref() == Some(MEMORY))
    }

    /// Counts what an earlier run kept of this step as what it is: read from the network, if the step can.
    fn given(&self) {
        let outside = [Kind::HttpRead, Kind::HttpWrite, Kind::Socket, Kind::Mcp, Kind::Exec];
        if self.prepared.grants().iter().any(|grant| outside.contains(&grant.capability.kind())) {
            self.flow.taint();
        }
    }

    async fn session(&self, kept: Option<Session<'p>>) -> Result<Session<'p>, RunError> {
        if let Some(session) = kept {
            return Ok(session);
        }
        let stdio = Stdio::captured().in_flow(Arc::clone(&self.flow));
        self.prepared.session(stdio).await
    }

    async fn call(&self, function: &str, input: &Value) -> Result<Value, StepError> {
        let mut kept = self.session.lock().await;
        let mut session = self.session(kept.take()).await.map_err(ended)?;
        // An instance that trapped or reached a limit is not used again.
        let done = session.call(function, input).await.map_err(ended)?;
        *kept = Some(session);
        match done.result {
            CallResult::Ok(value) => Ok(value),
            CallResult::Err(value) => Err(said(value)),
        }
    }
}

impl Started<'_> {
    /// Gives a step what an earlier run of the same plugin with the same grants kept. One that fails on it
    /// begins anew without it.
    pub async fn restore(&self, step: StepKind, bytes: &[u8]) {
        let Some(one) = self.steps.get(&step).filter(|one| one.remembers()) else { return };
        one.given();
        let mut kept = one.session.lock().await;
        let given = async {
            let mut session = one.session(kept.take()).await?;
            session.give(&format!("{MEMORY}#restore"), bytes).await?;
            Ok::<_, RunError>(session)
        };
        match given.await {
            Ok(session) => *kept = Some(session),
            Err(error) => tracing::warn!(%error, %step, "what was kept could not be given back"),
        }
    }

    /// Returns what a step wants to have kept; nothing when that is what it was given, when it keeps nothing,
    /// or when it failed.
    pub async fn keep(&self, step: StepKind) -> Option<Vec<u8>> {
        let one = self.steps.get(&step).filter(|one| one.remembers())?;
        let mut kept = one.session.lock().await;
        let session = kept.as_mut()?;
        let taken = session.take(&format!("{MEMORY}#keep")).await;
        taken.inspect_err(|error| tracing::warn!(%error, %step, "nothing is kept")).ok().flatten()
    }
}

fn ended(error: RunError) -> StepError {
    StepError::Ended(Ended::new(error))
}

/// Reads the error of a step by its cases.
fn said(value: Value) -> StepError {
    let (case, text) = match value {
        Value::String(case) => (case, String::new()),
        Value::Object(object) => match object.into_iter().next() {
            Some((case, Value::String(text))) => (case, text),
            Some((case, other)) => (case, other.to_string()),
            None => ("failed".to_owned(), String::new()),
        },
        other => ("failed".to_owned(), other.to_string()),
    };
    StepError::Said { case, text }
}

impl Steps for Started<'_> {
    fn call<'a>(
        &'a self,
        step: StepKind,
        function: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, StepError>> {
        async move {
            match self.steps.get(&step) {
                Some(one) => one.call(function, &input).await,
                None => Err(StepError::Said {
                    case: "failed".to_owned(),
                    text: format!("there is no plugin for the step `{step}`"),
                }),
            }
        }
        .boxed()
    }

    fn kept_answer(&self, step: StepKind) {
        if let Some(one) = self.steps.get(&step) {
            one.given();
        }
    }

    fn used(&self, step: StepKind) -> StepUsed {
        let used = self.steps.get(&step).map(|one| one.used.clone());
        used.unwrap_or_else(|| StepUsed {
            step: step.name().to_owned(),
            plugin: String::new(),
            digest: String::new(),
            grants: Vec::new(),
        })
    }
}
