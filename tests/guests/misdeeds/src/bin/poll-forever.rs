//! Waits on many far timers and on stdin at once, in one call of `poll`: [MILLISECONDS].

use misdeeds::wasi::cli::stdin::get_stdin;
use misdeeds::wasi::clocks::monotonic_clock::subscribe_duration;
use misdeeds::wasi::io::poll::poll;

fn main() {
    misdeeds::attempt("poll-forever", |args| {
        let nanoseconds = args.number(0, u64::MAX).saturating_mul(1_000_000);
        let timers: Vec<_> = (0..32).map(|_| subscribe_duration(nanoseconds)).collect();
        let stdin = get_stdin();
        let input = stdin.subscribe();
        // A closed stdin is always ready, so it is only waited on when it has something to say.
        let mut all: Vec<_> = timers.iter().collect();
        if args.optional(1) == Some("stdin") {
            all.push(&input);
        }
        Ok(format!("ready: {:?}", poll(&all)))
    });
}
