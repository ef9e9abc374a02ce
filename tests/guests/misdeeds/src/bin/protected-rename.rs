//! Fills an innocent directory and renames it to a protected name: DIR INNOCENT PROTECTED FILE.

fn main() {
    misdeeds::attempt("protected-rename", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        let innocent = args.text(1, "INNOCENT");
        let protected = args.text(2, "PROTECTED");
        dir.create_directory_at(innocent)
            .map_err(|error| format!("create {}", misdeeds::code(&error)))?;
        let path = format!("{innocent}/{}", args.text(3, "FILE"));
        misdeeds::fs::write(&dir, &path, b"[core]\n\tfsmonitor = evil\n")
            .map_err(|code| format!("write {code}"))?;
        dir.rename_at(innocent, &dir, protected)
            .map_err(|error| format!("rename {}", misdeeds::code(&error)))?;
        Ok(format!("renamed to {protected}"))
    });
}
