//! The direction of dependencies between rooms, and the line below which there is no engine.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Finding;
use crate::tree::Tree;

/// Every room with its layer; a room may use only lower layers.
const LAYERS: [(&str, u8); 15] = [
    ("ringfence-capability", 0),
    ("ringfence-bundle", 1),
    ("ringfence-policy", 1),
    ("ringfence-audit", 1),
    ("ringfence-sandbox", 1),
    ("ringfence-trust", 2),
    ("ringfence-approval", 2),
    ("ringfence-store", 2),
    ("ringfence-engine", ENGINE_LAYER),
    ("ringfence-interfaces", 4),
    ("ringfence-supervisor", 5),
    ("ringfence-mcp", 5),
    ("ringfence-research", 5),
    ("ringfence", 6),
    ("ringfence-cli", 7),
];

const ENGINE_LAYER: u8 = 3;

/// Finds rooms without a layer and dependencies that do not point downwards.
pub(super) fn direction(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifests: Vec<_> = tree.files().filter(|(path, _)| is_room(path)).collect();
    if manifests.is_empty() {
        findings.push(Finding::at("host", 1, "there are no rooms to check"));
    }
    for (path, text) in manifests {
        match toml::from_str::<Manifest>(text) {
            Ok(manifest) => findings.extend(upward(path, text, &manifest)),
            Err(error) => findings.push(Finding::at(path, 1, error.message().to_owned())),
        }
    }
    findings
}

/// Finds packages below the engine that reach wasmtime, directly or through others.
pub(super) fn no_wasmtime_below_engine(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text("Cargo.lock") else { return Vec::new() };
    let lock = match toml::from_str::<Lock>(text) {
        Ok(lock) => lock,
        Err(error) => return vec![Finding::at("Cargo.lock", 1, error.message().to_owned())],
    };
    let graph: BTreeMap<&str, BTreeSet<&str>> = lock.graph();
    let below = LAYERS.iter().filter(|(_, layer)| *layer < ENGINE_LAYER).map(|(name, _)| *name);
    below
        .chain(["xtask"])
        .filter_map(|room| {
            let chain = path_to_engine(&graph, room)?;
            Some(Finding::at("Cargo.lock", 1, format!("`{room}` reaches the engine: {chain}")))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    build_dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    target: BTreeMap<String, TargetTable>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct TargetTable {
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
}

impl Manifest {
    fn dependencies(&self) -> impl Iterator<Item = &str> {
        let targets = self.target.values().flat_map(|table| table.dependencies.iter());
        let tables = [&self.dependencies, &self.dev_dependencies, &self.build_dependencies];
        tables
            .into_iter()
            .flatten()
            .chain(targets)
            .map(|(key, value)| value.get("package").and_then(toml::Value::as_str).unwrap_or(key))
    }
}

fn is_room(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts[..], ["host", _, "Cargo.toml"] | ["sandbox", "Cargo.toml"])
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(room, _)| *room == name).map(|(_, layer)| *layer)
}

fn upward(path: &str, text: &str, manifest: &Manifest) -> Vec<Finding> {
    let name = &manifest.package.name;
    let Some(own) = layer(name) else {
        return vec![Finding::at(path, 1, format!("`{name}` has no layer in `xtask/src/tidy`"))];
    };
    let rooms =
        manifest.dependencies().filter_map(|dependency| Some((dependency, layer(dependency)?)));
    rooms
        .filter(|(_, other)| *other >= own)
        .map(|(dependency, other)| {
            let line = 1 + text.lines().position(|line| line.contains(dependency)).unwrap_or(0);
            let message =
                format!("`{name}` (layer {own}) may not use `{dependency}` (layer {other})");
            Finding::at(path, line, message)
        })
        .collect()
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// Returns what each package name depends on; versions are merged, which only adds edges.
    fn graph(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in &self.package {
            let names = package.dependencies.iter().filter_map(|entry| entry.split(' ').next());
            graph.entry(&package.name).or_default().extend(names);
        }
        graph
    }
}

/// Returns the shortest chain from a package to the engine's crates, if there is one.
fn path_to_engine(graph: &BTreeMap<&str, BTreeSet<&str>>, from: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut queue = std::collections::VecDeque::from([(from, from.to_owned())]);
    while let Some((name, chain)) = queue.pop_front() {
        if name == "wasmtime" || name.starts_with("wasmtime-") || name.starts_with("cranelift") {
            return Some(chain);
        }
        for next in graph.get(name).into_iter().flatten().filter(|next| seen.insert(**next)) {
            queue.push_back((next, format!("{chain} → {next}")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let tree = Tree::of(files);
        let mut found = direction(&tree);
        found.extend(no_wasmtime_below_engine(&tree));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_dependency_on_the_same_or_a_higher_layer_is_found_in_every_table() {
        let package = "[package]\nname = \"ringfence-policy\"\n";
        let message = "may not use `ringfence-engine` (layer 3)";
        for table in
            ["dependencies", "dev-dependencies", "build-dependencies", "target.x.dependencies"]
        {
            let text = format!("{package}[{table}]\nringfence-engine.workspace = true\n");
            let expected =
                format!("host/policy/Cargo.toml:4: `ringfence-policy` (layer 1) {message}");
            check(&[("host/policy/Cargo.toml", &text)], &[&expected]);
        }
        let renamed = format!(
            "{package}[dependencies]\nx = {{ package = \"ringfence-engine\", path = \"\" }}"
        );
        let expected = format!("host/policy/Cargo.toml:4: `ringfence-policy` (layer 1) {message}");
        check(&[("host/policy/Cargo.toml", &renamed)], &[&expected]);
    }

    #[test]
    fn a_dependency_on_a_lower_layer_is_right_and_an_unknown_room_is_not() {
        let good = "[package]\nname = \"ringfence-policy\"\n[dependencies]\n\
                    ringfence-capability.workspace = true\nserde = \"1\"";
        check(&[("host/policy/Cargo.toml", good)], &[]);
        let unknown = "[package]\nname = \"ringfence-new\"";
        check(
            &[("host/new/Cargo.toml", unknown)],
            &["host/new/Cargo.toml:1: `ringfence-new` has no layer in `xtask/src/tidy`"],
        );
    }

    #[test]
    fn wasmtime_behind_another_package_is_found_with_the_chain() {
        let room = ("host/policy/Cargo.toml", "[package]\nname = \"ringfence-policy\"");
        let lock = "[[package]]\nname = \"ringfence-policy\"\ndependencies = [\"a 1.0.0\"]\n\
                    [[package]]\nname = \"a\"\ndependencies = [\"b\"]\n\
                    [[package]]\nname = \"b\"\ndependencies = [\"a 1.0.0\", \"wasmtime-environ\"]\n\
                    [[package]]\nname = \"ringfence-engine\"\ndependencies = [\"wasmtime\"]";
        check(
            &[room, ("Cargo.lock", lock)],
            &["Cargo.lock:1: `ringfence-policy` reaches the engine: ringfence-policy → a → b → \
               wasmtime-environ"],
        );
        check(&[room, ("Cargo.lock", &lock.replace("wasmtime-environ", "c"))], &[]);
    }
}
