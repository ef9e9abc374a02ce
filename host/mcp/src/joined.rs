//! Several registries as one.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{
    Call, CallError, Catalog, Changes, McpError, Outcome, Part, PromptCall, PromptOutcome, Registry,
};

/// Several registries as one. The first that has a name is asked for it.
pub struct Joined {
    all: Arc<Vec<Arc<dyn Registry>>>,
    kept: Mutex<Kept>,
    tell: watch::Sender<u64>,
    /// What waits for changes of each. Ended with this.
    _hearing: Option<JoinSet<()>>,
}

/// The catalogue that was made last, and of which.
#[derive(Default)]
struct Kept {
    of: Vec<Arc<Catalog>>,
    made: Arc<Catalog>,
}

impl Joined {
    /// Returns them as one.
    ///
    /// # Errors
    /// When two tools have one name.
    pub fn new(all: Vec<Arc<dyn Registry>>) -> Result<Self, McpError> {
        let of: Vec<_> = all.iter().map(|one| one.catalog()).collect();
        let kept = Kept { made: Arc::new(merged(&of)?), of };
        let tell = watch::channel(0).0;
        let hearing = tokio::runtime::Handle::try_current().ok().map(|_| {
            let mut hearing = JoinSet::new();
            for mut changes in all.iter().filter_map(|one| one.changes()) {
                let tell = tell.clone();
                hearing.spawn(async move {
                    while changes.changed().await.is_ok() {
                        tell.send_modify(|number| *number += 1);
                    }
                });
            }
            hearing
        });
        Ok(Self { all: Arc::new(all), kept: Mutex::new(kept), tell, _hearing: hearing })
    }
}

fn merged(of: &[Arc<Catalog>]) -> Result<Catalog, McpError> {
    let all = |list: fn(&Catalog) -> &[_]| -> Vec<_> {
        of.iter().flat_map(|one| list(one).iter().cloned()).collect()
    };
    let documents = of.iter().flat_map(|one| one.documents().iter().cloned()).collect();
    let templates = of.iter().flat_map(|one| one.templates().iter().cloned()).collect();
    let prompts = of.iter().flat_map(|one| one.prompts().iter().cloned()).collect();
    Ok(Catalog::new(all(Catalog::tools))?
        .with_documents(documents, templates)
        .with_prompts(prompts))
}

impl Registry for Joined {
    fn catalog(&self) -> Arc<Catalog> {
        let of: Vec<_> = self.all.iter().map(|one| one.catalog()).collect();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = of.len() == kept.of.len()
            && of.iter().zip(&kept.of).all(|(now, before)| Arc::ptr_eq(now, before));
        // What cannot be offered together is not offered: the last whole catalogue stays.
        if !same && let Ok(made) = merged(&of) {
            *kept = Kept { of, made: Arc::new(made) };
        }
        Arc::clone(&kept.made)
    }

    fn changes(&self) -> Option<Changes> {
        self.all.iter().any(|one| one.changes().is_some()).then(|| self.tell.subscribe())
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Outcome, CallError>> {
        match self.all.iter().find(|one| one.catalog().tool(&call.tool).is_some()) {
            Some(one) => one.call(call),
            None => async move { Err(CallError::UnknownTool { tool: call.tool }) }.boxed(),
        }
    }

    fn read(&self, uri: String) -> BoxFuture<'_, Result<Vec<Part>, CallError>> {
        async move {
            for one in &*self.all {
                match one.read(uri.clone()).await {
                    Err(CallError::NoResource { .. }) => {}
                    other => return other,
                }
            }
            Err(CallError::NoResource { uri })
        }
        .boxed()
    }

    fn prompt(&self, call: PromptCall) -> BoxFuture<'_, Result<PromptOutcome, CallError>> {
        match self.all.iter().find(|one| one.catalog().prompt(&call.prompt).is_some()) {
            Some(one) => one.prompt(call),
            None => async move { Err(CallError::NoPrompt { prompt: call.prompt }) }.boxed(),
        }
    }

    fn complete(
        &self,
        prompt: String,
        argument: String,
        begun: String,
    ) -> BoxFuture<'_, Result<Vec<String>, CallError>> {
        match self.all.iter().find(|one| one.catalog().prompt(&prompt).is_some()) {
            Some(one) => one.complete(prompt, argument, begun),
            None => async { Ok(Vec::new()) }.boxed(),
        }
    }
}
