//! Questions to the person who runs the host. A yes grants nothing.

use std::time::Duration;

pub use crate::bindings::ringfence::agent::approval::Verdict;

/// Asks before a step the agent itself knows to be risky: what it wants to do, and the details as JSON.
pub fn ask(action: &str, details: &str, timeout: Duration) -> Verdict {
    imp(action, details, timeout)
}

#[cfg(target_family = "wasm")]
fn imp(action: &str, details: &str, timeout: Duration) -> Verdict {
    crate::bindings::ringfence::agent::approval::ask(
        action,
        details,
        super::control::millis(timeout),
    )
}

#[cfg(not(target_family = "wasm"))]
fn imp(_: &str, _: &str, _: Duration) -> Verdict {
    Verdict::NoApprover
}
