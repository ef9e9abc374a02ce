//! Opens a link as a directory by a slash at its end, without asking to follow it: DIR LINK/.

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("trailing-slash", |args| {
        let dir = directory(args.text(0, "DIR"))?;
        let inside = dir
            .open_at(
                PathFlags::empty(),
                args.text(1, "LINK/"),
                OpenFlags::DIRECTORY,
                DescriptorFlags::READ,
            )
            .map_err(|error| misdeeds::code(&error))?;
        let entries = inside.read_directory().map_err(|error| misdeeds::code(&error))?;
        let mut names = Vec::new();
        while let Ok(Some(entry)) = entries.read_directory_entry() {
            names.push(entry.name);
        }
        names.sort();
        Ok(names.join(","))
    });
}
