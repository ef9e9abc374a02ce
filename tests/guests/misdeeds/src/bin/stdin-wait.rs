//! Reads all of a standard input that may never end.

use std::io::Read;

fn main() {
    misdeeds::attempt("stdin-wait", |_| {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| misdeeds::code(&error.kind()))?;
        Ok(format!("{} bytes", bytes.len()))
    });
}
