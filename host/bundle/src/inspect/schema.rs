//! JSON Schemas (draft 2020-12) of functions; `docs/reference/json-mapping.md` is the contract.
//!
//! Named types stand once, in `$defs`, and every schema has a budget: a small component cannot
//! describe a type whose schema fills the memory.

use super::docs::Docs;
use super::{NotCallable, types};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use wit_parser::{Param, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner};

/// The dialect every schema names.
pub(super) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// The most nodes of one schema.
const MAX_SCHEMA_NODES: usize = 5_000;
/// The most nodes of all schemas of a component together.
const MAX_COMPONENT_NODES: usize = 200_000;
/// How deep types may lie in types; the decoder allows no more than 100.
const MAX_DEPTH: usize = 64;

/// Whether a schema describes what goes in or what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Input,
    Output,
}

/// How many nodes can still be made for a component.
pub(super) struct Budget {
    nodes: usize,
}

impl Budget {
    pub(super) fn of_component() -> Self {
        Self { nodes: MAX_COMPONENT_NODES }
    }
}

type Schema = Result<Value, NotCallable>;

/// Returns the schema of a function's input: an object with its parameters, or the record that is its
/// only parameter. The parameter `hidden` is the host's to fill.
pub(super) fn input(
    resolve: &Resolve,
    docs: &Docs,
    params: &[Param],
    hidden: Option<&str>,
    budget: &mut Budget,
) -> Schema {
    let mut builder = Builder::new(resolve, docs, Direction::Input, budget);
    let only_record = match params {
        [only] => builder.record_behind(&only.ty),
        _ => None,
    };
    let root = if let Some(id) = only_record {
        builder.defined(id, 0)?
    } else {
        let shown = params.iter().filter(|param| Some(param.name.as_str()) != hidden);
        builder.object(shown.map(|param| (param.name.as_str(), &param.ty, None)), 0)?
    };
    Ok(builder.finish(root))
}

/// Returns the schema of a function's output. Of a `result` at the top only the good half is output.
pub(super) fn output(
    resolve: &Resolve,
    docs: &Docs,
    result: Option<&Type>,
    budget: &mut Budget,
) -> Schema {
    let mut builder = Builder::new(resolve, docs, Direction::Output, budget);
    let root = match result.map(|ty| (ty, types::behind(resolve, *ty))) {
        None => json!({ "type": "null" }),
        Some((ty, Type::Id(id))) => match &resolve.types[id].kind {
            TypeDefKind::Result(result) => {
                // The other half is not output, but it must be convertible to tell the failure.
                builder.payload(result.err.as_ref(), 0)?;
                builder.payload(result.ok.as_ref(), 0)?
            }
            _ => builder.ty(ty, 0)?,
        },
        Some((ty, _)) => builder.ty(ty, 0)?,
    };
    Ok(builder.finish(root))
}

struct Builder<'a> {
    resolve: &'a Resolve,
    docs: &'a Docs,
    direction: Direction,
    budget: &'a mut Budget,
    nodes: usize,
    defs: Map<String, Value>,
    names: HashMap<TypeId, String>,
}

impl<'a> Builder<'a> {
    fn new(
        resolve: &'a Resolve,
        docs: &'a Docs,
        direction: Direction,
        budget: &'a mut Budget,
    ) -> Self {
        let (defs, names) = (Map::new(), HashMap::new());
        Self { resolve, docs, direction, budget, nodes: 0, defs, names }
    }

    /// Adds the dialect and those definitions that `root` reaches.
    fn finish(mut self, mut root: Value) -> Value {
        let mut used = Map::new();
        take_used(&root, &mut self.defs, &mut used);
        if let Some(root) = root.as_object_mut() {
            root.insert("$schema".to_owned(), Value::from(DIALECT));
            if !used.is_empty() {
                root.insert("$defs".to_owned(), Value::Object(used));
            }
        }
        root
    }

    fn spend(&mut self, depth: usize) -> Result<(), NotCallable> {
        self.nodes += 1;
        self.budget.nodes = self.budget.nodes.saturating_sub(1);
        if self.nodes > MAX_SCHEMA_NODES || self.budget.nodes == 0 || depth > MAX_DEPTH {
            return Err(NotCallable::TooLarge);
        }
        Ok(())
    }

