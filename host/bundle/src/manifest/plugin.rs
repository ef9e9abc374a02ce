//! The tables of a manifest other than `[[request]]`.

use super::document::{Document, Table, Value, shorten};
use super::{Effect, LimitsRequest, Manifest, ToolMeta, request};
use crate::{BundleError, ManifestProblem};
use ringfence_capability::{Limit, ParseError, text};
use semver::Version;
use std::collections::BTreeMap;
use toml::de::DeTable;

/// The longest description: one line in a list.
pub const MAX_DESCRIPTION_CHARS: usize = 300;
/// The longest licence expression.
const MAX_LICENSE_CHARS: usize = 200;
/// The longest name of a function in `[tool]`, its interface included.
const MAX_TOOL_CHARS: usize = 256;

const TOP: &[&str] = &["plugin", "request", "limits", "tool"];
const PLUGIN: &[&str] =
    &["name", "version", "description", "component", "license", "needs-profile", "stub-imports"];

/// Reads the whole document.
pub(super) fn manifest(document: &Document<'_>) -> Result<Manifest, BundleError> {
    let root = DeTable::parse(document.text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        document.error(offset, ManifestProblem::Syntax { message: shorten(error.message()) })
    })?;
    let top = Table::new(document, "the manifest", 0, root.get_ref(), TOP)?;
    let section = top.required("plugin", "[plugin]")?;
    let plugin = Table::new(document, "`[plugin]`", section.start(), section.table()?, PLUGIN)?;
    let name = name(&plugin.required("name", "name = \"my-plugin\"")?)?;
    let (requests, secrets) = request::requests(&top, &name)?;
    let description = match plugin.value("description") {
        Some(value) => line(&value, MAX_DESCRIPTION_CHARS)?.to_owned(),
        None => String::new(),
    };
    let license =
        plugin.value("license").map(|value| line(&value, MAX_LICENSE_CHARS)).transpose()?;
    Ok(Manifest {
        version: version(&plugin.required("version", "version = \"0.1.0\"")?)?,
        description,
        license: license.map(str::to_owned),
        component: component(&plugin.required("component", "component = \"my-plugin.wasm\"")?)?,
        needs_profile: plugin.value("needs-profile").map(|value| value.parse()).transpose()?,
        requests,
        secrets,
        limits: limits(&top)?,
        tools: tools(&top)?,
        stub_imports: stub_imports(&plugin)?,
        name,
    })
}

/// Returns the text of `value` when it is one line of at most `most` characters that a terminal
/// shows as they are.
pub(super) fn line<'v>(value: &Value<'_, 'v>, most: usize) -> Result<&'v str, BundleError> {
    let text = value.text()?;
    if text.chars().count() > most {
        return Err(value.refuse("short text", "it is too long"));
    }
    if text.chars().any(text::hides) {
        return Err(
            value.refuse("line of text", "control and direction characters are not allowed")
        );
    }
    Ok(text)
}

fn name(value: &Value<'_, '_>) -> Result<String, BundleError> {
    let text = value.text()?;
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 64 || text.starts_with('-') || !text.chars().all(good) {
        let why = "it has 1 to 64 characters of `a-z 0-9 -` and does not begin with `-`";
        return Err(value.refuse("plugin name", why));
    }
    Ok(text.to_owned())
}

fn version(value: &Value<'_, '_>) -> Result<Version, BundleError> {
    let why = "it is a semantic version such as `1.2.3` or `1.0.0-rc.1`";
    Version::parse(value.text()?).map_err(|_| value.refuse("version", why))
}

fn component(value: &Value<'_, '_>) -> Result<String, BundleError> {
    let text = value.text()?;
    let refuse = |why| Err(value.refuse("component path", why));
    if text.starts_with('/') || text.contains(['\\', ':']) {
        return refuse("it is relative to the directory of the manifest and uses `/`");
    }
    if text.chars().any(text::hides) || text.len() > 512 {
        return refuse("it has at most 512 characters, and no control characters");
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse(
            "it stays in the directory of the manifest: no `..`, no `.` and no empty parts",
        );
    }
    Ok(text.to_owned())
}

fn limits(top: &Table<'_, '_>) -> Result<LimitsRequest, BundleError> {
    let Some(section) = top.value("limits") else { return Ok(LimitsRequest::default()) };
    let known: Vec<&str> = Limit::ALL.iter().map(|limit| limit.name()).collect();
    let table = Table::new(top.document, "`[limits]`", section.start(), section.table()?, &known)?;
    let mut asked = Vec::new();
    for limit in Limit::ALL {
        if let Some(value) = table.value(limit.name()) {
            let number =
                limit.parse(value.text_or_number()?).map_err(|source| value.wrong(source))?;
            asked.push((*limit, number));
        }
    }
    Ok(LimitsRequest { asked })
}

fn tools(top: &Table<'_, '_>) -> Result<BTreeMap<String, ToolMeta>, BundleError> {
    let mut tools = BTreeMap::new();
    let Some(section) = top.value("tool") else { return Ok(tools) };
    for (key, value) in section.table()? {
        let name: &str = key.get_ref();
        if name.is_empty() || name.len() > MAX_TOOL_CHARS || name.chars().any(text::hides) {
            let why = "it is the name of an exported function";
            let source = ParseError::new("function name", name, why);
            let problem = ManifestProblem::Value { key: "tool".to_owned(), source };
            return Err(top.document.error(key.span().start, problem));
        }
        let value = Value::new(top.document, name, value);
        let shown = format!("`[tool.{}]`", shorten(name));
        let table = value.table()?;
        let keys = &["effect", "idempotent"];
        let table = Table::new(top.document, &shown, key.span().start, table, keys)?;
        let effect = effect(&table.required("effect", "effect = \"read\"")?)?;
        tools.insert(name.to_owned(), ToolMeta { effect, idempotent: table.flag("idempotent")? });
    }
    Ok(tools)
}

fn effect(value: &Value<'_, '_>) -> Result<Effect, BundleError> {
    let text = value.text()?;
    let known = Effect::ALL.into_iter().find(|effect| effect.name() == text);
    known.ok_or_else(|| value.refuse("effect", "it is `read`, `write`, `external` or `exec`"))
}

fn stub_imports(plugin: &Table<'_, '_>) -> Result<Vec<String>, BundleError> {
    let Some(value) = plugin.value("stub-imports") else { return Ok(Vec::new()) };
    let mut stubs = Vec::new();
    for value in value.list("a list such as [\"wasi:sockets/*\"]")? {
        let text = value.text()?;
        if !is_interface_pattern(text) {
            let why = "it is an interface such as `wasi:sockets/tcp`, or `wasi:sockets/*`";
            return Err(value.refuse("interface", why));
        }
        stubs.push(text.to_owned());
    }
    Ok(stubs)
}

fn is_interface_pattern(text: &str) -> bool {
    let label = |text: &str| {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(good)
    };
    let parts = text.split_once(':').and_then(|(space, rest)| {
        rest.split_once('/').map(|(package, interface)| (space, package, interface))
    });
    text.len() <= 128
        && parts.is_some_and(|(space, package, interface)| {
            label(space) && label(package) && (interface == "*" || label(interface))
        })
}
