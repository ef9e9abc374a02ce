//! Reads a file through a path with `..` in it: DIR PATH.

fn main() {
    misdeeds::attempt("path-dotdot", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        misdeeds::fs::read(&dir, args.text(1, "PATH, such as ../secret.txt"))
    });
}
