//! Reads the value of another plugin's namespace: NAMESPACE KEY.

use misdeeds::wasi::keyvalue::store::open;

fn main() {
    misdeeds::attempt("kv-other-namespace", |args| {
        let bucket = open(args.text(0, "NAMESPACE")).map_err(|error| misdeeds::code(&error))?;
        match bucket.get(args.text(1, "KEY")) {
            Ok(Some(bytes)) => Ok(misdeeds::excerpt(&bytes)),
            Ok(None) => Err("no such key".to_owned()),
            Err(error) => Err(misdeeds::code(&error)),
        }
    });
}
