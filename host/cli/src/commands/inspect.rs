//! `inspect`: what a plugin is, without running a byte of it.

mod packed;

use ringfence::Inspected;
use ringfence_bundle::ImportClass;
use ringfence_bundle::inspect::{Function, Interface};
use ringfence_capability::{Capability, Kind, Limit, Necessity, Request};
use serde_json::{Value, json};

use crate::args::{Global, Inspect};
use crate::error::CliError;
use crate::named;
use crate::print::{Printer, visible};

/// `ringfence inspect`.
pub(crate) fn inspect(args: &Inspect, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let looked = named::inspect(&args.plugin, global)?;
    let interface = super::diff::interface(&looked.plugin)?;
    if printer.is_json() {
        printer.value(&as_json(&looked, &interface));
    } else {
        for line in as_text(&looked, &interface, args.schemas) {
            printer.line(&visible(&line));
        }
    }
    Ok(0)
}

fn as_json(looked: &Inspected, interface: &Interface) -> Value {
    let plugin = &looked.plugin;
    let manifest = &plugin.manifest;
    let imports = interface
        .imports
        .iter()
        .map(|import| json!({ "name": import.name, "needs": needs(import.class()) }));
    let limits = manifest
        .limits
        .iter()
        .map(|(limit, number)| (limit.name().to_owned(), json!(limit.format(number))));
    json!({
        "name": manifest.name,
        "version": manifest.version.to_string(),
        "description": manifest.description,
        "license": manifest.license,
        "digest": plugin.identity.to_string(),
        "component-digest": plugin.digest.to_string(),
        "size-bytes": plugin.component.len(),
        "signed": !looked.signatures.is_empty(),
        "signatures": looked.signatures.iter().map(super::verify::signature).collect::<Vec<_>>(),
        "capped-at": looked.cap.map(ringfence::Profile::name),
        "files": packed::files(plugin),
        "sbom": packed::sbom(plugin).map(|sbom| sbom.as_json()),
        "kind": interface.kind.name(),
        "wasi": interface.wasi.iter().map(|wasi| wasi.name()).collect::<Vec<_>>(),
        "needs-profile": manifest.needs_profile.map(ringfence::Profile::name),
        "requests": manifest.requests.iter().map(request).collect::<Vec<_>>(),
        "limits": limits.collect::<serde_json::Map<_, _>>(),
        "functions": interface.functions.iter().map(function).collect::<Vec<_>>(),
        "imports": imports.collect::<Vec<_>>(),
        "exports": interface.exports.iter().map(|export| &export.name).collect::<Vec<_>>(),
        "made-with": interface.producers.iter().map(|p| format!("{} {} {}", p.field, p.name, p.version)).collect::<Vec<_>>(),
    })
}

fn request(request: &Request) -> Value {
    let mut json = json!({
        "capability": request.capability.to_string(),
        "reason": request.reason,
        "optional": request.necessity == Necessity::Optional,
        "at": request.origin.to_string(),
    });
    // The line above it can be read, the words can be taken apart.
    if let Capability::Exec(pattern) = &request.capability {
        json["argv"] = pattern.words().collect();
    }
    json
}

fn function(function: &Function) -> Value {
    let not_callable = function.callable.as_ref().err().map(ToString::to_string);
    json!({
        "name": function.short,
        "full-name": function.full,
        "description": function.docs,
        "input-schema": function.input_schema,
        "output-schema": function.output_schema,
        "callable": not_callable.is_none(),
        "not-callable-because": not_callable,
    })
}

fn needs(class: ImportClass) -> Value {
    match class {
        ImportClass::Baseline => json!([]),
        ImportClass::Needs(kinds) => kinds.iter().map(|kind| Value::from(kind.name())).collect(),
        ImportClass::HostInterface | ImportClass::Unknown => json!("not offered by this host"),
        ImportClass::Newer { supported } | ImportClass::Older { supported } => {
            json!(format!("not in this version; this host offers {supported}"))
        }
    }
}

fn as_text(looked: &Inspected, interface: &Interface, schemas: bool) -> Vec<String> {
    let plugin = &looked.plugin;
    let manifest = &plugin.manifest;
    let mut lines =
        vec![format!("{} {}  {}", manifest.name, manifest.version, manifest.description)];
    lines.push(format!("kind      {}", interface.kind.name()));
    lines.push(format!("digest    {}", plugin.identity));
    lines.push(format!("size      {} KiB", plugin.component.len().div_ceil(1024)));
    lines.extend(packed::signed(looked));
    if let Some(profile) = manifest.needs_profile {
        lines.push(format!("profile   needs `{profile}`"));
    }
    lines.push(String::new());
    lines.extend(requests(&manifest.requests));
    let limits: Vec<_> =
        manifest.limits.iter().map(|(limit, number)| limit_text(limit, number)).collect();
    if !limits.is_empty() {
        lines.push(format!("asks for limits: {}", limits.join(", ")));
    }
    lines.push(String::new());
    lines.push("exports:".to_owned());
    for function in &interface.functions {
        lines.extend(signature(function));
        if schemas {
            let schema = serde_json::to_string_pretty(&function.input_schema).unwrap_or_default();
            lines.extend(schema.lines().map(|line| format!("      {line}")));
        }
    }
    if interface.functions.is_empty() {
        lines.extend(interface.exports.iter().map(|export| format!("  {}", export.name)));
    }
    lines.push(String::new());
    lines.push("imports that need a grant:".to_owned());
    lines.extend(granted_imports(interface));
    lines.extend(packed::lines(plugin));
    lines
}

fn requests(requests: &[Request]) -> Vec<String> {
    if requests.is_empty() {
        return vec!["asks for nothing".to_owned()];
    }
    let mut lines = vec!["asks for:".to_owned()];
    for request in requests {
        let optional = if request.necessity == Necessity::Optional { " (optional)" } else { "" };
        lines.push(format!("  {}{optional}  {}", request.capability, request.reason));
    }
    lines
}

fn limit_text(limit: Limit, number: u64) -> String {
    format!("{limit} {}", limit.format(number))
}

fn signature(function: &Function) -> Vec<String> {
    let params: Vec<_> =
        function.params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {ty}")).unwrap_or_default();
    let mut lines = vec![format!("  {}({}){result}", function.short, params.join(", "))];
    let first = function.docs.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    if !first.is_empty() {
        lines.push(format!("      {first}"));
    }
    if let Err(why) = &function.callable {
        lines.push(format!("      cannot be called with JSON: {why}"));
    }
    lines
}

fn granted_imports(interface: &Interface) -> Vec<String> {
    let line = |name: &str, what: String| format!("  {name}  {what}");
    let mut lines = Vec::new();
    for import in &interface.imports {
        match import.class() {
            ImportClass::Baseline => {}
            ImportClass::Needs(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| Kind::name(*kind)).collect();
                lines.push(line(&import.name, kinds.join(" or ")));
            }
            ImportClass::HostInterface | ImportClass::Unknown => {
                lines.push(line(&import.name, "not offered by this host".to_owned()));
            }
            ImportClass::Newer { supported } | ImportClass::Older { supported } => {
                lines.push(line(&import.name, format!("this host offers {supported}")));
            }
        }
    }
    if lines.is_empty() {
        lines.push("  none".to_owned());
    }
    lines
}
