//! The tools of a run, and calling one for an agent: with the tool's grants, cut down to the agent's. A tool
//! is a function of a plugin, or one of an outside server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringfence_bundle::inspect::{Function, inspect};
use ringfence_capability::{Capability, Diagnostic, GrantSet, Kind, OutsideScope};
use ringfence_interfaces::agent::wit::{tools as wit, types};
use ringfence_interfaces::mcp::OutsideCaller;
use ringfence_interfaces::mcp::wit::{self as outside, Tool as Outside};
use ringfence_interfaces::model::ModelBudget;
use ringfence_mcp::tool_names;
use serde_json::Value;

use super::flow::Flow;
use super::{Rail, Shared};
use crate::tools::{hints, plugin_error, schemas};
use crate::{CallResult, Host, Plugin, RunError, RunOptions, Stdio};

/// One tool.
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) what: What,
    pub(super) rail: Rail,
    description: String,
    input_schema: String,
    read_only: bool,
    digest: String,
}

/// What a tool is.
pub(super) enum What {
    /// A function of a plugin.
    Function { plugin: Arc<Plugin>, function: String },
    /// A tool of an outside server, by the server's own name.
    Outside { server: String, tool: String },
}

/// Returns the tools of these plugins, and those of outside servers that one of the agents may be granted.
/// Nothing of them runs.
pub(super) fn all(
    host: &Host,
    plugins: &[Arc<Plugin>],
    agents: &BTreeMap<String, Arc<Plugin>>,
    options: &RunOptions,
) -> Result<Vec<Tool>, RunError> {
    let mut found = functions(host, plugins, options)?;
    found.extend(of_servers(host, agents, options)?);
    let pairs: Vec<_> = found.iter().map(|tool| (tool.owner(), tool.name.as_str())).collect();
    let names = tool_names(&pairs);
    for (tool, name) in found.iter_mut().zip(names) {
        tool.name = name;
    }
    Ok(found)
}

fn functions(
    host: &Host,
    plugins: &[Arc<Plugin>],
    options: &RunOptions,
) -> Result<Vec<Tool>, RunError> {
    let mut found = Vec::new();
    for plugin in plugins {
        let own = RunOptions { shared: true, ..options.clone() };
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
                digest: plugin.identity.to_string(),
                rail: rail(&granted),
                description: described,
                input_schema: schemas(&function).0.to_string(),
                read_only: hints(&granted, meta).read_only,
                what: What::Function { plugin: Arc::clone(plugin), function: function.full },
            });
        }
    }
    Ok(found)
}

/// Returns the tools of outside servers that an agent is granted when nobody above it holds less.
fn of_servers(
    host: &Host,
    agents: &BTreeMap<String, Arc<Plugin>>,
    options: &RunOptions,
) -> Result<Vec<Tool>, RunError> {
    let mut found = BTreeMap::new();
    for plugin in agents.values() {
        let plan = host.plan(plugin, options)?;
        let Some(servers) = &options.outside else { continue };
        for tool in servers.under(plan.ceiling()).tools(&plan.verdicts.granted) {
            found.insert((tool.server.clone(), tool.name.clone()), tool);
        }
    }
    let as_tool = |tool: Outside| Tool {
        name: tool.name.clone(),
        what: What::Outside { server: tool.server, tool: tool.name },
        rail: Rail::Medium,
        description: tool.description,
        input_schema: tool.input_schema,
        read_only: tool.read_only,
        digest: tool.digest,
    };
    Ok(found.into_values().map(as_tool).collect())
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
            digest: self.digest.clone(),
        }
    }

    /// Tells whether an agent with these grants may call it.
    pub(super) fn is_granted(&self, grants: &GrantSet) -> bool {
        self.needs().is_some_and(|capability| grants.allows(&capability))
    }

    /// Returns what an agent must be granted to call it.
    pub(super) fn needs(&self) -> Option<Capability> {
        match &self.what {
            What::Function { plugin, .. } => {
                plugin.manifest.name.parse().ok().map(Capability::Tool)
            }
            What::Outside { server, tool } => {
                OutsideScope::tool(server, tool).ok().map(Capability::Mcp)
            }
        }
    }

    /// Returns the plugin or server it is of.
    fn owner(&self) -> &str {
        match &self.what {
            What::Function { plugin, .. } => &plugin.manifest.name,
            What::Outside { server, .. } => server,
        }
    }
}

impl Shared {
    /// Returns the tool of this name.
    pub(super) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Calls a tool for an agent that holds `grants`, and calls those of outside servers by `outside`.
    pub(super) async fn call(
        self: &Arc<Self>,
        tool: &Tool,
        grants: &Arc<GrantSet>,
        arguments: String,
        most: Duration,
        models: &Arc<dyn ModelBudget>,
        outside: &OutsideCaller,
    ) -> Result<wit::Reply, wit::Error> {
        let (plugin, function) = match &tool.what {
            What::Function { plugin, function } => (Arc::clone(plugin), function),
            What::Outside { server, tool } => {
                let (server, tool) = (server.clone(), tool.clone());
                let answer = outside.call(server, tool, arguments, Some(most)).await;
                return answer.map(said_outside).map_err(refused_outside);
            }
        };
        let input: Value = serde_json::from_str(&arguments)
            .map_err(|error| wit::Error::InvalidArguments(format!("no JSON: {error}")))?;
        let prepared = self.prepared(plugin, Some(Arc::clone(grants))).await;
        let prepared = prepared.map_err(|error| denied(&error))?;
        let stdio = Stdio::captured().in_flow(Arc::clone(&self.flow)).spending(Arc::clone(models));
        let call = prepared.call(function, &input, stdio);
        let done = tokio::time::timeout(most, call).await.map_err(|_| wit::Error::Timeout)?;
        let done = done.map_err(|error| failed(&error))?;
        Ok(reply(done.result, &self.flow))
    }
}

/// Returns what an outside server said: never the words of somebody who is trusted.
fn said_outside(reply: outside::Reply) -> wit::Reply {
    let part = |part| match part {
        outside::Part::Text(text) => types::Part::Text(text),
        outside::Part::Blob(outside::Blob { mime_type, data, .. }) => {
            types::Part::Blob(types::Blob { mime_type, data })
        }
        outside::Part::Document(document) => types::Part::Text(document.text),
        outside::Part::Link(outside::Link { uri, name, .. }) => {
            types::Part::Text(format!("[resource {name}: {uri}]"))
        }
    };
    wit::Reply {
        content: reply.parts.into_iter().map(part).collect(),
        structured: reply.structured,
        is_error: reply.is_error,
        untrusted: true,
    }
}

fn refused_outside(error: outside::Error) -> wit::Error {
    match error {
        outside::Error::Denied(why) | outside::Error::Quarantined(why) => wit::Error::Denied(why),
        outside::Error::NotFound(_) => wit::Error::NotFound,
        outside::Error::InvalidArguments(why) => wit::Error::InvalidArguments(why),
        outside::Error::Timeout => wit::Error::Timeout,
        outside::Error::TooLarge(most) => wit::Error::TooLarge(most),
        outside::Error::Unavailable(why) | outside::Error::Failed(why) => wit::Error::Failed(why),
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
