//! Counts for ever, or to ROUNDS, without calling the host: [ROUNDS].

fn main() {
    misdeeds::attempt("loop-guest", |args| {
        let rounds = args.number(0, u64::MAX);
        let mut count = 0_u64;
        while std::hint::black_box(count) < rounds {
            count += 1;
        }
        Ok(format!("{count} rounds"))
    });
}
