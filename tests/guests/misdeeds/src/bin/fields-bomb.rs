//! Makes header lists and drops none: [COUNT] [BYTES].

use misdeeds::wasi::http::types::Fields;

fn main() {
    misdeeds::attempt("fields-bomb", |args| {
        let value = vec![b'x'; usize::try_from(args.number(1, 4096)).unwrap_or(4096)];
        let mut held = Vec::new();
        for _ in 0..args.number(0, 50_000_000) {
            let fields = Fields::new();
            fields
                .append("x-fill", &value)
                .map_err(|error| format!("{} after {}", misdeeds::code(&error), held.len()))?;
            held.push(fields);
        }
        Ok(format!("{} header lists", held.len()))
    });
}
