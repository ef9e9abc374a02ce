//! Writes log records without end: [COUNT] [BYTES].

use misdeeds::ringfence::host::log::{Level, write};

fn main() {
    misdeeds::attempt("log-flood", |args| {
        let count = args.number(0, 50_000_000);
        let message = "x".repeat(usize::try_from(args.number(1, 4096)).unwrap_or(4096));
        let fields = [("round".to_owned(), "flood".to_owned())];
        for _ in 0..count {
            write(Level::Error, &message, &fields);
        }
        Ok(format!("{count} records"))
    });
}
