//! Any JSON as the input of functions of every type: refused with a place, or read, written and read
//! again without a change.
#![no_main]

#[path = "../checks/json_to_wit.rs"]
mod json_to_wit;
#[path = "../checks/told.rs"]
mod told;

use json_to_wit::Echoes;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ECHOES: LazyLock<Echoes> = LazyLock::new(Echoes::new);

fuzz_target!(|bytes: &[u8]| {
    ECHOES.check(bytes);
});
