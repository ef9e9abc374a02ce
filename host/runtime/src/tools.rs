//! Prepared plugins as a registry of tools for the Model Context Protocol.
//!
//! Every exported function of a plugin is a tool, with the schemas made from its WIT types. What a tool
//! can do to the world is computed from what the plugin was granted: its author's word can only make it
//! worse. Nothing in here grants, approves or widens anything.

mod shape;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_bundle::inspect::{Function, inspect};
use ringfence_bundle::manifest::{Effect, ToolMeta};
use ringfence_bundle::{Encoding, adapt};
use ringfence_capability::{GrantSet, Kind};
use ringfence_interfaces::{Level, Observer};
use ringfence_mcp::{
    Answer, Call, CallError, Catalog, Changes, Document, Hints, Listener, Outcome, Part, Registry,
    Severity, Tool, tool_names,
};
use serde_json::Value;

use crate::{CallResult, Host, Plugin, Prepared, RunError, RunOptions, Stdio};
use shape::Shape;

/// The scheme of what the host itself has to read about plugins.
const SCHEME: &str = "ringfence";

/// A plugin that offers its functions as tools.
pub struct OfferedPlugin {
    name: String,
    description: String,
    functions: Vec<Function>,
    metas: HashMap<String, ToolMeta>,
    prepared: Arc<Prepared>,
}

impl Host {
    /// Decides about `plugin`, loads and links it, to offer its functions as tools. Nothing of it runs.
    ///
    /// # Errors
    /// As [`Host::prepare`], and when it exports no function that can be called with JSON.
    pub fn offer(&self, plugin: &Plugin, options: RunOptions) -> Result<OfferedPlugin, RunError> {
        let adapted;
        let bytes = match plugin.encoding {
            Encoding::Component => &plugin.component,
            Encoding::CoreModule => {
                adapted = adapt::adapt(&plugin.component, &plugin.display)?;
                &adapted
            }
        };
        let interface = inspect(bytes, &plugin.display)?;
        let prepared = self.prepare(plugin, options)?.for_serving();
        let callable = |function: &Function| function.callable.is_ok();
        let functions: Vec<_> = interface.functions.into_iter().filter(callable).collect();
        if functions.is_empty() {
            let (is, wanted) = (interface.kind.name(), "tools");
            let instead = format!("ringfence run {}", plugin.display);
            return Err(RunError::WrongKind {
                plugin: plugin.display.clone(),
                is,
                wanted,
                instead,
            });
        }
        Ok(OfferedPlugin {
            name: plugin.manifest.name.clone(),
            description: plugin.manifest.description.clone(),
            metas: plugin.manifest.tools.iter().map(|(name, meta)| (name.clone(), *meta)).collect(),
            functions,
            prepared: Arc::new(prepared),
        })
    }
}

/// The tools of several plugins.
pub struct Toolbox {
    catalog: Arc<Catalog>,
    targets: HashMap<String, Target>,
    documents: HashMap<String, String>,
}

/// What a tool calls.
struct Target {
    prepared: Arc<Prepared>,
    function: String,
    shape: Shape,
}

impl Toolbox {
    /// Returns the tools of these plugins.
    ///
    /// # Errors
    /// When two functions cannot be told apart: one plugin was given twice.
    pub fn new(plugins: &[OfferedPlugin]) -> Result<Self, ringfence_mcp::McpError> {
        let all: Vec<(&OfferedPlugin, &Function)> =
            plugins.iter().flat_map(|one| one.functions.iter().map(move |f| (one, f))).collect();
        let pairs: Vec<_> = all
            .iter()
            .map(|(one, function)| (one.name.as_str(), function.short.as_str()))
            .collect();
        let names = tool_names(&pairs);
        let (mut tools, mut targets) = (Vec::new(), HashMap::new());
        for ((plugin, function), name) in all.into_iter().zip(names) {
            let (input, output, shape) = shape::schemas(function);
            tools.push(Tool {
                title: Some(format!("{} {}", plugin.name, function.short)),
                description: described(plugin, function),
                hints: hints(plugin.prepared.grants(), meta(plugin, function)),
                name: name.clone(),
                input,
                output,
            });
            let prepared = Arc::clone(&plugin.prepared);
            targets.insert(name, Target { prepared, function: function.full.clone(), shape });
        }
        let (listed, documents) = documents(plugins);
        let catalog = Catalog::new(tools)?.with_documents(listed, Vec::new());
        Ok(Self { catalog: Arc::new(catalog), targets, documents })
    }

    async fn run(&self, call: Call) -> Result<Outcome, CallError> {
        let target = self.targets.get(&call.tool);
        let target = target.ok_or_else(|| CallError::UnknownTool { tool: call.tool.clone() })?;
        let stdio = Stdio::captured().heard_by(Arc::new(Hearing(call.listener)));
        let done = target.prepared.call(&target.function, &call.input, stdio).await;
        let done = done.map_err(|error| CallError::of(&error))?;
        Ok(Outcome::Done(match done.result {
            CallResult::Ok(value) => target.shape.answer(value),
            CallResult::Err(error) => Answer::failure(plugin_error(&error)),
        }))
    }
}

impl Registry for Toolbox {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn changes(&self) -> Option<Changes> {
        None
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Outcome, CallError>> {
        self.run(call).boxed()
    }

