//! Deletes a file, in a directory that may be read only: DIR PATH.

fn main() {
    misdeeds::attempt("delete-file", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        let path = args.text(1, "PATH");
        dir.unlink_file_at(path).map_err(|error| misdeeds::code(&error))?;
        Ok(format!("deleted {path}"))
    });
}
