//! Links a file of one directory into another and writes through the new name: FROM OLD TO NEW.

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("hard-link", |args| {
        let from = directory(args.text(0, "FROM"))?;
        let to = directory(args.text(2, "TO"))?;
        let new = args.text(3, "NEW");
        from.link_at(PathFlags::empty(), args.text(1, "OLD"), &to, new)
            .map_err(|error| format!("link {}", misdeeds::code(&error)))?;
        let file = to
            .open_at(PathFlags::empty(), new, OpenFlags::empty(), DescriptorFlags::WRITE)
            .map_err(|error| format!("open {}", misdeeds::code(&error)))?;
        file.write(b"overwritten", 0)
            .map_err(|error| format!("write {}", misdeeds::code(&error)))?;
        Ok(format!("wrote through {new}"))
    });
}