    fn read(&self, uri: String) -> BoxFuture<'_, Result<Vec<Part>, CallError>> {
        let found = self.documents.get(&uri).cloned();
        async move {
            let text = found.ok_or_else(|| CallError::NoResource { uri: uri.clone() })?;
            Ok(vec![Part::TextDocument { uri, mime_type: Some("text/markdown".to_owned()), text }])
        }
        .boxed()
    }
}

/// Returns the schemas of a function's input and output, as clients want them.
pub(crate) fn schemas(function: &Function) -> (Value, Option<Value>) {
    let (input, output, _) = shape::schemas(function);
    (input, output)
}

/// Returns one page about each plugin: what it says of itself, what it was granted, its functions.
fn documents(plugins: &[OfferedPlugin]) -> (Vec<Document>, HashMap<String, String>) {
    let (mut listed, mut texts) = (Vec::new(), HashMap::new());
    for plugin in plugins {
        let uri = format!("{SCHEME}://plugin/{}", plugin.name);
        let mut text = format!("# {}\n\n{}\n\n## Granted\n\n", plugin.name, plugin.description);
        let grants = plugin.prepared.grants();
        for grant in grants.iter() {
            let _ = writeln!(text, "- `{}`", grant.capability);
        }
        if grants.iter().next().is_none() {
            text.push_str("Nothing.\n");
        }
        text.push_str("\n## Functions\n");
        for function in &plugin.functions {
            let _ = write!(text, "\n### {}\n\n{}\n", function.short, function.docs);
        }
        listed.push(Document {
            uri: uri.clone(),
            name: plugin.name.clone(),
            title: None,
            description: Some(format!("What the plugin {} offers and was granted", plugin.name)),
            mime_type: Some("text/markdown".to_owned()),
        });
        texts.insert(uri, text);
    }
    (listed, texts)
}

fn described(plugin: &OfferedPlugin, function: &Function) -> String {
    if function.docs.is_empty() { plugin.description.clone() } else { function.docs.clone() }
}

fn meta(plugin: &OfferedPlugin, function: &Function) -> Option<ToolMeta> {
    let mut names = std::iter::once(function.full.clone()).chain(function.forms());
    names.find_map(|name| plugin.metas.get(&name).copied())
}

/// Returns what a tool can do to the world: what its plugin was granted says the least, and what the
/// author says can only raise it.
pub(crate) fn hints(grants: &GrantSet, meta: Option<ToolMeta>) -> Hints {
    let granted: Vec<Kind> = grants.iter().map(|grant| grant.capability.kind()).collect();
    hints_of(&granted, meta.map(|meta| meta.effect))
}

pub(crate) fn hints_of(granted: &[Kind], said: Option<Effect>) -> Hints {
    let any = |kinds: &[Kind]| kinds.iter().any(|kind| granted.contains(kind));
    let outside =
        any(&[Kind::HttpWrite, Kind::Socket, Kind::Exec, Kind::Mcp, Kind::Agent, Kind::Tool]);
    let destructive = outside || any(&[Kind::FsWrite]);
    let said = said.unwrap_or(Effect::Read);
    let read_only = !destructive && !any(&[Kind::Kv]) && said == Effect::Read;
    Hints {
        read_only,
        destructive: destructive || said > Effect::Read,
        idempotent: read_only,
        open_world: outside || any(&[Kind::HttpRead, Kind::Model]) || said >= Effect::External,
    }
}

/// Passes what a plugin says on.
struct Hearing(Arc<dyn Listener>);

impl Observer for Hearing {
    fn message(&self, level: Level, text: &str, fields: &[(String, String)]) {
        let severity = match level {
            Level::Debug => Severity::Debug,
            Level::Info => Severity::Info,
            Level::Warn => Severity::Warning,
            Level::Error => Severity::Error,
        };
        let mut said = text.to_owned();
        for (name, value) in fields {
            said = format!("{said} {name}={value}");
        }
        self.0.message(severity, &said);
    }

    fn progress(&self, done: f64, total: Option<f64>, note: &str) {
        self.0.progress(done, total, note);
    }
}

/// Writes a plugin's error the way its own words read best: `invalid-input: line 3 …`.
pub(crate) fn plugin_error(value: &Value) -> String {
    let case = value.as_object().filter(|object| object.len() == 1);
    match (value, case.and_then(|object| object.iter().next())) {
        (Value::String(text), _) => text.clone(),
        (_, Some((case, Value::String(text)))) => format!("{case}: {text}"),
        (Value::Null, _) => "the plugin failed and gave no reason".to_owned(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_says_can_only_raise_the_risk() {
        let silent = |granted: &[Kind]| hints_of(granted, None);
        let harmless = silent(&[Kind::FsRead, Kind::Clock, Kind::Random, Kind::Env]);
        assert!(harmless.read_only && !harmless.destructive && !harmless.open_world);
        // A word that would lower it changes nothing.
        for granted in
            [Kind::FsWrite, Kind::HttpWrite, Kind::Socket, Kind::Exec, Kind::Kv, Kind::Mcp]
        {
            assert_eq!(hints_of(&[granted], Some(Effect::Read)), silent(&[granted]), "{granted}");
            assert!(!silent(&[granted]).read_only, "{granted}");
        }
        assert!(silent(&[Kind::FsWrite]).destructive && silent(&[Kind::Exec]).open_world);
        assert!(silent(&[Kind::HttpRead]).open_world && silent(&[Kind::HttpRead]).read_only);
        // One that raises it counts.
        let raised = hints_of(&[], Some(Effect::External));
        assert!(!raised.read_only && raised.destructive && raised.open_world && !raised.idempotent);
    }
}