    /// Returns the schema of a type: a reference when it has a name.
    fn ty(&mut self, ty: &Type, depth: usize) -> Schema {
        self.spend(depth)?;
        Ok(match types::behind(self.resolve, *ty) {
            Type::Bool => json!({ "type": "boolean" }),
            Type::U8 => integer(0, u64::from(u8::MAX)),
            Type::U16 => integer(0, u64::from(u16::MAX)),
            Type::U32 => integer(0, u64::from(u32::MAX)),
            Type::S8 => integer(i8::MIN.into(), 0x7f),
            Type::S16 => integer(i16::MIN.into(), 0x7fff),
            Type::S32 => integer(i32::MIN.into(), 0x7fff_ffff),
            Type::U64 => wide(0, u64::MAX),
            Type::S64 => wide(i64::MIN, i64::MAX.unsigned_abs()),
            Type::F32 | Type::F64 => json!({
                "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }]
            }),
            Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Type::String => json!({ "type": "string" }),
            Type::ErrorContext => return Err(NotCallable::NoJson { ty: "error-context" }),
            Type::Id(id) if self.is_shared(id) => self.reference(id, depth)?,
            Type::Id(id) => self.defined(id, depth)?,
        })
    }

    fn is_shared(&self, id: TypeId) -> bool {
        let ty = &self.resolve.types[id];
        ty.name.is_some() && !matches!(ty.kind, TypeDefKind::Handle(_) | TypeDefKind::Resource)
    }

