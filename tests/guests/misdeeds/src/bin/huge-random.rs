//! Asks for more random bytes than any host has memory for: [BYTES].

use misdeeds::wasi::random::random::get_random_bytes;

fn main() {
    misdeeds::attempt("huge-random", |args| {
        let bytes = get_random_bytes(args.number(0, u64::MAX));
        Ok(format!("{} bytes", bytes.len()))
    });
}
