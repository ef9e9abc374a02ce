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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_an_error() {
        let outcome: Outcome<()> = panics(|| panic!("an assertion a hostile component reached"));
        assert_eq!(outcome.unwrap_err().to_string(), "the decoder cannot cope with it");
        assert_eq!(panics(|| Ok(3)).unwrap(), 3);
    }
}
