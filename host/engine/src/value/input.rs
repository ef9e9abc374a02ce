//! From JSON to component values.

use super::error::{Path, describe, names, short};
use super::{Handles, MAX_DEPTH, MAX_VALUES, ValueError, may_be_null};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};
use std::ops::RangeInclusive;
use wasmtime::component::types::{Case, ComponentFunc, Record, ResultType, Type, Variant};
use wasmtime::component::{ResourceAny, ResourceType, Val};

/// The largest integer up to which every integer is its own float.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

pub(super) fn read_params(
    func: &ComponentFunc,
    input: &Value,
    handles: &mut Handles,
) -> Result<Vec<Val>, ValueError> {
    let mut reader = Reader { handles, taken: Vec::new(), lent: Vec::new(), left: MAX_VALUES };
    let params = reader.params(func, input);
    if params.is_err() {
        for (handle, resource) in reader.taken {
            reader.handles.put_back(handle, resource);
        }
    }
    params
}

struct Reader<'h> {
    handles: &'h mut Handles,
    /// Moved out of the table so far; put back when the rest cannot be read.
    taken: Vec<(u64, ResourceAny)>,
    lent: Vec<u64>,
    left: usize,
}

impl Reader<'_> {
    fn params(&mut self, func: &ComponentFunc, input: &Value) -> Result<Vec<Val>, ValueError> {
        let path = Path::root("input");
        let params: Vec<(&str, Type)> = func.params().collect();
        if let [(_, ty @ Type::Record(_))] = params.as_slice() {
            return Ok(vec![self.value(ty, input, &path)?]);
        }
        let known = || params.iter().map(|(name, _)| *name);
        let Value::Object(given) = input else {
            let expected = format!("an object of the parameters {}", names(known()));
            return Err(path.mismatch(expected, input));
        };
        refuse_unknown(given, known, "parameter", &path)?;
        params.iter().map(|(name, ty)| self.field(ty, given.get(*name), &path.key(name))).collect()
    }

    fn value(&mut self, ty: &Type, json: &Value, path: &Path<'_>) -> Result<Val, ValueError> {
        self.spend(1)?;
        if path.depth() > MAX_DEPTH {
            return Err(path.error(format!("at most {MAX_DEPTH} levels"), "a deeper one"));
        }
        match ty {
            Type::Bool => {
                json.as_bool().map(Val::Bool).ok_or_else(|| path.mismatch("true or false", json))
            }
            Type::S8 => integer(json, path).map(Val::S8),
            Type::U8 => integer(json, path).map(Val::U8),
            Type::S16 => integer(json, path).map(Val::S16),
            Type::U16 => integer(json, path).map(Val::U16),
            Type::S32 => integer(json, path).map(Val::S32),
            Type::U32 => integer(json, path).map(Val::U32),
            Type::S64 => integer(json, path).map(Val::S64),
            Type::U64 => integer(json, path).map(Val::U64),
            Type::Float32 => float32(json, path),
            Type::Float64 => float64(json, path).map(Val::Float64),
            Type::Char => character(json, path),
            Type::String => text(json, "a string", path).map(|text| Val::String(text.to_owned())),
            Type::List(list) => self.list(&list.ty(), json, path).map(Val::List),
            Type::FixedLengthList(list) => {
                let length = usize::try_from(list.len()).unwrap_or(usize::MAX);
                self.fixed_list(&list.ty(), length, json, path)
            }
            Type::Map(map) => self.map(&map.key(), &map.value(), json, path),
            Type::Record(record) => self.record(record, json, path),
            Type::Tuple(tuple) => {
                let types: Vec<Type> = tuple.types().collect();
                self.tuple(&types, json, path).map(Val::Tuple)
            }
            Type::Variant(variant) => self.variant(variant, json, path),
            Type::Enum(cases) => {
                let given = json.as_str().filter(|given| cases.names().any(|name| name == *given));
                let given = given.ok_or_else(|| one_of(cases.names(), json, path))?;
                Ok(Val::Enum(given.to_owned()))
            }
            Type::Option(option) => self.option(&option.ty(), json, path),
            Type::Result(result) => self.result(result, json, path),
            Type::Flags(flags) => {
                let known: Vec<&str> = flags.names().collect();
                read_flags(&known, json, path)
            }
            Type::Own(resource) => self.own(*resource, json, path),
            Type::Borrow(resource) => self.borrow(*resource, json, path),
            Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
                let what = super::opaque(ty).unwrap_or("this type");
                Err(ValueError::NotConvertible { path: path.to_string(), what })
            }
        }
    }

    /// Reads a field or parameter, which may be left out when it is an option.
    fn field(
        &mut self,
        ty: &Type,
        json: Option<&Value>,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        match (json, ty) {
            (Some(json), _) => self.value(ty, json, path),
            (None, Type::Option(_)) => {
                self.spend(1)?;
                Ok(Val::Option(None))
            }
            (None, _) => Err(path.error(kind_of(ty), "nothing")),
        }
    }

    fn list(&mut self, ty: &Type, json: &Value, path: &Path<'_>) -> Result<Vec<Val>, ValueError> {
        match (ty, json) {
            (Type::U8, Value::String(text)) => {
                // Checked before decoding, so that nothing large is built for nothing.
                self.spend(text.len() / 4 * 3)?;
                let bytes = STANDARD.decode(text).map_err(|_| {
                    path.error("bytes in base64 (RFC 4648, padded)", describe(json))
                })?;
                Ok(bytes.into_iter().map(Val::U8).collect())
            }
            (_, Value::Array(items)) => {
                let read = |(i, item)| self.value(ty, item, &path.index(i));
                items.iter().enumerate().map(read).collect()
            }
            (Type::U8, _) => Err(path.mismatch("bytes: a base64 string or an array", json)),
            _ => Err(path.mismatch("an array", json)),
        }
    }

    fn fixed_list(
        &mut self,
        ty: &Type,
        length: usize,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        let items = array_of(length, json, path)?;
        let read = |(i, item)| self.value(ty, item, &path.index(i));
        items.iter().enumerate().map(read).collect::<Result<_, _>>().map(Val::FixedLengthList)
    }

    fn tuple(
        &mut self,
        types: &[Type],
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Vec<Val>, ValueError> {
        let items = array_of(types.len(), json, path)?;
        let pairs = types.iter().zip(items).enumerate();
        pairs.map(|(i, (ty, item))| self.value(ty, item, &path.index(i))).collect()
    }

    fn map(
        &mut self,
        key: &Type,
        value: &Type,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        let Value::Array(pairs) = json else {
            return Err(path.mismatch("an array of pairs, [key, value]", json));
        };
        let mut read = Vec::new();
        for (i, pair) in pairs.iter().enumerate() {
            let path = path.index(i);
            let [first, second] = array_of(2, pair, &path)? else {
                return Err(path.mismatch("an array of 2 items", pair));
            };
            let first = self.value(key, first, &path.index(0))?;
            read.push((first, self.value(value, second, &path.index(1))?));
        }
        Ok(Val::Map(read))
    }

    fn record(
        &mut self,
        record: &Record,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        let known = || record.fields().map(|field| field.name);
        let Value::Object(given) = json else {
            return Err(path.mismatch(format!("an object with {}", names(known())), json));
        };
        refuse_unknown(given, known, "field", path)?;
        let read = |field: wasmtime::component::types::Field<'_>| {
            let value = self.field(&field.ty, given.get(field.name), &path.key(field.name))?;
            Ok((field.name.to_owned(), value))
        };
        record.fields().map(read).collect::<Result<_, _>>().map(Val::Record)
    }

    fn variant(
        &mut self,
        variant: &Variant,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        let wrong = || one_of(variant.cases().map(|case| case.name), json, path);
        let find = |name: &str| variant.cases().find(|case| case.name == name);
        match json {
            Value::String(name) => match find(name).ok_or_else(wrong)? {
                Case { name, ty: None } => Ok(Val::Variant(name.to_owned(), None)),
                Case { name, ty: Some(_) } => {
                    let expected = format!("an object {{\"{name}\": …}}, for the case has a value");
                    Err(path.mismatch(expected, json))
                }
            },
            Value::Object(given) => {
                let (name, payload) = only(given).ok_or_else(wrong)?;
                let unknown = || {
                    let cases = names(variant.cases().map(|case| case.name));
                    let found = format!("the case `{}`", short(name).escape_debug());
                    path.error(format!("one of {cases}"), found)
                };
                match find(name).ok_or_else(unknown)? {
                    Case { name, ty: Some(ty) } => {
                        let payload = self.value(&ty, payload, &path.key(name))?;
                        Ok(Val::Variant(name.to_owned(), Some(Box::new(payload))))
                    }
                    Case { name, ty: None } => {
                        let expected = format!("the string \"{name}\", for the case has no value");
                        Err(path.mismatch(expected, json))
                    }
                }
            }
            _ => Err(wrong()),
        }
    }

    fn option(&mut self, ty: &Type, json: &Value, path: &Path<'_>) -> Result<Val, ValueError> {
        let some = match json {
            Value::Null => return Ok(Val::Option(None)),
            json if !may_be_null(ty) => self.value(ty, json, path)?,
            json => {
                let some = json.as_object().and_then(only).filter(|(key, _)| *key == "some");
                let expected = "null or an object {\"some\": …}";
                let (key, some) = some.ok_or_else(|| path.mismatch(expected, json))?;
                self.value(ty, some, &path.key(key))?
            }
        };
        Ok(Val::Option(Some(Box::new(some))))
    }

    fn result(
        &mut self,
        result: &ResultType,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        let wrong = || path.mismatch("an object {\"ok\": …} or {\"error\": …}", json);
        let (key, payload) = json.as_object().and_then(only).ok_or_else(wrong)?;
        let inner = path.key(key);
        let mut payload = |ty: Option<Type>| match ty {
            Some(ty) => self.value(&ty, payload, &inner).map(|value| Some(Box::new(value))),
            None if payload.is_null() => Ok(None),
            None => Err(inner.mismatch("null", payload)),
        };
        match key {
            "ok" => Ok(Val::Result(Ok(payload(result.ok())?))),
            "error" => Ok(Val::Result(Err(payload(result.err())?))),
            _ => Err(wrong()),
        }
    }

    fn own(&mut self, ty: ResourceType, json: &Value, path: &Path<'_>) -> Result<Val, ValueError> {
        let (handle, resource) = self.handle(ty, json, path)?;
        if self.lent.contains(&handle) {
            return Err(path.error("a handle used once", format!("handle {handle} a second time")));
        }
        self.handles.remove(handle);
        self.taken.push((handle, resource));
        Ok(Val::Resource(resource))
    }

    fn borrow(
        &mut self,
        ty: ResourceType,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        let (handle, resource) = self.handle(ty, json, path)?;
        self.lent.push(handle);
        Ok(Val::Resource(resource))
    }

    fn handle(
        &self,
        ty: ResourceType,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<(u64, ResourceAny), ValueError> {
        let name = self.handles.type_name(ty);
        let expected = || format!("an open handle {{\"resource\": \"{name}\", \"handle\": …}}");
        let wrong = || path.mismatch(expected(), json);
        let given = json.as_object().ok_or_else(wrong)?;
        refuse_unknown(given, || ["resource", "handle"].into_iter(), "field", path)?;
        let given_name = given.get("resource").and_then(Value::as_str).ok_or_else(wrong)?;
        let handle = given.get("handle").and_then(Value::as_u64).ok_or_else(wrong)?;
        if given_name != name {
            return Err(path.error(expected(), format!("one of `{}`", short(given_name))));
        }
        match self.handles.find(handle) {
            None => Err(path.error(expected(), format!("handle {handle}, which is not open"))),
            Some(resource) if resource.ty() != ty => {
                let other = self.handles.type_name(resource.ty());
                Err(path.error(expected(), format!("handle {handle}, which is of `{other}`")))
            }
            Some(resource) => Ok((handle, resource)),
        }
    }

    fn spend(&mut self, values: usize) -> Result<(), ValueError> {
        let left = self.left.checked_sub(values);
        self.left = left.ok_or(ValueError::TooLarge { most: MAX_VALUES })?;
        Ok(())
    }
}

