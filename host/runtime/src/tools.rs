//! Prepared plugins as a registry of tools for the Model Context Protocol.
//!
//! Every exported function of a plugin is a tool, with the schemas made from its WIT types; with the types of
//! `ringfence:mcp` it can answer with more than a value, ask, or be a prompt. What a tool can do to the world is computed from what the plugin was granted: its author's word can only make it
//! worse. Nothing in here grants, approves or widens anything.

mod person;
mod plugin;
mod prompts;
mod rich;
mod shape;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_bundle::inspect::Function;
use ringfence_bundle::manifest::{Effect, ToolMeta};
use ringfence_capability::{Class, GrantSet, Kind};
use ringfence_interfaces::{Level, Observer};
use ringfence_mcp::{
    Answer, Call, CallError, Catalog, Changes, Document, Hints, Listener, McpError, Outcome, Part,
    PromptCall, PromptOutcome, Registry, Severity, Tool, tool_names,
};
use serde_json::Value;
use tokio::sync::watch;

use crate::{CallResult, Prepared, Stdio};
use person::ClientApprover;
pub use plugin::OfferedPlugin;
use prompts::PromptTarget;
use shape::Shape;

/// The scheme of what the host itself has to read about plugins.
const SCHEME: &str = "ringfence";

/// The tools, prompts and resources of several plugins.
pub struct Toolbox {
    offer: Mutex<Arc<Offer>>,
    /// Tells of changes, where there can be some.
    tell: Option<watch::Sender<u64>>,
}

/// What is offered at one moment.
#[derive(Default)]
struct Offer {
    catalog: Arc<Catalog>,
    targets: HashMap<String, Target>,
    prompts: HashMap<String, PromptTarget>,
    /// What the host itself says about plugins.
    pages: HashMap<String, String>,
    /// What reads the resources of each scheme: the plugin of that name.
    readers: HashMap<String, Reader>,
}

/// What a tool calls.
#[derive(Clone)]
struct Target {
    plugin: String,
    prepared: Arc<Prepared>,
    function: String,
    shape: Shape,
    answers: Option<String>,
}

/// What reads the resources of a plugin.
#[derive(Clone)]
struct Reader {
    prepared: Arc<Prepared>,
    function: String,
}

impl Toolbox {
    /// Returns what these plugins offer.
    ///
    /// # Errors
    /// [`McpError::TwoPlugins`] when two have one name, and when two functions cannot be told apart.
    pub fn new(plugins: &[OfferedPlugin]) -> Result<Self, McpError> {
        Ok(Self { offer: Mutex::new(Arc::new(Offer::of(plugins)?)), tell: None })
    }

    /// Returns the same, of which the plugins can be replaced.
    #[must_use]
    pub fn changing(self) -> Self {
        Self { tell: Some(watch::channel(0).0), ..self }
    }

    /// Offers these plugins in place of those before, and tells whoever listens. Calls that run go on.
    /// Returns those that cannot be offered beside the ones before them, which are left out: what is no
    /// longer among `plugins` is never offered on.
    pub fn replace(&self, plugins: Vec<OfferedPlugin>) -> Vec<(OfferedPlugin, McpError)> {
        let (offer, left_out) = Offer::fitting(plugins);
        *self.offer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(offer);
        if let Some(tell) = &self.tell {
            tell.send_modify(|number| *number += 1);
        }
        left_out
    }

    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(&self, call: Call) -> Result<Outcome, CallError> {
        let target = self.offer().targets.get(&call.tool).cloned();
        let target = target.ok_or_else(|| CallError::UnknownTool { tool: call.tool.clone() })?;
        let mut stdio = Stdio::captured().heard_by(Arc::new(Hearing(call.listener)));
        if let Some(person) = call.person {
            stdio = stdio.with_person(Arc::new(ClientApprover(person)));
        }
        let mut input = call.input;
        if let (Some(param), Some(answers)) = (&target.answers, &call.answers) {
            input[param] = rich::answers(answers);
        }
        let done = target.prepared.call(&target.function, &input, stdio).await;
        match done.map_err(|error| CallError::of(&error))?.result {
            CallResult::Ok(value) if target.shape == Shape::Reply => {
                rich::reply(&target.plugin, value)
            }
            CallResult::Ok(value) => Ok(Outcome::Done(target.shape.answer(value))),
            CallResult::Err(error) => Ok(Outcome::Done(Answer::failure(plugin_error(&error)))),
        }
    }

