//! What an agent spends on models: out of its purse, and so out of those above it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ringfence_interfaces::model::{ModelBudget, ModelEvent, Spent};
use ringfence_supervisor::{Cancel, Item, Purse};
use tokio::time::Instant;

use super::{AgentEvent, Watcher};

/// The part of one agent, and of the tools it calls.
pub(super) struct AgentModels {
    pub(super) id: String,
    pub(super) purse: Arc<Purse>,
    pub(super) node: Cancel,
    pub(super) deadline: Instant,
    pub(super) watcher: Arc<dyn Watcher>,
}

impl ModelBudget for AgentModels {
    fn take(&self, wanted: u32) -> Result<u32, Spent> {
        self.purse.charge(Item::ModelCalls, 1).map_err(|_| Spent)?;
        // Another agent may spend between looking and taking: then there is less, and it is looked again.
        loop {
            let left = u32::try_from(self.purse.left().output_tokens).unwrap_or(u32::MAX);
            let taken = wanted.min(left);
            if wanted > 0 && taken == 0 {
                self.purse.give_back(Item::ModelCalls, 1);
                return Err(Spent);
            }
            if self.purse.charge(Item::OutputTokens, u64::from(taken)).is_ok() {
                return Ok(taken);
            }
        }
    }

    fn settle(&self, taken: u32, used: u64) {
        let taken = u64::from(taken);
        self.purse.give_back(Item::OutputTokens, taken.saturating_sub(used));
        // What was written beyond it was written: the purse is empty then, and says so at the next call.
        let _ = self.purse.settle(Item::OutputTokens, used.saturating_sub(taken));
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn cancelled(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.node.asked().await;
        })
    }

    fn event(&self, event: &ModelEvent<'_>) {
        let id = self.id.clone();
        let event = match event {
            ModelEvent::Asked { model } => AgentEvent::Model { id, model: (*model).to_owned() },
            ModelEvent::Ended { model, input_tokens, output_tokens, error } => {
                AgentEvent::ModelEnded {
                    id,
                    model: (*model).to_owned(),
                    input_tokens: *input_tokens,
                    output_tokens: *output_tokens,
                    error: error.clone(),
                }
            }
            _ => return,
        };
        self.watcher.event(&event);
    }
}
