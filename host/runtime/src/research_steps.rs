//! The steps of a research run as plugins, each prepared by itself with its own grants.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

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
    readers: BTreeMap<String, Reader>,
}

/// Finds and prepares a plugin when it is needed; otherwise says why it cannot be.
pub type Preparing = Box<dyn Fn() -> Result<(Plugin, Prepared), String> + Send + Sync>;

/// What reads pages of one media type.
struct Reader {
    prepare: Preparing,
    ready: OnceLock<Result<(Prepared, StepUsed), String>>,
}

impl ResearchSteps {
    /// Returns a set without steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the plugin that is a step. `prepared` is `plugin`, prepared.
    pub fn set(&mut self, step: StepKind, plugin: &Plugin, prepared: Prepared) {
        let used = used(step.name(), plugin, &prepared);
        self.steps.insert(step, (prepared, used));
    }

    /// Sets what reads pages of a media type in place of the extract step. It is prepared when the first comes:
    /// most runs have none, and it may take long to compile.
    pub fn set_reader(&mut self, media_type: &str, prepare: Preparing) {
        self.readers.insert(media_type.to_owned(), Reader { prepare, ready: OnceLock::new() });
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
        let readers =
            self.readers.iter().map(|(kind, reader)| (kind.as_str(), (reader, Mutex::new(None))));
        Started { steps, readers: readers.collect(), flow }
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
    readers: BTreeMap<&'p str, (&'p Reader, Kept<'p>)>,
    flow: Arc<Flow>,
}

/// The instance of a plugin, until it fails.
type Kept<'p> = Mutex<Option<Session<'p>>>;

struct One<'p> {
    prepared: &'p Prepared,
    used: &'p StepUsed,
    flow: Arc<Flow>,
    session: Kept<'p>,
}

impl<'p> One<'p> {
    /// Tells whether the plugin keeps what it learned.
    fn remembers(&self) -> bool {
        self.exports(MEMORY)
    }

    fn exports(&self, interface: &str) -> bool {
        let mut exports = self.prepared.exports().iter();
        exports.any(|export| export.interface.as_deref() == Some(interface))
    }

    /// Counts what an earlier run kept of this step as what it is: read from the network, if the step can.
    fn given(&self) {
        let outside = [Kind::HttpRead, Kind::HttpWrite, Kind::Socket, Kind::Mcp, Kind::Exec];
        if self.prepared.grants().iter().any(|grant| outside.contains(&grant.capability.kind())) {
            self.flow.taint();
        }
    }

    async fn session(&self, kept: Option<Session<'p>>) -> Result<Session<'p>, RunError> {
        session(self.prepared, &self.flow, kept).await
    }

    async fn call(&self, function: &str, input: &Value) -> Result<Value, StepError> {
        called(self.prepared, &self.flow, &self.session, function, input).await
    }
}

async fn session<'p>(
    prepared: &'p Prepared,
    flow: &Arc<Flow>,
    kept: Option<Session<'p>>,
) -> Result<Session<'p>, RunError> {
    if let Some(session) = kept {
        return Ok(session);
    }
    prepared.session(Stdio::captured().in_flow(Arc::clone(flow))).await
}

async fn called<'p>(
    prepared: &'p Prepared,
    flow: &Arc<Flow>,
    kept: &Kept<'p>,
    function: &str,
    input: &Value,
) -> Result<Value, StepError> {
    let mut kept = kept.lock().await;
    let mut session = session(prepared, flow, kept.take()).await.map_err(ended)?;
    // An instance that trapped or reached a limit is not used again.
    let done = session.call(function, input).await.map_err(ended)?;
    *kept = Some(session);
    match done.result {
        CallResult::Ok(value) => Ok(value),
        CallResult::Err(value) => Err(said(value)),
    }
}

fn used(step: &str, plugin: &Plugin, prepared: &Prepared) -> StepUsed {
    StepUsed {
        step: step.to_owned(),
        plugin: format!("{}@{}", plugin.manifest.name, plugin.manifest.version),
        digest: plugin.digest.to_string(),
        grants: prepared.grants().iter().map(|grant| grant.capability.to_string()).collect(),
    }
}

/// Returns a media type without its parameters, in lower case.
fn bare(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Reader {
    /// Returns the plugin, prepared once.
    fn ready(&self, kind: &str) -> Result<&(Prepared, StepUsed), StepError> {
        let ready = self.ready.get_or_init(|| {
            let (plugin, prepared) = (self.prepare)()?;
            let used = used(&format!("extract {kind}"), &plugin, &prepared);
            Ok((prepared, used))
        });
        let missing =
            |why: &String| StepError::Said { case: "unavailable".to_owned(), text: why.clone() };
        ready.as_ref().map_err(missing)
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
            let kind = input["media-type"].as_str().filter(|_| step == StepKind::Extract).map(bare);
            let reader = kind.and_then(|kind| self.readers.get_key_value(kind.as_str()));
            if let Some((kind, (reader, kept))) = reader {
                let (prepared, _) = reader.ready(kind)?;
                return called(prepared, &self.flow, kept, function, &input).await;
            }
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

    fn has_reader(&self, media_type: &str) -> bool {
        self.readers.contains_key(bare(media_type).as_str())
    }

    fn readers(&self) -> Vec<StepUsed> {
        let came =
            self.readers.values().filter_map(|(reader, _)| reader.ready.get()?.as_ref().ok());
        came.map(|(_, used)| used.clone()).collect()
    }

    fn has(&self, step: StepKind, interface: &str) -> bool {
        let full = format!("ringfence:research/{interface}@0.1.0");
        self.steps.get(&step).is_some_and(|one| one.exports(&full))
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
