//! Writes a name that a program of the host would execute or obey: DIR PATH (`.git/config`, `.envrc`).

fn main() {
    misdeeds::attempt("protected-write", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        let path = args.text(1, "PATH");
        let mut upto = 0;
        while let Some(end) = path[upto..].find('/') {
            // A directory that exists already is as good as a new one.
            let _ = dir.create_directory_at(&path[..upto + end]);
            upto += end + 1;
        }
        misdeeds::fs::write(&dir, path, b"[core]\n\tfsmonitor = evil\n")
    });
}
