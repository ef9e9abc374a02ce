//! Reads a file through an absolute path of the host: DIR PATH.

fn main() {
    misdeeds::attempt("path-absolute", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        misdeeds::fs::read(&dir, args.text(1, "PATH, absolute on the host"))
    });
}
