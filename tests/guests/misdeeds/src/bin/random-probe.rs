//! Shows the random bytes it was given: the same in every run mean that they are not random.

use misdeeds::wasi::random::random::{get_random_bytes, get_random_u64};

fn main() {
    misdeeds::attempt("random-probe", |_| {
        let hex: String = get_random_bytes(16).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{hex} {:016x}", get_random_u64()))
    });
}
