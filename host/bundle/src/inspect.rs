//! Reads the interface of a component without running any of it.
//!
//! Invariants: every walk is bounded (types, functions, schema size), texts from the component are
//! bounded and free of control characters, and a type that has no JSON form makes its function not
//! callable rather than missing. Start with [`inspect`].

pub mod docs;
mod functions;
mod scan;
mod schema;
mod types;

use crate::BundleError;
use crate::contain;
use crate::imports::{self, ImportClass};
use crate::nearest::nearest;
use crate::sniff::{self, Found};
use ringfence_capability::{Class, Diagnostic};
use semver::Version;
use serde_json::Value;
use std::collections::BTreeSet;
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

/// The most functions a component may export; a page of a hundred is already hard to choose from.
pub const MAX_FUNCTIONS: usize = 2_000;
/// The most imports, and the most exports, that are listed.
pub const MAX_EXTERNS: usize = 2_000;

/// What a component offers and needs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Interface {
    /// What kind of plugin it is, which follows from its exports.
    pub kind: PluginKind,
    /// What it imports, in the component's order; types that are only named are left out.
    pub imports: Vec<Extern>,
    /// What it exports, in the component's order; types are left out.
    pub exports: Vec<Extern>,
    /// Every function that can be offered as a tool, in the component's order.
    pub functions: Vec<Function>,
    /// What it was made with, as it says itself.
    pub producers: Vec<Producer>,
    /// The generations of WASI it uses.
    pub wasi: Vec<WasiGeneration>,
}

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the runtime must know how to run every kind")]
pub enum PluginKind {
    /// Every exported function is a tool.
    Tools,
    /// A program: exports `wasi:cli/run`.
    Command,
    /// A web service: exports a `wasi:http` handler.
    HttpHandler,
    /// An agent: exports `ringfence:plugin/agent` or an interface of `ringfence:agent`.
    Agent,
    /// A research step: exports an interface of `ringfence:research`.
    Step,
}

impl PluginKind {
    /// Returns the kind of a component that exports these names.
    pub fn of<'n>(exports: &(impl Iterator<Item = &'n str> + Clone)) -> Self {
        let has = |start: &str| exports.clone().any(|name| name.starts_with(start));
        if has("ringfence:plugin/agent@") || has("ringfence:agent/") {
            Self::Agent
        } else if has("ringfence:research/") {
            Self::Step
        } else if has("wasi:cli/run@") {
            Self::Command
        } else if has("wasi:http/incoming-handler@") || has("wasi:http/handler@") {
            Self::HttpHandler
        } else {
            Self::Tools
        }
    }

    /// Returns the name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Command => "command",
            Self::HttpHandler => "http-handler",
            Self::Agent => "agent",
            Self::Step => "step",
        }
    }
}

/// One import or export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extern {
    /// The name in the component, such as `wasi:io/poll@0.2.6`.
    pub name: String,
    /// The version in the name.
    pub version: Option<Version>,
}

impl Extern {
    /// Returns what this import needs.
    pub fn class(&self) -> ImportClass {
        imports::import_capability(&self.name)
    }
}

/// One exported function.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Function {
    /// The full name: `f`, or `ns:pkg/iface@1.0.0#f`.
    pub full: String,
    /// The shortest name that is unique in the component.
    pub short: String,
    /// The exported interface it is in, as the component names it; none for a function of the world.
    pub interface: Option<String>,
    /// The name inside the interface, such as `[method]counter.increment`.
    pub name: String,
    /// The doc comment; untrusted text.
    pub docs: String,
    /// The parameters.
    pub params: Vec<Param>,
    /// The type of the result, as WIT.
    pub result: Option<String>,
    /// Whether it is an async function.
    pub is_async: bool,
    /// What its JSON input must look like (JSON Schema 2020-12).
    pub input_schema: Value,
    /// What its JSON output looks like (JSON Schema 2020-12).
    pub output_schema: Value,
    /// Whether it can be called with JSON, or why not.
    pub callable: Result<(), NotCallable>,
    /// What it gives back to clients of the Model Context Protocol.
    pub gives: Gives,
    /// The parameter through which the host hands it answers to its questions; no caller fills it, and
    /// the schema of the input does not have it.
    pub answers: Option<String>,
}

/// What a function gives back to clients of the Model Context Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "whoever offers functions must know each")]
pub enum Gives {
    /// A value of its own type.
    #[default]
    Value,
    /// A `reply` of `ringfence:mcp/types`: content of several kinds, or questions.
    Reply,
    /// A `prompt` of `ringfence:mcp/types`.
    Prompt,
}

/// One parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type, as WIT.
    pub ty: String,
}

/// Why a function cannot be called with JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCallable {
    /// A type without a JSON form.
    #[error("`{ty}` has no JSON form")]
    NoJson {
        /// The type.
        ty: &'static str,
    },
    /// A schema larger than what is built.
    #[error("its types are too large for a schema")]
    TooLarge,
}

