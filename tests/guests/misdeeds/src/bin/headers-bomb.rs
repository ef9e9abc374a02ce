//! Appends to one header list until the host refuses: [COUNT] [BYTES].

use misdeeds::wasi::http::types::Fields;

fn main() {
    misdeeds::attempt("headers-bomb", |args| {
        let value = vec![b'x'; usize::try_from(args.number(1, 4096)).unwrap_or(4096)];
        let fields = Fields::new();
        let count = args.number(0, 50_000_000);
        for done in 0..count {
            fields
                .append("x-fill", &value)
                .map_err(|error| format!("{} after {done}", misdeeds::code(&error)))?;
        }
        Ok(format!("{count} values"))
    });
}
