//! Stores empty values under ever new and long keys, which a quota of value bytes would miss: NAMESPACE [COUNT] [BYTES].

use misdeeds::wasi::keyvalue::store::open;

fn main() {
    misdeeds::attempt("kv-keys", |args| {
        let length = usize::try_from(args.number(2, 1024)).unwrap_or(1024);
        let bucket = open(args.text(0, "NAMESPACE")).map_err(|error| misdeeds::code(&error))?;
        let count = args.number(1, 1_000_000);
        for done in 0..count {
            bucket
                .set(&format!("{done:0length$}"), &[])
                .map_err(|error| format!("{} after {done}", misdeeds::code(&error)))?;
        }
        Ok(format!("{count} keys"))
    });
}