/// One entry of a producers section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// The tool or language.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// A generation of WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "linking must handle every generation")]
pub enum WasiGeneration {
    /// WASI 0.2.
    Wasi02,
    /// WASI 0.3.
    Wasi03,
}

impl WasiGeneration {
    /// Returns the name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasi02 => "0.2",
            Self::Wasi03 => "0.3",
        }
    }
}

/// A name that does not stand for one function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoFunction {
    /// No function is called so.
    #[error("there is no exported function `{name}`")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// More than one function is called so.
    #[error("`{name}` is the name of several functions")]
    Ambiguous {
        /// The name that was given.
        name: String,
        /// Their full names.
        candidates: Vec<String>,
    },
}

impl Diagnostic for NoFunction {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "bundle::no-function",
            Self::Ambiguous { .. } => "bundle::ambiguous-function",
        }
    }

    fn class(&self) -> Class {
        Class::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Unknown { .. } => "`ringfence inspect` lists the functions".to_owned(),
            Self::Ambiguous { candidates, .. } => {
                format!("name one of `{}`", candidates.join("`, `"))
            }
        })
    }
}

impl Interface {
    /// Returns the function called `name`: its full name, `iface.f`, or `f` when that is unique.
    ///
    /// # Errors
    /// When no function, or more than one, is called so.
    pub fn function(&self, name: &str) -> Result<&Function, NoFunction> {
        if let Some(exact) = self.functions.iter().find(|function| function.full == name) {
            return Ok(exact);
        }
        let named = self.functions.iter().filter(|function| function.forms().any(|f| f == name));
        match named.collect::<Vec<_>>().as_slice() {
            [one] => Ok(*one),
            [] => {
                let known = self.functions.iter().map(|function| function.short.as_str());
                let nearest = nearest(name, known).map(str::to_owned);
                Err(NoFunction::Unknown { name: scan::clean(name, 80), nearest })
            }
            several => {
                let candidates = several.iter().map(|function| function.full.clone()).collect();
                Err(NoFunction::Ambiguous { name: name.to_owned(), candidates })
            }
        }
    }
}

/// Reads the interface of `component`. `display` is how the operator named it.
///
/// # Errors
/// [`BundleError::Invalid`] when it is not a valid component, [`BundleError::TooComplex`] when it has
/// more than what is listed.
pub fn inspect(component: &[u8], display: &str) -> Result<Interface, BundleError> {
    let invalid = |source| BundleError::Invalid { path: display.to_owned(), source };
    if sniff::sniff(component) != Found::Component {
        return Err(invalid("it does not begin like a component".into()));
    }
    let found = scan::scan(component, display)?;
    let (functions, typed) =
        contain::panics(|| functions_of(component, &found)).map_err(invalid)?;
    if functions.len() > MAX_FUNCTIONS {
        let (what, limit) = ("exported functions", MAX_FUNCTIONS);
        return Err(BundleError::TooComplex { path: display.to_owned(), what, limit });
    }
    Ok(Interface {
        kind: PluginKind::of(&found.exports.iter().map(|export| export.name.as_str())),
        wasi: generations(found.imports.iter().chain(&found.exports)),
        imports: found.imports.into_iter().filter(|i| !typed.contains(&i.name)).collect(),
        exports: found.exports,
        functions,
        producers: found.producers,
    })
}

/// Decodes the types of `component` and returns its functions, and the imported interfaces that have
/// types alone: there is nothing in them to call, so they are no import that matters.
fn functions_of(
    component: &[u8],
    found: &scan::Scan,
) -> contain::Outcome<(Vec<Function>, BTreeSet<String>)> {
    match wit_component::decode(&found.without_docs(component))? {
        DecodedWasm::Component(resolve, world) => {
            let imports = resolve.worlds[world].imports.iter();
            let typed = imports.filter_map(|(key, item)| match item {
                WorldItem::Interface { id, .. } if resolve.interfaces[*id].functions.is_empty() => {
                    Some(resolve.name_world_key(key))
                }
                _ => None,
            });
            Ok((functions::functions(&resolve, world, &found.docs), typed.collect()))
        }
        DecodedWasm::WitPackage(..) => Err("it holds WIT definitions and no code".into()),
    }
}

/// Returns what `component` imports, without decoding its types: much faster than [`inspect`].
///
/// # Errors
/// [`BundleError::Invalid`] when its sections cannot be read.
pub fn imports(component: &[u8], display: &str) -> Result<Vec<Extern>, BundleError> {
    scan::scan(component, display).map(|found| found.imports)
}

fn generations<'a>(externs: impl Iterator<Item = &'a Extern>) -> Vec<WasiGeneration> {
    let mut found = Vec::new();
    for item in externs.filter(|item| item.name.starts_with("wasi:")) {
        match item.version.as_ref().map(|version| (version.major, version.minor)) {
            Some((0, 2)) => found.push(WasiGeneration::Wasi02),
            Some((0, 3)) => found.push(WasiGeneration::Wasi03),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests;
