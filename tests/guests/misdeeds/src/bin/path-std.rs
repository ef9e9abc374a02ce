//! Reads a file the way an ordinary program does, with `std::fs`: PATH.

fn main() {
    misdeeds::attempt("path-std", |args| {
        std::fs::read(args.text(0, "PATH"))
            .map(|bytes| misdeeds::excerpt(&bytes))
            .map_err(|error| misdeeds::code(&error.kind()))
    });
}