    fn reference(&mut self, id: TypeId, depth: usize) -> Schema {
        if let Some(name) = self.names.get(&id) {
            return Ok(reference(name));
        }
        let wanted = self.resolve.types[id].name.clone().unwrap_or_default();
        let taken = |name: &String| self.names.values().any(|used| used == name);
        let numbered = (2_usize..).map(|number| format!("{wanted}-{number}"));
        let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken(name));
        let name = name.unwrap_or(wanted);
        self.names.insert(id, name.clone());
        let schema = self.defined(id, depth)?;
        self.defs.insert(name.clone(), schema);
        Ok(reference(&name))
    }

    /// Returns the schema of a defined type in full.
    fn defined(&mut self, id: TypeId, depth: usize) -> Schema {
        let resolve = self.resolve;
        let ty = &resolve.types[id];
        let below = depth + 1;
        let schema = match &ty.kind {
            TypeDefKind::Type(inner) => self.ty(inner, below)?,
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let field = fields.map(|field| (field.name.as_str(), &field.ty, Some(ty)));
                self.object(field, depth)?
            }
            TypeDefKind::List(inner) => self.list(inner, below)?,
            TypeDefKind::FixedLengthList(inner, length) => json!({
                "type": "array", "items": self.ty(inner, below)?,
                "minItems": length, "maxItems": length
            }),
            TypeDefKind::Tuple(tuple) => self.tuple(&tuple.types, below)?,
            TypeDefKind::Map(key, value) => {
                json!({ "type": "array", "items": self.tuple(&[*key, *value], below)? })
            }
            TypeDefKind::Option(inner) => self.option(inner, below)?,
            TypeDefKind::Result(result) => json!({ "oneOf": [
                one_key("ok", self.payload(result.ok.as_ref(), below)?),
                one_key("error", self.payload(result.err.as_ref(), below)?),
            ] }),
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases = cases.map(|case| self.case(ty, &case.name, case.ty.as_ref(), below));
                json!({ "oneOf": cases.collect::<Result<Vec<_>, _>>()? })
            }
            TypeDefKind::Enum(kind) => {
                self.words(ty, kind.cases.iter().map(|case| case.name.as_str()), below)?
            }
            TypeDefKind::Flags(flags) => {
                let words = flags.flags.iter().map(|flag| flag.name.as_str());
                json!({ "type": "array", "items": self.words(ty, words, below)?, "uniqueItems": true })
            }
            TypeDefKind::Handle(wit_parser::Handle::Own(id) | wit_parser::Handle::Borrow(id)) => {
                self.handle(*id)
            }
            TypeDefKind::Resource => self.handle(id),
            TypeDefKind::Future(_) => return Err(NotCallable::NoJson { ty: "future" }),
            TypeDefKind::Stream(_) => return Err(NotCallable::NoJson { ty: "stream" }),
            TypeDefKind::Unknown => return Err(NotCallable::NoJson { ty: "unknown type" }),
        };
        Ok(described(schema, self.comment(ty, "")))
    }

    /// Returns an object with exactly these fields, of which those of option type may be absent.
    fn object<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f str, &'f Type, Option<&'f TypeDef>)>,
        depth: usize,
    ) -> Schema {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, ty, owner) in fields {
            let schema = self.ty(ty, depth + 1)?;
            let comment = owner.and_then(|owner| self.comment(owner, name));
            properties.insert(name.to_owned(), described(schema, comment));
            if !self.is_option(ty) {
                required.push(name);
            }
        }
        Ok(json!({
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": false
        }))
    }

    fn list(&mut self, inner: &Type, depth: usize) -> Schema {
        let bytes = matches!(types::behind(self.resolve, *inner), Type::U8);
        let base64 = json!({ "type": "string", "contentEncoding": "base64" });
        if bytes && self.direction == Direction::Output {
            return Ok(base64);
        }
        let array = json!({ "type": "array", "items": self.ty(inner, depth)? });
        Ok(if bytes { json!({ "anyOf": [base64, array] }) } else { array })
    }

    fn tuple(&mut self, types: &[Type], depth: usize) -> Schema {
        let items: Vec<Value> =
            types.iter().map(|ty| self.ty(ty, depth)).collect::<Result<_, _>>()?;
        let count = items.len();
        Ok(json!({
            "type": "array", "prefixItems": items, "items": false,
            "minItems": count, "maxItems": count
        }))
    }

    fn option(&mut self, inner: &Type, depth: usize) -> Schema {
        let some = self.ty(inner, depth)?;
        let some = if self.is_option(inner) { one_key("some", some) } else { some };
        Ok(json!({ "anyOf": [some, { "type": "null" }] }))
    }

    fn payload(&mut self, ty: Option<&Type>, depth: usize) -> Schema {
        ty.map_or_else(|| Ok(json!({ "type": "null" })), |ty| self.ty(ty, depth))
    }

    fn case(&mut self, owner: &TypeDef, name: &str, ty: Option<&Type>, depth: usize) -> Schema {
        self.spend(depth)?;
        let schema = match ty {
            None => json!({ "const": name }),
            Some(ty) => one_key(name, self.ty(ty, depth)?),
        };
        Ok(described(schema, self.comment(owner, name)))
    }

    /// Returns a string that is one of `words`, with their comments when they have some.
    fn words<'w>(
        &mut self,
        owner: &TypeDef,
        words: impl Iterator<Item = &'w str>,
        depth: usize,
    ) -> Schema {
        let words: Vec<&str> = words.collect();
        let mut cases = Vec::new();
        for word in &words {
            cases.push(self.case(owner, word, None, depth)?);
        }
        let plain = cases.iter().all(|case| case.get("description").is_none());
        Ok(if plain {
            json!({ "type": "string", "enum": words })
        } else {
            json!({ "type": "string", "oneOf": cases })
        })
    }

    fn handle(&self, resource: TypeId) -> Value {
        let id = match types::behind(self.resolve, Type::Id(resource)) {
            Type::Id(id) => id,
            _ => resource,
        };
        let name = self.resolve.types[id].name.as_deref().unwrap_or("resource");
        json!({
            "type": "object",
            "properties": {
                "resource": { "const": name },
                "handle": { "type": "integer", "minimum": 0 }
            },
            "required": ["resource", "handle"],
            "additionalProperties": false
        })
    }

    fn comment(&self, ty: &TypeDef, item: &str) -> Option<&'a str> {
        let interface = match ty.owner {
            TypeOwner::Interface(id) => self.resolve.id_of(id),
            TypeOwner::World(_) => None,
            TypeOwner::None => return None,
        };
        self.docs.of_type(interface.as_deref(), ty.name.as_deref()?, item)
    }

    fn is_option(&self, ty: &Type) -> bool {
        match types::behind(self.resolve, *ty) {
            Type::Id(id) => matches!(self.resolve.types[id].kind, TypeDefKind::Option(_)),
            _ => false,
        }
    }

    fn record_behind(&self, ty: &Type) -> Option<TypeId> {
        match types::behind(self.resolve, *ty) {
            Type::Id(id) => {
                matches!(self.resolve.types[id].kind, TypeDefKind::Record(_)).then_some(id)
            }
            _ => None,
        }
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn integer(least: i64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A 64-bit integer: JSON numbers lose digits beyond 2^53, so a decimal string does as well.
fn wide(least: i64, most: u64) -> Value {
    let text = json!({ "type": "string", "pattern": "^-?[0-9]{1,20}$" });
    json!({ "anyOf": [integer(least, most), text] })
}

fn one_key(key: &str, value: Value) -> Value {
    let mut properties = Map::new();
    properties.insert(key.to_owned(), value);
    json!({
        "type": "object", "properties": properties, "required": [key],
        "additionalProperties": false
    })
}

/// Adds the comment as the description, unless a nearer one is there.
fn described(mut schema: Value, comment: Option<&str>) -> Value {
    if let (Some(object), Some(comment)) = (schema.as_object_mut(), comment) {
        object.insert("description".to_owned(), Value::from(comment));
    }
    schema
}

/// Moves the definitions that `schema` refers to, directly or not, from `defs` to `used`.
fn take_used(schema: &Value, defs: &mut Map<String, Value>, used: &mut Map<String, Value>) {
    match schema {
        Value::Object(object) => {
            let target = object.get("$ref").and_then(Value::as_str);
            if let Some(name) = target.and_then(|target| target.strip_prefix("#/$defs/"))
                && let Some((name, definition)) = defs.remove_entry(name)
            {
                take_used(&definition, defs, used);
                used.insert(name, definition);
            }
            object.values().for_each(|value| take_used(value, defs, used));
        }
        Value::Array(items) => items.iter().for_each(|value| take_used(value, defs, used)),
        _ => {}
    }
}
