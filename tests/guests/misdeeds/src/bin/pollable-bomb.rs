//! Makes pollables and drops none: [COUNT].

use misdeeds::wasi::clocks::monotonic_clock::subscribe_duration;

fn main() {
    misdeeds::attempt("pollable-bomb", |args| {
        let held: Vec<_> =
            (0..args.number(0, 50_000_000)).map(|_| subscribe_duration(u64::MAX)).collect();
        Ok(format!("{} pollables", held.len()))
    });
}
