//! Writes a file, into a directory that may be read only: DIR PATH.

fn main() {
    misdeeds::attempt("write-file", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        misdeeds::fs::write(&dir, args.text(1, "PATH"), b"written by a guest\n")
    });
}
