//! Which tools are called, and with which arguments.

use ringfence_sdk::ToolError;
use ringfence_sdk::mcp::Offered;
use serde_json::{Map, Value};

/// Names of arguments that are a query, the likeliest first.
const QUERIES: [&str; 9] =
    ["query", "q", "question", "search_query", "searchQuery", "search", "keywords", "term", "text"];
/// Names of arguments that are a number of results.
const LIMITS: [&str; 12] = [
    "limit",
    "max_results",
    "maxResults",
    "num_results",
    "numResults",
    "count",
    "top_k",
    "topK",
    "k",
    "n",
    "size",
    "per_page",
];
/// Names of arguments that are an address.
const ADDRESSES: [&str; 7] = ["url", "uri", "id", "path", "urls", "link", "href"];
/// Longest query, in bytes.
const MAX_QUERY_BYTES: usize = 400;

/// Returns the tool that searches.
pub(crate) fn searcher<'t>(
    tools: &'t [Offered],
    named: Option<&str>,
    reads: Option<&str>,
) -> Result<&'t Offered, ToolError> {
    if let Some(name) = named {
        return tool(tools, name);
    }
    let mut others = tools.iter().filter(|tool| Some(name(tool).as_str()) != reads);
    match (others.next(), others.next()) {
        (Some(tool), None) => Ok(tool),
        (None, _) => Err(ToolError::invalid_input(
            "no tool was granted: name it with `--provider mcp:SERVER/TOOL`",
        )),
        (Some(_), Some(_)) => Err(ToolError::invalid_input(format!(
            "which tool searches has to be said: `--env MCP_TOOL=SERVER/TOOL`, with one of {}",
            list(tools.iter().map(name))
        ))),
    }
}

/// Returns the tool of this name.
pub(crate) fn tool<'t>(tools: &'t [Offered], wanted: &str) -> Result<&'t Offered, ToolError> {
    tools.iter().find(|tool| name(tool) == wanted).ok_or_else(|| {
        ToolError::Denied(format!(
            "`{wanted}` was not granted: `--mcp {wanted}`; granted is {}",
            list(tools.iter().map(name))
        ))
    })
}

/// Returns the name of a tool as it is granted.
pub(crate) fn name(tool: &Offered) -> String {
    format!("{}/{}", tool.server, tool.name)
}

/// Returns the arguments of a search.
pub(crate) fn search(
    tool: &Offered,
    setting: impl Fn(&str) -> Option<String>,
    query: &str,
    limit: u32,
) -> Result<Value, ToolError> {
    let schema = schema(tool);
    let mut arguments = more(&setting)?;
    let asked = argument(tool, &schema, setting("MCP_QUERY"), "MCP_QUERY", "query", &QUERIES)?;
    let query = query.get(..query.floor_char_boundary(MAX_QUERY_BYTES)).unwrap_or_default();
    arguments.insert(asked, query.into());
    let named = setting("MCP_LIMIT");
    let known = || LIMITS.into_iter().find(|name| is_of(&schema, name, &["integer", "number"]));
    let counts = match &named {
        Some(name) => Some(name.as_str()).filter(|name| !name.is_empty()),
        None => known(),
    };
    if let Some(counts) = counts {
        let most = schema["properties"][counts]["maximum"].as_u64().unwrap_or(u64::MAX);
        arguments.entry(counts).or_insert_with(|| u64::from(limit).min(most).into());
    }
    Ok(Value::Object(arguments))
}

/// Returns the arguments that have a document read.
pub(crate) fn read(
    tool: &Offered,
    setting: impl Fn(&str) -> Option<String>,
    address: &str,
) -> Result<Value, ToolError> {
    let schema = schema(tool);
    let (named, variable) = (setting("MCP_READ_ARGUMENT"), "MCP_READ_ARGUMENT");
    let asked = argument(tool, &schema, named, variable, "address", &ADDRESSES)?;
    let is_list = schema["properties"][&asked]["type"] == "array";
    let address = if is_list { Value::from(vec![address]) } else { address.into() };
    Ok(Value::Object(Map::from_iter([(asked, address)])))
}

/// Returns the arguments that somebody gave for every search.
fn more(setting: &impl Fn(&str) -> Option<String>) -> Result<Map<String, Value>, ToolError> {
    let Some(text) = setting("MCP_ARGUMENTS") else { return Ok(Map::new()) };
    match serde_json::from_str(&text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(ToolError::invalid_input("`MCP_ARGUMENTS` is no JSON object")),
        Err(error) => Err(ToolError::invalid_input(format!("`MCP_ARGUMENTS`: {error}"))),
    }
}

/// Returns the name of an argument: what somebody says, else a usual one that takes text, else the only one
/// that is required and does.
fn argument(
    tool: &Offered,
    schema: &Value,
    named: Option<String>,
    variable: &str,
    what: &str,
    usual: &[&str],
) -> Result<String, ToolError> {
    if let Some(named) = named {
        return Ok(named);
    }
    let text = ["string", "array"];
    if let Some(known) = usual.iter().find(|name| is_of(schema, name, &text)) {
        return Ok((*known).to_owned());
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut required = required.filter(|name| is_of(schema, name, &text[..1]));
    match (required.next(), required.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        _ => Err(ToolError::invalid_input(format!(
            "which argument of `{}` is the {what} has to be said: `--env {variable}=NAME`, with one of {}",
            name(tool),
            list(schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned())
        ))),
    }
}

fn schema(tool: &Offered) -> Value {
    serde_json::from_str(&tool.input_schema).unwrap_or_default()
}

/// Tells whether there is an argument of this name and of one of these types; one without a type is of any.
fn is_of(schema: &Value, name: &str, types: &[&str]) -> bool {
    let Some(property) = schema["properties"].get(name) else { return false };
    let is = |value: &Value| value.as_str().is_some_and(|value| types.contains(&value));
    match property.get("type") {
        None => true,
        Some(Value::Array(all)) => all.iter().any(is),
        Some(one) => is(one),
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
