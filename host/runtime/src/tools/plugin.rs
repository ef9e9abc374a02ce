//! A plugin that is offered to clients: its functions, and what it says it has beside them.

use std::collections::HashMap;
use std::sync::Arc;

use ringfence_bundle::inspect::{Function, Gives, inspect};
use ringfence_bundle::manifest::ToolMeta;
use ringfence_mcp::{Document, Template};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::rich;
use crate::{CallResult, Host, Plugin, Prepared, RunError, RunOptions, Session, Stdio};

/// The most resources of a plugin that are listed; the rest can be read and is not.
const MAX_DOCUMENTS: usize = 1_000;
/// The most patterns.
const MAX_TEMPLATES: usize = 100;

/// A plugin that offers its functions as tools and prompts. Cheap to clone.
#[derive(Clone)]
pub struct OfferedPlugin {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) functions: Vec<Function>,
    pub(super) metas: HashMap<String, ToolMeta>,
    pub(super) prepared: Arc<Prepared>,
    /// The interface through which it has resources.
    pub(super) resources: Option<String>,
    /// The interface through which it completes arguments.
    pub(super) completion: Option<String>,
    pub(super) documents: Vec<Document>,
    pub(super) templates: Vec<Template>,
}

impl Host {
    /// Decides about `plugin`, loads and links it, to offer its functions as tools. Nothing of it runs.
    ///
    /// # Errors
    /// As [`Host::prepare`], and when it exports no function that can be called with JSON.
    pub fn offer(&self, plugin: &Plugin, options: RunOptions) -> Result<OfferedPlugin, RunError> {
        let interface = inspect(&plugin.as_component()?, &plugin.display)?;
        let prepared = self.prepare(plugin, options)?.for_serving();
        let exported = |path: &str| {
            let of_path =
                |name: &&str| name.split_once('@').is_some_and(|(found, _)| found == path);
            interface.exports.iter().map(|one| one.name.as_str()).find(of_path).map(str::to_owned)
        };
        let (resources, completion) =
            (exported("ringfence:mcp/resources"), exported("ringfence:mcp/completion"));
        let callable = |function: &Function| function.callable.is_ok();
        let functions: Vec<_> = interface.functions.into_iter().filter(callable).collect();
        if functions.is_empty() && resources.is_none() {
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
            resources,
            completion,
            documents: Vec::new(),
            templates: Vec::new(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    uri: String,
    name: String,
    description: Option<String>,
    mime_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pattern {
    uri_template: String,
    name: String,
    description: Option<String>,
    mime_type: Option<String>,
}

impl OfferedPlugin {
    /// Returns the name of the plugin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the plugin which resources it has, where it exports them. That is a run of it, with its
    /// grants, its limits and its records.
    ///
    /// # Errors
    /// As [`Prepared::call`], and when one of its resources is not called as its own are.
    ///
    /// # Cancellation
    /// Dropping the future ends the run.
    pub async fn with_resources(mut self) -> Result<Self, RunError> {
        let Some(interface) = self.resources.clone() else { return Ok(self) };
        let prepared = Arc::clone(&self.prepared);
        let mut session = prepared.session(Stdio::captured()).await?;
        let infos: Vec<Info> = self.ask(&mut session, &interface, "listed").await?;
        let patterns: Vec<Pattern> = self.ask(&mut session, &interface, "templates").await?;
        let uris = infos.iter().map(|one| &one.uri);
        for uri in uris.chain(patterns.iter().map(|one| &one.uri_template)) {
            rich::own(&self.name, uri).map_err(|_| self.says_wrong(uri))?;
        }
        let document = |one: Info| Document {
            uri: one.uri,
            name: one.name,
            title: None,
            description: one.description,
            mime_type: one.mime_type,
        };
        let template = |one: Pattern| Template {
            uri_template: one.uri_template,
            name: one.name,
            title: None,
            description: one.description,
            mime_type: one.mime_type,
        };
        self.documents = infos.into_iter().take(MAX_DOCUMENTS).map(document).collect();
        self.templates = patterns.into_iter().take(MAX_TEMPLATES).map(template).collect();
        Ok(self)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        session: &mut Session<'_>,
        interface: &str,
        function: &str,
    ) -> Result<Vec<T>, RunError> {
        let done = session.call(&format!("{interface}#{function}"), &json!({})).await?;
        let said = match done.result {
            CallResult::Ok(value) => value,
            CallResult::Err(_) => Value::Null,
        };
        serde_json::from_value(said).map_err(|_| self.says_wrong(function))
    }

    fn says_wrong(&self, what: &str) -> RunError {
        let what = ringfence_capability::text::brief(what, 200);
        RunError::Resources { plugin: self.name.clone(), what }
    }

    /// Returns the functions that are tools.
    pub(super) fn tools(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| function.gives != Gives::Prompt)
    }
}
