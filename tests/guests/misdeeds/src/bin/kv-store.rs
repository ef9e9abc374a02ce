//! Stores a value and reads it back, as a good guest does: NAMESPACE KEY VALUE.

use misdeeds::wasi::keyvalue::store::open;

fn main() {
    misdeeds::attempt("kv-store", |args| {
        let key = args.text(1, "KEY");
        let bucket = open(args.text(0, "NAMESPACE")).map_err(|error| misdeeds::code(&error))?;
        let before = bucket.get(key).map_err(|error| misdeeds::code(&error))?;
        bucket
            .set(key, args.text(2, "VALUE").as_bytes())
            .map_err(|error| misdeeds::code(&error))?;
        let after = bucket.get(key).map_err(|error| misdeeds::code(&error))?;
        let show = |value: Option<Vec<u8>>| {
            value.map_or_else(|| "none".to_owned(), |bytes| misdeeds::excerpt(&bytes))
        };
        Ok(format!("{} -> {}", show(before), show(after)))
    });
}
