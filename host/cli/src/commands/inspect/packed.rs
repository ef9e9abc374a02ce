//! What `inspect` shows of a bundle: who signed it, its files, what it was built of.

use std::collections::BTreeMap;

use ringfence::Inspected;
use ringfence_bundle::Plugin;
use serde_json::{Value, json};

/// The most components of an SBOM that are shown by name.
const SHOWN: usize = 8;

/// Returns who signed it, for people.
pub(super) fn signed(looked: &Inspected) -> Vec<String> {
    if looked.signatures.is_empty() {
        let text = "signed    no; runs under at most `read-only` unless its digest is trusted";
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    for signed in &looked.signatures {
        let key = signed.key.map(|key| key.to_string()).unwrap_or_default();
        lines.push(match &signed.outcome {
            Ok(comment) => format!("signed    with key {key}, trusted here, at {}", comment.time),
            Err(_) => format!("signed    with key {key}, which is not trusted here"),
        });
        lines.extend(signed.claimed.map(|key| format!("          {key}")));
    }
    lines.push(match looked.cap {
        Some(cap) => format!("          runs under at most `{cap}`"),
        None => {
            "          does not run: `ringfence trust add` or `trust pin` trusts a key".to_owned()
        }
    });
    lines
}

/// Returns the files, for programs.
pub(super) fn files(plugin: &Plugin) -> Vec<Value> {
    let file = |file: &ringfence_bundle::PackedFile| {
        json!({
            "path": file.path,
            "size-bytes": file.size_bytes,
            "digest": file.digest.to_string(),
        })
    };
    plugin.files.iter().map(file).collect()
}

/// Returns the files and what it was built of, for people.
pub(super) fn lines(plugin: &Plugin) -> Vec<String> {
    let mut lines = Vec::new();
    if !plugin.files.is_empty() {
        lines.push(String::new());
        lines.push("files:".to_owned());
        let line = |f: &ringfence_bundle::PackedFile| format!("  {:>9}  {}", f.size_bytes, f.path);
        lines.extend(plugin.files.iter().map(line));
    }
    if let Some(sbom) = sbom(plugin) {
        lines.push(String::new());
        lines.push(format!("built of {} (CycloneDX {}):", sbom.count, sbom.version));
        let licences = sbom.licences.iter().map(|(licence, count)| format!("{licence} {count}"));
        lines.push(format!("  licences: {}", licences.collect::<Vec<_>>().join(", ")));
        lines.extend(sbom.names.iter().map(|name| format!("  {name}")));
        let more = sbom.count.saturating_sub(sbom.names.len());
        if more > 0 {
            lines.push(format!("  and {more} more; `--json` shows how many of each licence"));
        }
    }
    lines
}

/// What an SBOM says, in short. Its author wrote it; nobody checked that it is true.
pub(super) struct Sbom {
    version: String,
    count: usize,
    names: Vec<String>,
    licences: BTreeMap<String, usize>,
}

impl Sbom {
    pub(super) fn as_json(&self) -> Value {
        let Self { version, count, names, licences } = self;
        json!({ "spec-version": version, "components": count, "first": names, "licences": licences })
    }
}

/// Reads the SBOM of a bundle; nothing when there is none that can be read.
pub(super) fn sbom(plugin: &Plugin) -> Option<Sbom> {
    let value: Value = serde_json::from_slice(plugin.sbom.as_deref()?).ok()?;
    let text = |value: &Value| value.as_str().map(short);
    let components = value["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut licences = BTreeMap::new();
    for component in components {
        *licences.entry(licence(component)).or_insert(0) += 1;
    }
    let name = |component: &Value| {
        let name = text(&component["name"])?;
        Some(format!("{name} {}", text(&component["version"]).unwrap_or_default()))
    };
    Some(Sbom {
        version: text(&value["specVersion"]).unwrap_or_default(),
        count: components.len(),
        names: components.iter().filter_map(name).take(SHOWN).collect(),
        licences,
    })
}

/// Returns the licence of one component: an expression, or the first by id or name.
fn licence(component: &Value) -> String {
    let first = &component["licenses"][0];
    let known = [&first["expression"], &first["license"]["id"], &first["license"]["name"]];
    known.into_iter().find_map(Value::as_str).map_or_else(|| "unknown".to_owned(), short)
}

fn short(text: &str) -> String {
    ringfence_capability::text::brief(text, 80)
}
