//! What a plugin is made of: the interfaces it imports, the functions and interfaces it exports.

use super::{About, Change, Direction, Side};
use crate::inspect::{Extern, Function};
use crate::manifest::{Effect, ToolMeta};
use crate::{Encoding, ImportClass};
use std::collections::{BTreeMap, BTreeSet};

/// Adds each interface that only one of the two imports, and other versions of one.
pub(super) fn imports(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let (from, to) = (named(&old.interface.imports), named(&new.interface.imports));
    for (name, import) in &to {
        let was = from.get(name).copied();
        let change = Change::new(About::Import, direction(old, new, name, import, was), *name);
        match was {
            None => changes.push(Change { new: Some(version(import)), ..change }),
            Some(was) => {
                let differs = change.direction != Direction::Neither || was.name != import.name;
                changes.extend(differs.then(|| change.with(version(was), version(import))));
            }
        }
    }
    for (name, import) in from.iter().filter(|(name, _)| !to.contains_key(*name)) {
        let direction = match import.class() {
            ImportClass::Baseline => Direction::Neither,
            _ => Direction::Narrower,
        };
        let change = Change::new(About::Import, direction, *name);
        changes.push(Change { old: Some(version(import)), ..change });
    }
}

/// Tells whether an import of `new` needs what `old` had no use for.
fn direction(
    old: &Side<'_>,
    new: &Side<'_>,
    name: &str,
    import: &Extern,
    was: Option<&Extern>,
) -> Direction {
    let used = was.is_some() && !old.never_uses(name);
    let known = match import.class() {
        ImportClass::Baseline => true,
        ImportClass::Needs(kinds) => used || old.asks(kinds),
        // Nothing is linked for it today; a later host may have it.
        ImportClass::HostInterface
        | ImportClass::Unknown
        | ImportClass::Newer { .. }
        | ImportClass::Older { .. } => used,
    };
    if known || new.never_uses(name) { Direction::Neither } else { Direction::Wider }
}

impl Side<'_> {
    /// Tells whether the interface is one that is imported and never used, as the manifest says, or
    /// because the adapter for WASI 0.1 imports it whatever the module does.
    fn never_uses(&self, interface: &str) -> bool {
        let module = self.plugin.encoding == Encoding::CoreModule;
        let of_adapter = module.then_some("wasi:filesystem/*");
        let patterns = self.plugin.manifest.stub_imports.iter().map(String::as_str);
        patterns.chain(of_adapter).any(|pattern| match pattern.strip_suffix('*') {
            Some(package) => interface.starts_with(package),
            None => interface == pattern,
        })
    }

    /// Returns what the manifest says about a function.
    fn stated(&self, function: &Function) -> Option<&ToolMeta> {
        let tools = &self.plugin.manifest.tools;
        tools.get(&function.full).or_else(|| function.forms().find_map(|form| tools.get(&form)))
    }
}

/// Adds each function: whether it is there, its types, and what a call of it does to the world.
pub(super) fn functions(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let (from, to) = (by_name(old), by_name(new));
    for (name, function) in &to {
        let was = from.get(name).copied();
        let (before, after) = (was.map(|was| Level::of(old, was)), Level::of(new, function));
        // A function that was not there did nothing.
        let least = before.unwrap_or(Level::Stated(Effect::Read));
        let effect =
            Change::new(About::Effect, Direction::from(&least, &after), function.short.as_str());
        if least != after {
            let old = before.map(|level| level.name().to_owned());
            changes.push(Change { old, new: Some(after.name().to_owned()), ..effect });
        }
        let export = Change::new(About::Export, Direction::Neither, function.short.as_str());
        match was.map(signature) {
            None => changes.push(Change { new: Some(signature(function)), ..export }),
            Some(was) if was != signature(function) => {
                changes.push(export.with(was, signature(function)));
            }
            Some(_) => {}
        }
    }
    for (_, function) in from.iter().filter(|(name, _)| !to.contains_key(*name)) {
        let change = Change::new(About::Export, Direction::Neither, function.short.as_str());
        changes.push(Change { old: Some(signature(function)), ..change });
    }
}

/// Adds each exported interface without functions of its own in the list, and other versions of one.
pub(super) fn interfaces(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let (from, to) = (named(&old.interface.exports), named(&new.interface.exports));
    let shown = |side: &Side<'_>, export: &Extern| {
        let of_it = |function: &Function| {
            function.interface.as_ref() == Some(&export.name) || function.full == export.name
        };
        !side.interface.functions.iter().any(of_it)
    };
    let names: BTreeSet<&str> = from.keys().chain(to.keys()).copied().collect();
    for name in names {
        let old = from.get(name).filter(|export| shown(old, export)).map(|export| version(export));
        let new = to.get(name).filter(|export| shown(new, export)).map(|export| version(export));
        if old != new {
            let change = Change::new(About::Export, Direction::Neither, name);
            changes.push(Change { old, new, ..change });
        }
    }
}

/// What a call of a function does to the world, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Stated(Effect),
    /// Nothing is said about it, which counts as the most.
    Unstated,
}

impl Level {
    fn of(side: &Side<'_>, function: &Function) -> Self {
        side.stated(function).map_or(Self::Unstated, |tool| Self::Stated(tool.effect))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stated(effect) => effect.name(),
            Self::Unstated => "not stated",
        }
    }
}

/// Returns interfaces by their names without versions.
fn named(externs: &[Extern]) -> BTreeMap<&str, &Extern> {
    externs.iter().map(|item| (path(&item.name), item)).collect()
}

/// Returns the functions by their full names without versions.
fn by_name<'a>(side: &Side<'a>) -> BTreeMap<(Option<&'a str>, &'a str), &'a Function> {
    let key = |function: &'a Function| (function.interface.as_deref().map(path), &*function.name);
    side.interface.functions.iter().map(|function| (key(function), function)).collect()
}

fn path(name: &str) -> &str {
    name.split_once('@').map_or(name, |(path, _)| path)
}

fn version(item: &Extern) -> String {
    item.version.as_ref().map_or_else(|| "no version".to_owned(), ToString::to_string)
}

fn signature(function: &Function) -> String {
    let params = function.params.iter().map(|param| format!("{}: {}", param.name, param.ty));
    let params = params.collect::<Vec<_>>().join(", ");
    let result = function.result.as_ref().map(|ty| format!(" -> {ty}")).unwrap_or_default();
    format!("({params}){result}")
}
