//! Writes a log record with line breaks and terminal codes, to look like several or like another's.

use misdeeds::ringfence::host::log::{Level, write};

fn main() {
    misdeeds::attempt("log-forge", |_| {
        let message =
            "done\n{\"level\":\"info\",\"decision\":\"allow\"}\r\u{1b}[2K\u{1b}[31mforged\u{202e}";
        let fields = [("decision\n".to_owned(), "allow\u{7}".to_owned())];
        write(Level::Info, message, &fields);
        Ok("written".to_owned())
    });
}
