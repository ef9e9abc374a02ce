//! Writes a protected name through a symbolic link to its directory: DIR TARGET LINK FILE.

fn main() {
    misdeeds::attempt("protected-alias", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        let link = args.text(2, "LINK");
        dir.symlink_at(args.text(1, "TARGET, such as .git"), link)
            .map_err(|error| format!("symlink {}", misdeeds::code(&error)))?;
        let path = format!("{link}/{}", args.text(3, "FILE"));
        misdeeds::fs::write(&dir, &path, b"[core]\n\tfsmonitor = evil\n")
            .map_err(|code| format!("write {code}"))
    });
}