/// Returns the only member of an object that has exactly one.
fn only(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, value) = object.iter().next()?;
    (object.len() == 1).then_some((key.as_str(), value))
}

fn refuse_unknown<'a, N: Iterator<Item = &'a str>>(
    given: &Map<String, Value>,
    known: impl Fn() -> N,
    what: &str,
    path: &Path<'_>,
) -> Result<(), ValueError> {
    match given.keys().find(|key| !known().any(|name| name == key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let expected = format!("only the {what}s {}", names(known()));
            Err(path.error(expected, format!("the {what} `{}`", short(key).escape_debug())))
        }
    }
}

fn one_of<'a>(known: impl Iterator<Item = &'a str>, json: &Value, path: &Path<'_>) -> ValueError {
    path.mismatch(format!("one of {}", names(known)), json)
}

fn array_of<'v>(
    length: usize,
    json: &'v Value,
    path: &Path<'_>,
) -> Result<&'v [Value], ValueError> {
    let items = json.as_array().filter(|items| items.len() == length);
    let items = items.ok_or_else(|| path.mismatch(format!("an array of {length} items"), json))?;
    Ok(items)
}

fn text<'v>(json: &'v Value, expected: &str, path: &Path<'_>) -> Result<&'v str, ValueError> {
    json.as_str().ok_or_else(|| path.mismatch(expected, json))
}

