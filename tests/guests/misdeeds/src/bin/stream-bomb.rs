//! Takes handles of the output stream and drops none: [COUNT].

use misdeeds::wasi::cli::stdout::get_stdout;

fn main() {
    misdeeds::attempt("stream-bomb", |args| {
        let held: Vec<_> = (0..args.number(0, 50_000_000)).map(|_| get_stdout()).collect();
        Ok(format!("{} streams", held.len()))
    });
}
