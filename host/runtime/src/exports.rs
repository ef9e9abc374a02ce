//! What a loaded component exports, and finding one of its functions by name.

use ringfence_bundle::inspect::PluginKind;
use ringfence_engine::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use crate::RunError;

/// One exported function.
#[derive(Clone)]
#[non_exhaustive]
pub struct Export {
    /// `f`, or `ns:package/interface@1.0.0#f`.
    pub name: String,
    /// The name within its interface, as people call it.
    pub short: String,
    pub(crate) interface: Option<String>,
    pub(crate) index: ComponentExportIndex,
    pub(crate) ty: ComponentFunc,
}

impl Export {
    /// Returns every name it can be called by.
    pub(crate) fn forms(&self) -> impl Iterator<Item = String> {
        [self.name.clone(), self.short.clone()].into_iter().chain(with_interface(self))
    }
}

/// Returns the kind of the component.
pub(crate) fn kind(engine: &Engine, component: &Component) -> PluginKind {
    let ty = component.component_type();
    let names: Vec<&str> = ty.exports(engine.wasmtime()).map(|(name, _)| name).collect();
    PluginKind::of(&names.iter().copied())
}

/// Returns every exported function.
pub(crate) fn all(engine: &Engine, component: &Component) -> Vec<Export> {
    let mut found = Vec::new();
    let ty = component.component_type();
    for (name, item) in ty.exports(engine.wasmtime()) {
        match item.ty {
            ComponentItem::ComponentFunc(ty) => {
                if let Some(index) = component.get_export_index(None, name) {
                    found.push(Export {
                        name: name.to_owned(),
                        short: short(name),
                        interface: None,
                        index,
                        ty,
                    });
                }
            }
            ComponentItem::ComponentInstance(instance) => {
                let Some(parent) = component.get_export_index(None, name) else { continue };
                for (func, item) in instance.exports(engine.wasmtime()) {
                    let ComponentItem::ComponentFunc(ty) = item.ty else { continue };
                    if let Some(index) = component.get_export_index(Some(&parent), func) {
                        let interface = Some(name.to_owned());
                        let full = format!("{name}#{func}");
                        found.push(Export { name: full, short: short(func), interface, index, ty });
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns every exported resource type by the name its functions and schemas use.
pub(crate) fn resources(
    engine: &Engine,
    component: &Component,
) -> Vec<(String, ComponentExportIndex)> {
    let mut found = Vec::new();
    let mut add = |parent: Option<&ComponentExportIndex>, name: &str, item: &ComponentItem| {
        if let ComponentItem::Resource(_) = item
            && let Some(index) = component.get_export_index(parent, name)
        {
            found.push((name.to_owned(), index));
        }
    };
    for (name, item) in component.component_type().exports(engine.wasmtime()) {
        add(None, name, &item.ty);
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let parent = component.get_export_index(None, name);
        for (inner, item) in instance.exports(engine.wasmtime()) {
            add(parent.as_ref(), inner, &item.ty);
        }
    }
    found
}

/// Returns how people write a function's name: `[method]counter.increment` is `counter.increment`.
fn short(name: &str) -> String {
    match name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some(("constructor", resource)) => format!("{resource}.new"),
        Some((_, rest)) => rest.to_owned(),
        None => name.to_owned(),
    }
}

/// Returns the function called `name`: its full name, `interface.f`, or `f` when only one is.
pub(crate) fn find<'e>(
    exports: &'e [Export],
    name: &str,
    plugin: &str,
) -> Result<&'e Export, RunError> {
    let is = |test: &dyn Fn(&Export) -> bool| {
        let mut fits = exports.iter().filter(|export| test(export));
        fits.next().filter(|_| fits.next().is_none())
    };
    let found = is(&|export| export.name == name)
        .or_else(|| is(&|export| with_interface(export).is_some_and(|full| full == name)))
        .or_else(|| is(&|export| export.short == name));
    found.ok_or_else(|| RunError::NoFunction {
        plugin: plugin.to_owned(),
        function: name.to_owned(),
        known: exports.iter().map(|export| export.short.clone()).collect(),
    })
}

/// Returns `interface.f` for a function of `ns:package/interface@1.0.0`.
fn with_interface(export: &Export) -> Option<String> {
    let interface = export.interface.as_deref()?;
    let bare = interface.split_once('@').map_or(interface, |(bare, _)| bare);
    let last = bare.rsplit('/').next().unwrap_or(bare);
    Some(format!("{last}.{}", export.short))
}
