//! Makes a symbolic link that points out, then reads through it: DIR TARGET LINK [PATH-TO-READ].

fn main() {
    misdeeds::attempt("symlink-create", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        let link = args.text(2, "LINK");
        dir.symlink_at(args.text(1, "TARGET"), link)
            .map_err(|error| format!("symlink {}", misdeeds::code(&error)))?;
        let path = args.optional(3).unwrap_or(link);
        misdeeds::fs::read(&dir, path).map_err(|code| format!("read {code}"))
    });
}
