//! Reads through a symbolic link that is there already and points out: DIR LINK.

fn main() {
    misdeeds::attempt("symlink-follow", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        misdeeds::fs::read(&dir, args.text(1, "LINK"))
    });
}
