//! Moves a file from one directory into another: FROM OLD TO NEW.

use misdeeds::fs::directory;

fn main() {
    misdeeds::attempt("rename-across", |args| {
        let from = directory(args.text(0, "FROM"))?;
        let to = directory(args.text(2, "TO"))?;
        let new = args.text(3, "NEW");
        from.rename_at(args.text(1, "OLD"), &to, new).map_err(|error| misdeeds::code(&error))?;
        Ok(format!("moved to {new}"))
    });
}
