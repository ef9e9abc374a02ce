//! JSON and component values: how a caller who only has JSON calls any exported function.
//!
//! The mapping is driven by the function's type, in both directions, and is the one the JSON
//! schemas describe. It never panics on any JSON, never builds more than a bounded number of
//! values, and moves a resource out of [`Handles`] only when the whole input could be read.
//!
//! Start with [`params_from_json`] and [`result_to_json`].

mod error;
mod handles;
mod input;
mod output;
#[cfg(test)]
mod tests;

pub use error::ValueError;
pub use handles::Handles;

use serde_json::Value;
use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, Type};

/// How deep the JSON of an input may nest.
const MAX_DEPTH: usize = 64;

/// How many values one input may become: about 256 MiB of the host's memory.
const MAX_VALUES: usize = 8 << 20;

/// What a function gave back, with a `result<_, _>` at the top already taken apart.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must tell success from failure")]
pub enum CallResult {
    /// The value, or null for a function without a result.
    Ok(Value),
    /// The plugin's own error value, or null for an error without one.
    Err(Value),
}

/// Returns the parameters of `func` read from `input`.
///
/// The input is an object of parameters by name, except that the input of a function with one
/// parameter that is a record is that record. A parameter of type `own` takes its resource out of
/// `handles`; one of type `borrow` leaves it there.
///
/// # Errors
/// When the input does not fit the type, names a handle that is not open or is too large. `handles`
/// is then as it was before.
pub fn params_from_json(
    func: &ComponentFunc,
    input: &Value,
    handles: &mut Handles,
) -> Result<Vec<Val>, ValueError> {
    input::read_params(func, input, handles)
}

/// Returns the results of a call of `func` as JSON. New resources are put into `handles`.
///
/// # Errors
/// When a value cannot be written as JSON (a stream, a future) or is not of the function's type.
pub fn result_to_json(
    func: &ComponentFunc,
    results: &[Val],
    handles: &mut Handles,
) -> Result<CallResult, ValueError> {
    output::write_result(func, results, handles)
}

/// Tells why `func` cannot be called through JSON, if it cannot.
pub fn not_callable(func: &ComponentFunc) -> Option<&'static str> {
    func.params().map(|(_, ty)| ty).chain(func.results()).find_map(|ty| opaque(&ty))
}

/// Returns the name of what inside `ty` has no JSON form.
fn opaque(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Future(_) => Some("a future"),
        Type::Stream(_) => Some("a stream"),
        Type::ErrorContext => Some("an error-context"),
        Type::List(list) => opaque(&list.ty()),
        Type::FixedLengthList(list) => opaque(&list.ty()),
        Type::Map(map) => opaque(&map.key()).or_else(|| opaque(&map.value())),
        Type::Record(record) => record.fields().find_map(|field| opaque(&field.ty)),
        Type::Tuple(tuple) => tuple.types().find_map(|ty| opaque(&ty)),
        Type::Variant(variant) => {
            variant.cases().find_map(|case| case.ty.and_then(|ty| opaque(&ty)))
        }
        Type::Option(option) => opaque(&option.ty()),
        Type::Result(result) => {
            [result.ok(), result.err()].into_iter().flatten().find_map(|ty| opaque(&ty))
        }
        _ => None,
    }
}

/// Tells whether `null` is one of the values of `ty`, so that `option<ty>` needs another form.
fn may_be_null(ty: &Type) -> bool {
    matches!(ty, Type::Option(_))
}
