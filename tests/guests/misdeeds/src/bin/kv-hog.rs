//! Stores values until its quota is full: NAMESPACE [COUNT] [BYTES].

use misdeeds::wasi::keyvalue::store::open;

fn main() {
    misdeeds::attempt("kv-hog", |args| {
        let value = vec![b'x'; usize::try_from(args.number(2, 65_536)).unwrap_or(65_536)];
        let bucket = open(args.text(0, "NAMESPACE")).map_err(|error| misdeeds::code(&error))?;
        let count = args.number(1, 1_000_000);
        for done in 0..count {
            bucket
                .set(&format!("key-{done}"), &value)
                .map_err(|error| format!("{} after {done}", misdeeds::code(&error)))?;
        }
        Ok(format!("{count} values"))
    });
}
