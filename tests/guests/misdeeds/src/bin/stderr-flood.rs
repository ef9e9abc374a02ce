//! Writes to standard error without end: [MEBIBYTES].

use std::io::Write;

fn main() {
    misdeeds::attempt("stderr-flood", |args| {
        let block = vec![b'x'; 1024 * 1024];
        let mebibytes = args.number(0, u64::MAX);
        for done in 0..mebibytes {
            std::io::stderr()
                .write_all(&block)
                .map_err(|error| format!("{} after {done} MiB", misdeeds::code(&error.kind())))?;
        }
        Ok(format!("{mebibytes} MiB"))
    });
}
