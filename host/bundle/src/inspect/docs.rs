//! Doc comments of WIT, which the binary format of a component drops.
//!
//! They travel in a custom section of their own, [`SECTION`], that [`embed`] appends and other tools
//! ignore. The `package-docs` section some tools write is read too.

use super::scan::clean;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use wit_parser::{Function, Resolve, TypeDefKind, TypeId, WorldId, WorldItem};

/// The custom section [`embed`] writes.
pub const SECTION: &str = "ringfence-docs";
/// The custom section other tools write.
pub(super) const PACKAGE_SECTION: &str = "package-docs";
/// The longest comment that is kept.
const MAX_DOC_CHARS: usize = 2_000;
/// The largest section that is read.
const MAX_SECTION_BYTES: usize = 1024 * 1024;
/// The entry for what stands in the world itself.
const WORLD: &str = "";

/// Comments by what they belong to.
#[derive(Debug, Default)]
pub(super) struct Docs {
    comments: HashMap<Subject, String>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Subject {
    interface: String,
    kind: Kind,
    name: String,
    item: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Function,
    Type,
}

impl Docs {
    /// Returns the comment of a function; `interface` is as the component names it.
    pub(super) fn function(&self, interface: Option<&str>, name: &str) -> Option<&str> {
        self.find(interface, Kind::Function, name, "")
    }

    /// Returns the comment of a type, or of a field or case of it.
    pub(super) fn of_type(&self, interface: Option<&str>, name: &str, item: &str) -> Option<&str> {
        self.find(interface, Kind::Type, name, item)
    }

    fn find(&self, interface: Option<&str>, kind: Kind, name: &str, item: &str) -> Option<&str> {
        let full = interface.unwrap_or(WORLD);
        let path = full.split_once('@').map_or(full, |(path, _)| path);
        let short = path.rsplit_once('/').map_or(path, |(_, short)| short);
        [full, short].into_iter().find_map(|interface| {
            let (interface, name, item) = (interface.to_owned(), name.to_owned(), item.to_owned());
            let subject = Subject { interface, kind, name, item };
            self.comments.get(&subject).map(String::as_str)
        })
    }

    /// Reads a section [`embed`] wrote; anything else in it is passed over.
    pub(super) fn read(&mut self, data: &[u8]) {
        if data.len() > MAX_SECTION_BYTES {
            return;
        }
        let Ok(Value::Object(interfaces)) = serde_json::from_slice(data) else { return };
        for (name, interface) in &interfaces {
            self.interface(name, interface);
        }
    }

    /// Reads a `package-docs` section: a version byte, then JSON.
    pub(super) fn read_package(&mut self, data: &[u8]) {
        let Some((0 | 1, json)) = data.split_first() else { return };
        if json.len() > MAX_SECTION_BYTES {
            return;
        }
        let Ok(package) = serde_json::from_slice::<Value>(json) else { return };
        for (name, interface) in entries(&package, "interfaces") {
            self.interface(name, interface);
        }
        for (_, world) in entries(&package, "worlds") {
            self.interface(WORLD, world);
            for (name, docs) in entries(world, "func_exports") {
                self.add(WORLD, Kind::Function, name, "", docs);
            }
            for key in ["interfaces", "interface_exports"] {
                for (name, interface) in entries(world, key) {
                    self.interface(name, interface);
                }
            }
        }
    }

    fn interface(&mut self, interface: &str, value: &Value) {
        for (name, docs) in entries(value, "funcs") {
            self.add(interface, Kind::Function, name, "", docs);
        }
        for (name, ty) in entries(value, "types") {
            self.add(interface, Kind::Type, name, "", ty);
            for (item, docs) in entries(ty, "items") {
                self.add(interface, Kind::Type, name, item, docs);
            }
        }
    }

    fn add(&mut self, interface: &str, kind: Kind, name: &str, item: &str, docs: &Value) {
        let text = docs.as_str().or_else(|| docs.get("docs").and_then(Value::as_str));
        let Some(text) = text else { return };
        let (interface, name, item) = (interface.to_owned(), name.to_owned(), item.to_owned());
        let subject = Subject { interface, kind, name, item };
        self.comments.insert(subject, clean(text, MAX_DOC_CHARS));
    }
}

fn entries<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// Returns `component` with the doc comments of `world` and of the interfaces in `resolve` appended.
pub fn embed(component: &[u8], resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut all = Map::new();
    for (id, interface) in &resolve.interfaces {
        let Some(name) = interface.package.and_then(|_| resolve.id_of(id)) else { continue };
        add(&mut all, name, resolve, interface.functions.values(), interface.types.values());
    }
    let (mut functions, mut types) = (Vec::new(), Vec::new());
    for (key, item) in resolve.worlds[world].exports.iter().chain(&resolve.worlds[world].imports) {
        match item {
            WorldItem::Function(function) => functions.push(function),
            WorldItem::Type { id, .. } => types.push(id),
            WorldItem::Interface { id, .. } if resolve.interfaces[*id].name.is_none() => {
                let inner = &resolve.interfaces[*id];
                let name = resolve.name_world_key(key);
                add(&mut all, name, resolve, inner.functions.values(), inner.types.values());
            }
            WorldItem::Interface { .. } => {}
        }
    }
    add(&mut all, WORLD.to_owned(), resolve, functions.into_iter(), types.into_iter());
    append(component, Value::Object(all).to_string().as_bytes())
}

fn add<'a>(
    all: &mut Map<String, Value>,
    name: String,
    resolve: &Resolve,
    functions: impl Iterator<Item = &'a Function>,
    types: impl Iterator<Item = &'a TypeId>,
) {
    let docs = |function: &Function| Some((function.name.clone(), text(&function.docs)?));
    let functions: Map<String, Value> = functions.filter_map(docs).collect();
    let types: Map<String, Value> = types.filter_map(|id| of_type(resolve, *id)).collect();
    if !functions.is_empty() || !types.is_empty() {
        all.insert(name, json!({ "funcs": functions, "types": types }));
    }
}

fn of_type(resolve: &Resolve, id: TypeId) -> Option<(String, Value)> {
    let ty = resolve.types.get(id)?;
    let item = |name: &String, docs: &wit_parser::Docs| Some((name.clone(), text(docs)?));
    let items: Map<String, Value> = match &ty.kind {
        TypeDefKind::Record(t) => t.fields.iter().filter_map(|f| item(&f.name, &f.docs)).collect(),
        TypeDefKind::Variant(t) => t.cases.iter().filter_map(|c| item(&c.name, &c.docs)).collect(),
        TypeDefKind::Enum(t) => t.cases.iter().filter_map(|c| item(&c.name, &c.docs)).collect(),
        TypeDefKind::Flags(t) => t.flags.iter().filter_map(|f| item(&f.name, &f.docs)).collect(),
        _ => Map::new(),
    };
    let docs = text(&ty.docs).unwrap_or(Value::Null);
    let has_any = !items.is_empty() || !docs.is_null();
    has_any.then_some((ty.name.clone()?, json!({ "docs": docs, "items": items })))
}

fn text(docs: &wit_parser::Docs) -> Option<Value> {
    let text = docs.contents.as_deref()?.trim();
    (!text.is_empty()).then(|| Value::String(clean(text, MAX_DOC_CHARS)))
}

/// Returns `component` with one more custom section.
fn append(component: &[u8], data: &[u8]) -> Vec<u8> {
    let mut content = leb128(SECTION.len());
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(data);
    let mut bytes = component.to_vec();
    bytes.push(0);
    bytes.extend(leb128(content.len()));
    bytes.extend(content);
    bytes
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
