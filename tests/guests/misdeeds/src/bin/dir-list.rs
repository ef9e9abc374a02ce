//! A good command: lists a directory and what each entry is: DIR [PATH].

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("dir-list", |args| {
        let dir = directory(args.text(0, "DIR"))?
            .open_at(
                PathFlags::SYMLINK_FOLLOW,
                args.optional(1).unwrap_or("."),
                OpenFlags::DIRECTORY,
                DescriptorFlags::READ,
            )
            .map_err(|error| misdeeds::code(&error))?;
        let entries = dir.read_directory().map_err(|error| misdeeds::code(&error))?;
        let mut names = Vec::new();
        while let Ok(Some(entry)) = entries.read_directory_entry() {
            let kind = misdeeds::code(&entry.type_);
            names.push(format!("{}:{kind}", entry.name));
        }
        names.sort();
        Ok(names.join(","))
    });
}
