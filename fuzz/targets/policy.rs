//! Any text as a policy layer: refused or accepted, never a panic and never more authority.
#![no_main]

#[path = "../checks/policy.rs"]
mod policy;
#[path = "../checks/told.rs"]
mod told;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    policy::policy(bytes);
});
