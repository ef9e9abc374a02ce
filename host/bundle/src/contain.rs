//! Keeps a fault in a decoder of untrusted bytes from taking the host down.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a decoder made of its input.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The decoder met input that it was not written for.
#[derive(Debug, thiserror::Error)]
#[error("the decoder cannot cope with it")]
struct Fault;

/// Returns what `decode` returns, an error when it panics.
///
/// The WIT decoder has assertions that a valid component can reach (fuzzing found one). Nothing it
/// was working on is used afterwards, so no broken invariant can be seen. This holds only in a build
/// whose panics unwind.
pub(crate) fn panics<T>(decode: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(Fault.into()))
}
