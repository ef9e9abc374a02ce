//! The tools of a run, and calling one for an agent: with the tool's grants, cut down to the agent's.

use std::sync::Arc;
use std::time::Duration;

use ringfence_bundle::inspect::{Function, inspect};
use ringfence_capability::{Capability, Diagnostic, GrantSet, Kind};
use ringfence_interfaces::agent::wit::{tools as wit, types};
use ringfence_interfaces::model::ModelBudget;
use ringfence_mcp::tool_names;
use serde_json::Value;

use super::flow::Flow;
use super::{Rail, Shared};
use crate::tools::{hints, plugin_error, schemas};
use crate::{CallResult, Host, Plugin, RunError, RunOptions, Stdio};

/// One function of a plugin.
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) plugin: Arc<Plugin>,
    pub(super) rail: Rail,
    function: String,
    description: String,
    input_schema: String,
    read_only: bool,
}

/// Returns the tools of these plugins. Nothing of them runs.
pub(super) fn all(
    host: &Host,
    plugins: &[Arc<Plugin>],
    options: &dyn Fn() -> RunOptions,
) -> Result<Vec<Tool>, RunError> {
    let mut found = Vec::new();
    for plugin in plugins {
        let own = RunOptions { shared: true, ..options() };
        let granted = host.plan(plugin, &own)?.verdicts.granted;
        let interface = inspect(&plugin.component, &plugin.display)?;
        // What asks a person before it is done needs a client, and an agent is none.
        let offered = |one: &Function| one.callable.is_ok() && one.answers.is_none();
        for function in interface.functions.into_iter().filter(offered) {
            let meta = std::iter::once(function.full.clone())
                .chain(function.forms())
                .find_map(|name| plugin.manifest.tools.get(&name).copied());
            let described = if function.docs.is_empty() {
                plugin.manifest.description.clone()
            } else {
                function.docs.clone()
            };
            found.push(Tool {
                name: function.short.clone(),
                plugin: Arc::clone(plugin),
                rail: rail(&granted),
                description: described,
                input_schema: schemas(&function).0.to_string(),
                read_only: hints(&granted, meta).read_only,
                function: function.full,
            });
        }
    }
    let pairs: Vec<_> =
        found.iter().map(|tool| (tool.plugin.manifest.name.as_str(), tool.name.as_str())).collect();
    let names = tool_names(&pairs);
    for (tool, name) in found.iter_mut().zip(names) {
        tool.name = name;
    }
    Ok(found)
}

/// Returns what a call can reach, by what was granted.
fn rail(granted: &GrantSet) -> Rail {
    let any = |kind| granted.of_kind(kind).next().is_some();
    if any(Kind::Exec) {
        Rail::High
    } else if any(Kind::Mcp) {
        Rail::Medium
    } else {
        Rail::Low
    }
}

impl Tool {
    /// Returns it as an agent sees it.
    pub(super) fn seen(&self) -> wit::Tool {
        wit::Tool {
            name: self.name.clone(),
            description: self.description.clone(),
            input_schema: self.input_schema.clone(),
            rail: match self.rail {
                Rail::Low => wit::Rail::Low,
                Rail::Medium => wit::Rail::Medium,
                Rail::High => wit::Rail::High,
            },
            read_only: self.read_only,
            digest: self.plugin.identity.to_string(),
        }
    }

    /// Tells whether an agent with these grants may call it.
    pub(super) fn is_granted(&self, grants: &GrantSet) -> bool {
        let name = self.plugin.manifest.name.parse();
        name.is_ok_and(|name| grants.allows(&Capability::Tool(name)))
    }
}

impl Shared {
    /// Returns the tool of this name.
    pub(super) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Calls a tool for an agent that holds `grants`.
    pub(super) async fn call(
        self: &Arc<Self>,
        tool: &Tool,
        grants: &Arc<GrantSet>,
        arguments: &str,
        most: Duration,
        models: &Arc<dyn ModelBudget>,
    ) -> Result<wit::Reply, wit::Error> {
        let input: Value = serde_json::from_str(arguments)
            .map_err(|error| wit::Error::InvalidArguments(format!("no JSON: {error}")))?;
        let plugin = Arc::clone(&tool.plugin);
        let prepared = self.prepared(plugin, Some(Arc::clone(grants))).await;
        let prepared = prepared.map_err(|error| denied(&error))?;
        let stdio = Stdio::captured().in_flow(Arc::clone(&self.flow)).spending(Arc::clone(models));
        let call = prepared.call(&tool.function, &input, stdio);
        let done = tokio::time::timeout(most, call).await.map_err(|_| wit::Error::Timeout)?;
        let done = done.map_err(|error| failed(&error))?;
        Ok(reply(done.result, &self.flow))
    }
}

fn reply(result: CallResult, flow: &Flow) -> wit::Reply {
    let untrusted = flow.is_tainted();
    match result {
        CallResult::Ok(Value::String(text)) => wit::Reply {
            content: vec![types::Part::Text(text.clone())],
            structured: Some(Value::String(text).to_string()),
            is_error: false,
            untrusted,
        },
        CallResult::Ok(value) => wit::Reply {
            content: vec![types::Part::Json(value.to_string())],
            structured: Some(value.to_string()),
            is_error: false,
            untrusted,
        },
        CallResult::Err(error) => wit::Reply {
            content: vec![types::Part::Text(plugin_error(&error))],
            structured: Some(error.to_string()),
            is_error: true,
            untrusted,
        },
    }
}

/// Returns why a tool cannot run for its caller, with what would have to be granted.
fn denied(error: &RunError) -> wit::Error {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    wit::Error::Denied(format!("{error}{hint}"))
}

fn failed(error: &RunError) -> wit::Error {
    match error {
        RunError::Value(error) => wit::Error::InvalidArguments(error.to_string()),
        RunError::Output(limit) => wit::Error::TooLarge(limit.most),
        _ => wit::Error::Failed(error.to_string()),
    }
}
