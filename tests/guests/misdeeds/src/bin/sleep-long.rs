//! Waits in one host call for a time that is far too long: [MILLISECONDS].

use misdeeds::wasi::clocks::monotonic_clock::subscribe_duration;

fn main() {
    misdeeds::attempt("sleep-long", |args| {
        let milliseconds = args.number(0, 3_600_000);
        subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
        Ok(format!("slept {milliseconds} ms"))
    });
}
