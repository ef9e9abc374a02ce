//! Reads the clocks twice: same answers mean that they are not real.

use misdeeds::wasi::clocks::{monotonic_clock, wall_clock};

fn main() {
    misdeeds::attempt("clock-probe", |_| {
        let wall = wall_clock::now();
        let first = monotonic_clock::now();
        // Long enough for a real clock to move, short enough not to be a loop.
        for round in 0..2_000_000_u32 {
            std::hint::black_box(round);
        }
        let second = monotonic_clock::now();
        Ok(format!(
            "wall {}.{:09} monotonic {first} {second} resolution {}",
            wall.seconds,
            wall.nanoseconds,
            monotonic_clock::resolution()
        ))
    });
}
