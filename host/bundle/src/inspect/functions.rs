//! The exported functions, their names and their schemas.

use super::docs::Docs;
use super::schema::{self, Direction};
use super::{Function, Gives, MAX_FUNCTIONS, NotCallable, Param, types};
use serde_json::json;
use std::collections::HashMap;
use wit_parser::{Resolve, WorldId, WorldItem};

/// Exports that the host calls itself and that are no tools.
const ENTRY_POINTS: &[&str] = &[
    "wasi:cli/run",
    "wasi:http/incoming-handler",
    "wasi:http/handler",
    "ringfence:mcp/resources",
    "ringfence:mcp/completion",
];

/// Returns every exported function but the entry points, one more than the limit at most.
pub(super) fn functions(resolve: &Resolve, world: WorldId, docs: &Docs) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut budget = schema::Budget::of_component();
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => {
                functions.push(build(resolve, docs, None, function, &mut budget));
            }
            WorldItem::Interface { id, .. } => {
                let name = resolve.name_world_key(key);
                let path = name.split_once('@').map_or(name.as_str(), |(path, _)| path);
                if ENTRY_POINTS.contains(&path) {
                    continue;
                }
                let room = (MAX_FUNCTIONS + 1).saturating_sub(functions.len());
                for function in resolve.interfaces[*id].functions.values().take(room) {
                    functions.push(build(resolve, docs, Some(&name), function, &mut budget));
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    shorten(&mut functions);
    functions
}

impl Function {
    /// Returns the names it can be called by besides the full one, the shortest first.
    pub fn forms(&self) -> impl Iterator<Item = String> {
        let plain = plain(&self.name);
        let with_interface = self.interface.as_deref().map(|interface| {
            let path = interface.split_once('@').map_or(interface, |(path, _)| path);
            let short = path.rsplit_once('/').map_or(path, |(_, short)| short);
            format!("{short}.{plain}")
        });
        std::iter::once(plain).chain(with_interface)
    }
}

/// Returns `counter.increment` for `[method]counter.increment`, `counter.new` for a constructor.
fn plain(name: &str) -> String {
    if let Some(resource) = name.strip_prefix("[constructor]") {
        return format!("{resource}.new");
    }
    let bare = name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    bare.map_or(name, |(_, bare)| bare).to_owned()
}

/// Gives each function the shortest of its names that no other function has.
fn shorten(functions: &mut [Function]) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for form in functions.iter().flat_map(Function::forms) {
        *uses.entry(form).or_default() += 1;
    }
    for function in functions {
        let unique = function.forms().find(|form| uses.get(form) == Some(&1));
        function.short = unique.unwrap_or_else(|| function.full.clone());
    }
}

fn build(
    resolve: &Resolve,
    docs: &Docs,
    interface: Option<&str>,
    function: &wit_parser::Function,
    budget: &mut schema::Budget,
) -> Function {
    let name = &function.name;
    let param = |param: &wit_parser::Param| Param {
        name: param.name.clone(),
        ty: types::wit(resolve, &param.ty),
    };
    let gives = match function.result.and_then(|ty| types::of_mcp(resolve, ty)) {
        Some("reply") => Gives::Reply,
        Some("prompt") => Gives::Prompt,
        _ => Gives::Value,
    };
    let answers = function.params.iter().find(|param| types::is_answers(resolve, param.ty));
    let answers = answers.filter(|_| gives != Gives::Value).map(|param| param.name.clone());
    let input = schema::input(resolve, docs, &function.params, answers.as_deref(), budget);
    let output = schema::output(resolve, docs, function.result.as_ref(), budget);
    let callable = match (&input, &output) {
        (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        _ => Ok(()),
    };
    Function {
        full: interface.map_or_else(|| name.clone(), |interface| format!("{interface}#{name}")),
        short: String::new(),
        interface: interface.map(str::to_owned),
        name: name.clone(),
        docs: docs.function(interface, name).unwrap_or_default().to_owned(),
        params: function.params.iter().map(param).collect(),
        result: function.result.as_ref().map(|ty| types::wit(resolve, ty)),
        is_async: function.kind.is_async(),
        input_schema: input.unwrap_or_else(|_: NotCallable| anything(Direction::Input)),
        output_schema: output.unwrap_or_else(|_: NotCallable| anything(Direction::Output)),
        callable,
        gives,
        answers,
    }
}

/// The schema of a function that cannot be called: tools that list it still find one.
fn anything(direction: Direction) -> serde_json::Value {
    match direction {
        Direction::Input => json!({ "$schema": schema::DIALECT, "type": "object" }),
        Direction::Output => json!({ "$schema": schema::DIALECT }),
    }
}