fn character(json: &Value, path: &Path<'_>) -> Result<Val, ValueError> {
    let expected = "a string of one character";
    let mut characters = text(json, expected, path)?.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Ok(Val::Char(one)),
        _ => Err(path.mismatch(expected, json)),
    }
}

fn read_flags(known: &[&str], json: &Value, path: &Path<'_>) -> Result<Val, ValueError> {
    let wrong = |json| path.mismatch(format!("an array of {}", names(known.iter().copied())), json);
    let mut set: Vec<String> = Vec::new();
    for (i, item) in json.as_array().ok_or_else(|| wrong(json))?.iter().enumerate() {
        let path = path.index(i);
        let given = item.as_str().filter(|given| known.contains(given));
        let given = given.ok_or_else(|| one_of(known.iter().copied(), item, &path))?;
        if set.iter().any(|flag| flag == given) {
            return Err(path.error("each flag once", format!("`{given}` a second time")));
        }
        set.push(given.to_owned());
    }
    Ok(Val::Flags(set))
}

/// An integer type of WIT.
trait Integer: Sized {
    const RANGE: RangeInclusive<i128>;
    /// Whether it may also be written as a string, for JSON readers that only have floats.
    const AS_TEXT: bool;
    fn from_wide(wide: i128) -> Option<Self>;
}

