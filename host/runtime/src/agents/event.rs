//! What happens in a run of agents, as told to whoever watches.

use ringfence_supervisor::Outcome;
use serde::Serialize;

/// What a tool call can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "these are all the rails")]
pub enum Rail {
    /// WebAssembly alone.
    Low,
    /// A server outside, in a sandbox.
    Medium,
    /// A native action that a person approves.
    High,
}

impl Rail {
    /// Returns how people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One thing that happened. `id` is the agent it happened to: `1.2` is the second child of `1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[non_exhaustive]
pub enum AgentEvent {
    /// An agent waits for its turn.
    Queued {
        /// It.
        id: String,
        /// Who started it.
        parent: Option<String>,
        /// Its plugin.
        agent: String,
        /// What results call it.
        label: String,
    },
    /// It runs.
    Running {
        /// It.
        id: String,
        /// The time it has, in milliseconds.
        wall_ms: u64,
        /// The calls to tools it has, with all below it.
        tool_calls: u32,
        /// The calls to models it has, with all below it.
        model_calls: u32,
    },
    /// It calls a tool.
    Tool {
        /// It.
        id: String,
        /// The tool.
        tool: String,
        /// What the call can reach.
        rail: Rail,
    },
    /// The call ended.
    ToolEnded {
        /// The agent.
        id: String,
        /// The tool.
        tool: String,
        /// Why it gave no answer, if it did not.
        error: Option<String>,
    },
    /// It asks a model.
    Model {
        /// It.
        id: String,
        /// The logical name of the model.
        model: String,
    },
    /// The model answered, or did not.
    ModelEnded {
        /// The agent.
        id: String,
        /// The logical name of the model.
        model: String,
        /// Tokens it read.
        input_tokens: u64,
        /// Tokens it wrote.
        output_tokens: u64,
        /// Why it gave no answer, if it did not.
        error: Option<String>,
    },
    /// It says how far it is.
    Progress {
        /// It.
        id: String,
        /// Steps done.
        done: f64,
        /// Steps in all.
        total: Option<f64>,
        /// What is being done.
        note: String,
    },
    /// It failed and is tried again.
    Restarted {
        /// It.
        id: String,
        /// How often it was tried.
        tries: u32,
        /// Why it failed.
        failure: String,
        /// How long it waits, in milliseconds.
        wait_ms: u64,
    },
    /// It ended.
    Ended {
        /// It.
        id: String,
        /// `done`, `failed` or `cancelled`.
        state: &'static str,
        /// Why, when it failed.
        failure: Option<String>,
        /// How long it took, in milliseconds.
        wall_ms: u64,
        /// The calls to tools by it and all below it.
        tool_calls: u64,
        /// The calls to models by it and all below it.
        model_calls: u64,
    },
}

/// Hears what happens. Called from the tasks of the agents: it must not block for long.
pub trait Watcher: Send + Sync + 'static {
    /// Hears one event.
    fn event(&self, event: &AgentEvent);

    /// Hears what came of a task of the plan.
    fn outcome(&self, label: &str, outcome: &Outcome) {
        let _ = (label, outcome);
    }
}