    async fn contents(&self, uri: String) -> Result<Vec<Part>, CallError> {
        let offer = self.offer();
        if let Some(text) = offer.pages.get(&uri).cloned() {
            let mime_type = Some("text/markdown".to_owned());
            return Ok(vec![Part::TextDocument { uri, mime_type, text }]);
        }
        let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
        let Some(reader) = offer.readers.get(scheme).filter(|_| rich::own(scheme, &uri).is_ok())
        else {
            return Err(CallError::NoResource { uri });
        };
        let input = serde_json::json!({ "uri": uri });
        let done = reader.prepared.call(&reader.function, &input, Stdio::captured()).await;
        match done.map_err(|error| CallError::of(&error))?.result {
            CallResult::Ok(value) => rich::contents(scheme, value),
            CallResult::Err(error) if error.get("not-found").is_some() => {
                Err(CallError::NoResource { uri })
            }
            CallResult::Err(error) => Err(failed(plugin_error(&error))),
        }
    }
}

impl Offer {
    /// Returns the offer of as many of these as can be offered together, and the others.
    fn fitting(plugins: Vec<OfferedPlugin>) -> (Self, Vec<(OfferedPlugin, McpError)>) {
        if let Ok(offer) = Self::of(&plugins) {
            return (offer, Vec::new());
        }
        let (mut fitting, mut left_out, mut offer) = (Vec::new(), Vec::new(), Self::default());
        for plugin in plugins {
            fitting.push(plugin);
            match Self::of(&fitting) {
                Ok(wider) => offer = wider,
                Err(error) => left_out.extend(fitting.pop().map(|plugin| (plugin, error))),
            }
        }
        (offer, left_out)
    }

    fn of(plugins: &[OfferedPlugin]) -> Result<Self, McpError> {
        let mut known = HashSet::new();
        if let Some(twice) = plugins.iter().find(|one| !known.insert(one.name.as_str())) {
            return Err(McpError::TwoPlugins { plugin: twice.name.clone() });
        }
        let all: Vec<(&OfferedPlugin, &Function)> =
            plugins.iter().flat_map(|one| one.tools().map(move |f| (one, f))).collect();
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
            let target = Target {
                plugin: plugin.name.clone(),
                prepared: Arc::clone(&plugin.prepared),
                function: function.full.clone(),
                shape,
                answers: function.answers.clone(),
            };
            targets.insert(name, target);
        }
        let (mut listed, pages) = pages(plugins);
        listed.extend(plugins.iter().flat_map(|one| one.documents.iter().cloned()));
        let templates = plugins.iter().flat_map(|one| one.templates.iter().cloned()).collect();
        let readers = plugins.iter().filter_map(|one| {
            let function = format!("{}#read", one.resources.as_deref()?);
            Some((one.name.clone(), Reader { prepared: Arc::clone(&one.prepared), function }))
        });
        let (prompts, prompt_targets) = prompts::prompts(plugins);
        let catalog = Catalog::new(tools)?.with_documents(listed, templates).with_prompts(prompts);
        Ok(Self {
            catalog: Arc::new(catalog),
            targets,
            prompts: prompt_targets,
            pages,
            readers: readers.collect(),
        })
    }
}

impl Registry for Toolbox {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.offer().catalog)
    }

    fn changes(&self) -> Option<Changes> {
        self.tell.as_ref().map(watch::Sender::subscribe)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Outcome, CallError>> {
        self.run(call).boxed()
    }

    fn read(&self, uri: String) -> BoxFuture<'_, Result<Vec<Part>, CallError>> {
        self.contents(uri).boxed()
    }

    fn prompt(&self, call: PromptCall) -> BoxFuture<'_, Result<PromptOutcome, CallError>> {
        self.fill_in(call).boxed()
    }

    fn complete(
        &self,
        prompt: String,
        argument: String,
        begun: String,
    ) -> BoxFuture<'_, Result<Vec<String>, CallError>> {
        self.go_on(prompt, argument, begun).boxed()
    }
}

/// Returns the error of a plugin that failed outside a tool.
fn failed(text: String) -> CallError {
    let (code, class, hint) = ("runtime::plugin-failed", Class::PluginFailed, None);
    CallError::Registry { code, class, text, hint }
}

/// Returns the schemas of a function's input and output, as clients want them.
pub(crate) fn schemas(function: &Function) -> (Value, Option<Value>) {
    let (input, output, _) = shape::schemas(function);
    (input, output)
}

/// Returns one page about each plugin: what it says of itself, what it was granted, its functions.
fn pages(plugins: &[OfferedPlugin]) -> (Vec<Document>, HashMap<String, String>) {
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