macro_rules! integers {
    ($($ty:ty, $as_text:literal;)*) => {$(
        impl Integer for $ty {
            const RANGE: RangeInclusive<i128> = (<$ty>::MIN as i128)..=(<$ty>::MAX as i128);
            const AS_TEXT: bool = $as_text;
            fn from_wide(wide: i128) -> Option<Self> {
                wide.try_into().ok()
            }
        }
    )*};
}

integers! {
    i8, false; u8, false; i16, false; u16, false; i32, false; u32, false; i64, true; u64, true;
}

fn integer<T: Integer>(json: &Value, path: &Path<'_>) -> Result<T, ValueError> {
    let wide = match json {
        Value::Number(number) => whole(number),
        Value::String(digits) if T::AS_TEXT => decimal(digits),
        _ => None,
    };
    wide.and_then(T::from_wide).ok_or_else(|| {
        let (least, most) = (T::RANGE.start(), T::RANGE.end());
        let also = if T::AS_TEXT { ", or one as a decimal string" } else { "" };
        path.mismatch(format!("an integer from {least} to {most}{also}"), json)
    })
}

/// Returns the integer that `number` is; `2.0` is one, as it is in JSON schemas.
fn whole(number: &Number) -> Option<i128> {
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    exact.or_else(|| {
        let float = number.as_f64()?;
        let whole = float.fract() == 0.0 && float.abs() <= EXACT_FLOAT;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        whole.then_some(float as i128)
    })
}

fn decimal(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn float64(json: &Value, path: &Path<'_>) -> Result<f64, ValueError> {
    let number = match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    let expected = "a number, or \"NaN\", \"Infinity\" or \"-Infinity\"";
    number.ok_or_else(|| path.mismatch(expected, json))
}

fn float32(json: &Value, path: &Path<'_>) -> Result<Val, ValueError> {
    let wide = float64(json, path)?;
    #[expect(clippy::cast_possible_truncation, reason = "an overflow is refused below")]
    let narrow = wide as f32;
    if narrow.is_infinite() && wide.is_finite() {
        return Err(path.mismatch("a number in the range of a 32-bit float", json));
    }
    Ok(Val::Float32(narrow))
}

/// Returns what a value of `ty` looks like, for an error about one that is missing.
fn kind_of(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "true or false",
        Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 => "an integer",
        Type::S64 | Type::U64 => "an integer or a decimal string",
        Type::Float32 | Type::Float64 => "a number",
        Type::Char | Type::String | Type::Enum(_) => "a string",
        Type::List(_)
        | Type::FixedLengthList(_)
        | Type::Map(_)
        | Type::Tuple(_)
        | Type::Flags(_) => "an array",
        Type::Record(_) | Type::Result(_) => "an object",
        Type::Variant(_) => "a string or an object",
        Type::Option(_) => "a value or null",
        Type::Own(_) | Type::Borrow(_) => "an open handle",
        Type::Future(_) | Type::Stream(_) | Type::ErrorContext => "what JSON cannot hold",
    }
}
