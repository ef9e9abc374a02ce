//! What a registry has at one moment.

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{CallError, McpError, schema};

/// What a registry has at one moment.
#[derive(Debug, Default)]
pub struct Catalog {
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    revision: u64,
    documents: Vec<Document>,
    templates: Vec<Template>,
    prompts: Vec<PromptInfo>,
}

/// A resource that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct Document {
    /// Its name for programs.
    pub uri: String,
    /// Its name.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What is in it.
    pub description: Option<String>,
    /// Its type.
    pub mime_type: Option<String>,
}

/// Resources whose names follow a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct Template {
    /// The pattern (RFC 6570).
    pub uri_template: String,
    /// Its name.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What is in them.
    pub description: Option<String>,
    /// Their type.
    pub mime_type: Option<String>,
}

/// A prompt that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct PromptInfo {
    /// Its name; see [`tool_names`](crate::tool_names).
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What has to be filled in.
    pub arguments: Vec<Argument>,
}

/// An argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// A tool as it is offered.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct Tool {
    /// Its name; see [`tool_names`](crate::tool_names).
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it does, for a model.
    pub description: String,
    /// What its input must look like: an object (JSON Schema 2020-12).
    pub input: Value,
    /// What its structured output looks like: an object (JSON Schema 2020-12).
    pub output: Option<Value>,
    /// What it can do to the world.
    pub hints: Hints,
}

/// What a tool can do to the world. Computed from what it was granted; what its author says can only
/// raise the risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    clippy::struct_excessive_bools,
    reason = "the four hints of the protocol"
)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy or overwrite.
    pub destructive: bool,
    /// A second call with the same input changes nothing further.
    pub idempotent: bool,
    /// It reaches the world outside this machine.
    pub open_world: bool,
}

impl Default for Hints {
    /// Returns the worst.
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

impl Catalog {
    /// Returns the catalogue of these tools.
    ///
    /// # Errors
    /// When two tools have one name, or a schema is no schema of an object.
    pub fn new(tools: Vec<Tool>) -> Result<Self, McpError> {
        let mut by_name = HashMap::with_capacity(tools.len());
        for (index, tool) in tools.iter().enumerate() {
            for (what, schema) in [("input", Some(&tool.input)), ("output", tool.output.as_ref())] {
                let of_object = |schema: &Value| schema.get("type") == Some(&Value::from("object"));
                if !schema.is_none_or(of_object) {
                    return Err(McpError::Schema { tool: tool.name.clone(), what });
                }
            }
            if by_name.insert(tool.name.clone(), index).is_some() {
                return Err(McpError::TwoOfOneName { tool: tool.name.clone() });
            }
        }
        let catalog = Self { tools, by_name, ..Self::default() };
        Ok(catalog.counted())
    }

    /// Returns the catalogue with resources.
    #[must_use]
    pub fn with_documents(self, documents: Vec<Document>, templates: Vec<Template>) -> Self {
        Self { documents, templates, ..self }.counted()
    }

    /// Returns the catalogue with prompts.
    #[must_use]
    pub fn with_prompts(self, prompts: Vec<PromptInfo>) -> Self {
        Self { prompts, ..self }.counted()
    }

    /// Computes what tells these lists from others.
    fn counted(mut self) -> Self {
        let mut hash = Sha256::new();
        let tools = self.tools.iter().map(|tool| &tool.name);
        let documents = self.documents.iter().map(|document| &document.uri);
        let templates = self.templates.iter().map(|template| &template.uri_template);
        let prompts = self.prompts.iter().map(|prompt| &prompt.name);
        for name in tools.chain(documents).chain(templates).chain(prompts) {
            hash.update(name.as_bytes());
            hash.update([0]);
        }
        self.revision =
            hash.finalize().iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte));
        self
    }

    /// Returns what tells these lists from others.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the tools, in the order they are listed.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// Returns the resources, in the order they are listed.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Returns the patterns of resources, in the order they are listed.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// Returns the prompts, in the order they are listed.
    pub fn prompts(&self) -> &[PromptInfo] {
        &self.prompts
    }

    /// Returns the tool called `name`.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).and_then(|index| self.tools.get(*index))
    }

    /// Returns the prompt called `name`.
    pub fn prompt(&self, name: &str) -> Option<&PromptInfo> {
        self.prompts.iter().find(|prompt| prompt.name == name)
    }
}

impl Tool {
    /// Holds `input` against the schema.
    ///
    /// # Errors
    /// When it does not fit, with every place that does not.
    pub fn check_input(&self, input: &Value) -> Result<(), CallError> {
        let problems = schema::problems(&self.input, input);
        if problems.is_empty() { Ok(()) } else { Err(CallError::Input { problems }) }
    }

    /// Holds structured output against the schema.
    ///
    /// # Errors
    /// When it does not fit, or is missing although there is such a schema.
    pub fn check_output(&self, output: Option<&Value>) -> Result<(), CallError> {
        let problems = match (&self.output, output) {
            (None, _) => return Ok(()),
            (Some(_), None) => vec!["it has no structured output".to_owned()],
            (Some(schema), Some(output)) => schema::problems(schema, output),
        };
        if problems.is_empty() { Ok(()) } else { Err(CallError::Output { problems }) }
    }
}
