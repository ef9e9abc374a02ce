//! The limits the running call is under. The host enforces them whether a plugin looks or not.

pub use crate::bindings::ringfence::host::limits::Budget;

/// Returns what is left for this call. What is not limited is the largest number of its type.
pub fn remaining() -> Budget {
    imp()
}

#[cfg(target_family = "wasm")]
fn imp() -> Budget {
    crate::bindings::ringfence::host::limits::remaining()
}

#[cfg(not(target_family = "wasm"))]
fn imp() -> Budget {
    Budget {
        wall_ms: u64::MAX,
        cpu_ms: u64::MAX,
        memory_bytes: u64::MAX,
        output_bytes: u64::MAX,
        host_calls: u64::MAX,
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_limited_outside_a_host() {
        assert_eq!(remaining().host_calls, u64::MAX);
        assert_eq!(remaining().wall_ms, u64::MAX);
    }
}
