//! WIT types as text, for people to read.

use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// The longest text of a type; beyond it the text ends in `…`.
const MAX_CHARS: usize = 500;

/// Returns the type as it is written in WIT; a named type is its name.
pub(super) fn wit(resolve: &Resolve, ty: &Type) -> String {
    let mut text = String::new();
    write(resolve, ty, &mut text);
    text
}

/// Returns the type behind `ty` after following aliases.
pub(super) fn behind(resolve: &Resolve, mut ty: Type) -> Type {
    while let Type::Id(id) = ty {
        match &resolve.types[id].kind {
            TypeDefKind::Type(next) => ty = *next,
            _ => break,
        }
    }
    ty
}

/// Returns the name of a type of `ringfence:mcp/types`, also where it stands in a `result`.
pub(super) fn of_mcp(resolve: &Resolve, ty: Type) -> Option<&str> {
    let Type::Id(id) = behind(resolve, ty) else { return None };
    let ty = &resolve.types[id];
    if let TypeDefKind::Result(result) = &ty.kind {
        return result.ok.and_then(|ok| named_by_mcp(resolve, ok));
    }
    named_by_mcp(resolve, Type::Id(id))
}

/// Tells whether a type is `option<answers>` of `ringfence:mcp/types`.
pub(super) fn is_answers(resolve: &Resolve, ty: Type) -> bool {
    let Type::Id(id) = behind(resolve, ty) else { return false };
    let TypeDefKind::Option(inner) = &resolve.types[id].kind else { return false };
    named_by_mcp(resolve, *inner) == Some("answers")
}

fn named_by_mcp(resolve: &Resolve, ty: Type) -> Option<&str> {
    let Type::Id(id) = behind(resolve, ty) else { return None };
    let ty = &resolve.types[id];
    let TypeOwner::Interface(owner) = ty.owner else { return None };
    let owner = &resolve.interfaces[owner];
    let package = &resolve.packages[owner.package?].name;
    let is_ours = owner.name.as_deref() == Some("types")
        && (package.namespace.as_str(), package.name.as_str()) == ("ringfence", "mcp");
    ty.name.as_deref().filter(|_| is_ours)
}

fn write(resolve: &Resolve, ty: &Type, text: &mut String) {
    if text.len() > MAX_CHARS {
        if !text.ends_with('…') {
            text.push('…');
        }
        return;
    }
    let name = match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => return write_defined(resolve, *id, text),
    };
    text.push_str(name);
}

fn write_defined(resolve: &Resolve, id: TypeId, text: &mut String) {
    let ty = &resolve.types[id];
    if let Some(name) = &ty.name {
        text.push_str(name);
        return;
    }
    let mut parts = |name: &str, types: &[Option<&Type>]| {
        text.push_str(name);
        for (index, ty) in types.iter().enumerate() {
            text.push_str(if index == 0 { "<" } else { ", " });
            match ty {
                Some(ty) => write(resolve, ty, text),
                None => text.push('_'),
            }
        }
        text.push_str(if types.is_empty() { "" } else { ">" });
    };
    match &ty.kind {
        TypeDefKind::Type(inner) => write(resolve, inner, text),
        TypeDefKind::List(inner) => parts("list", &[Some(inner)]),
        TypeDefKind::Option(inner) => parts("option", &[Some(inner)]),
        TypeDefKind::Map(key, value) => parts("map", &[Some(key), Some(value)]),
        TypeDefKind::Tuple(tuple) => {
            parts("tuple", &tuple.types.iter().map(Some).collect::<Vec<_>>());
        }
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => parts("result", &[]),
            (ok, None) => parts("result", &[ok.as_ref()]),
            (ok, err) => parts("result", &[ok.as_ref(), err.as_ref()]),
        },
        TypeDefKind::Future(inner) => parts("future", &inner.iter().map(Some).collect::<Vec<_>>()),
        TypeDefKind::Stream(inner) => parts("stream", &inner.iter().map(Some).collect::<Vec<_>>()),
        TypeDefKind::Handle(Handle::Own(id)) => parts("own", &[Some(&Type::Id(*id))]),
        TypeDefKind::Handle(Handle::Borrow(id)) => parts("borrow", &[Some(&Type::Id(*id))]),
        TypeDefKind::FixedLengthList(inner, length) => {
            text.push_str("list<");
            write(resolve, inner, text);
            text.push_str(", ");
            text.push_str(&length.to_string());
            text.push('>');
        }
        kind => text.push_str(kind.as_str()),
    }
}
