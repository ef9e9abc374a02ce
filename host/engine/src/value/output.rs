//! From component values to JSON.

use super::error::Path;
use super::{CallResult, Handles, ValueError, may_be_null};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value, json};
use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, Type};

/// The largest integer that every JSON reader reads exactly (RFC 7493).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

pub(super) fn write_result(
    func: &ComponentFunc,
    results: &[Val],
    handles: &mut Handles,
) -> Result<CallResult, ValueError> {
    let path = Path::root("result");
    let mut types = func.results();
    let (ty, value) = match (types.next(), results) {
        (None, []) => return Ok(CallResult::Ok(Value::Null)),
        (Some(ty), [value]) => (ty, value),
        _ => return Err(other_type(&path)),
    };
    let Type::Result(result) = &ty else {
        return write(&ty, value, handles, &path).map(CallResult::Ok);
    };
    match value {
        Val::Result(Ok(value)) => {
            payload(result.ok(), value.as_deref(), handles, &path).map(CallResult::Ok)
        }
        Val::Result(Err(value)) => {
            payload(result.err(), value.as_deref(), handles, &path).map(CallResult::Err)
        }
        _ => Err(other_type(&path)),
    }
}

fn write(
    ty: &Type,
    value: &Val,
    handles: &mut Handles,
    path: &Path<'_>,
) -> Result<Value, ValueError> {
    if let Some(plain) = scalar(value) {
        return Ok(plain);
    }
    Ok(match (ty, value) {
        (Type::List(list), Val::List(items)) => match list.ty() {
            Type::U8 => bytes(items, path)?,
            ty => array(std::iter::repeat(&ty).zip(items), handles, path)?,
        },
        (Type::FixedLengthList(list), Val::FixedLengthList(items)) => {
            array(std::iter::repeat(&list.ty()).zip(items), handles, path)?
        }
        (Type::Tuple(tuple), Val::Tuple(items)) => {
            let types: Vec<Type> = tuple.types().collect();
            array(types.iter().zip(items), handles, path)?
        }
        (Type::Map(map), Val::Map(pairs)) => {
            let types = [map.key(), map.value()];
            let pair = |(i, (key, value)): (usize, &(Val, Val))| {
                array(types.iter().zip([key, value]), handles, &path.index(i))
            };
            pairs.iter().enumerate().map(pair).collect::<Result<Vec<_>, _>>()?.into()
        }
        (Type::Record(record), Val::Record(fields)) => {
            let types = record.fields().map(|field| field.ty);
            object(types.zip(fields), handles, path)?
        }
        (Type::Variant(_), Val::Variant(name, None)) => json!(name),
        (Type::Variant(variant), Val::Variant(name, value)) => {
            let case = variant.cases().find(|case| case.name == name);
            let ty = case.and_then(|case| case.ty);
            member(name, payload(ty, value.as_deref(), handles, &path.key(name))?)
        }
        (Type::Option(_), Val::Option(None)) => Value::Null,
        (Type::Option(option), Val::Option(Some(value))) => match option.ty() {
            ty if may_be_null(&ty) => {
                member("some", write(&ty, value, handles, &path.key("some"))?)
            }
            ty => write(&ty, value, handles, path)?,
        },
        (Type::Result(result), Val::Result(value)) => {
            let (name, ty, value) = match value {
                Ok(value) => ("ok", result.ok(), value),
                Err(value) => ("error", result.err(), value),
            };
            member(name, payload(ty, value.as_deref(), handles, &path.key(name))?)
        }
        (_, Val::Resource(resource)) => {
            let name = handles.type_name(resource.ty()).to_owned();
            json!({ "resource": name, "handle": handles.insert(*resource) })
        }
        _ => return Err(other_type(path)),
    })
}

fn object<'v>(
    fields: impl Iterator<Item = (Type, &'v (String, Val))>,
    handles: &mut Handles,
    path: &Path<'_>,
) -> Result<Value, ValueError> {
    let mut object = Map::new();
    for (ty, (name, value)) in fields {
        object.insert(name.clone(), write(&ty, value, handles, &path.key(name))?);
    }
    Ok(Value::Object(object))
}

/// Writes a value whose form does not depend on its type.
fn scalar(value: &Val) -> Option<Value> {
    Some(match value {
        Val::Bool(value) => json!(value),
        Val::S8(value) => json!(value),
        Val::U8(value) => json!(value),
        Val::S16(value) => json!(value),
        Val::U16(value) => json!(value),
        Val::S32(value) => json!(value),
        Val::U32(value) => json!(value),
        Val::S64(value) if value.unsigned_abs() <= MAX_SAFE_INTEGER => json!(value),
        Val::S64(value) => json!(value.to_string()),
        Val::U64(value) if *value <= MAX_SAFE_INTEGER => json!(value),
        Val::U64(value) => json!(value.to_string()),
        Val::Float32(value) => float32(*value),
        Val::Float64(value) => float64(*value),
        Val::Char(value) => json!(value),
        Val::String(value) | Val::Enum(value) => json!(value),
        Val::Flags(flags) => json!(flags),
        _ => return None,
    })
}

fn payload(
    ty: Option<Type>,
    value: Option<&Val>,
    handles: &mut Handles,
    path: &Path<'_>,
) -> Result<Value, ValueError> {
    match (ty, value) {
        (Some(ty), Some(value)) => write(&ty, value, handles, path),
        (None, None) => Ok(Value::Null),
        _ => Err(other_type(path)),
    }
}

fn array<'v>(
    items: impl Iterator<Item = (&'v Type, &'v Val)>,
    handles: &mut Handles,
    path: &Path<'_>,
) -> Result<Value, ValueError> {
    let item = |(i, (ty, item))| write(ty, item, handles, &path.index(i));
    items.enumerate().map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn bytes(items: &[Val], path: &Path<'_>) -> Result<Value, ValueError> {
    let byte = |item: &Val| match item {
        Val::U8(byte) => Ok(*byte),
        _ => Err(other_type(path)),
    };
    let bytes = items.iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
    Ok(STANDARD.encode(bytes).into())
}

fn member(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// Writes the shortest decimal that reads back as the same 32-bit float: `0.1`, not
/// `0.10000000149011612`.
fn float32(value: f32) -> Value {
    let wide = value.to_string().parse().unwrap_or(f64::from(value));
    #[expect(clippy::cast_possible_truncation, reason = "only to see whether it reads back")]
    let same = (wide as f32).to_bits() == value.to_bits();
    float64(if same { wide } else { f64::from(value) })
}

fn float64(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => json!("NaN"),
        None if value > 0.0 => json!("Infinity"),
        None => json!("-Infinity"),
    }
}

fn other_type(path: &Path<'_>) -> ValueError {
    let what = "a stream, a future or a value of another type";
    ValueError::NotConvertible { path: path.to_string(), what }
}
