//! Empties a file by `set-size` on a descriptor opened for reading: DIR PATH.

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("truncate-set-size", |args| {
        let dir = directory(args.text(0, "DIR"))?;
        let path = args.text(1, "PATH");
        let flags = match args.optional(2) {
            Some("rw") => DescriptorFlags::READ | DescriptorFlags::WRITE,
            _ => DescriptorFlags::READ,
        };
        let file = dir
            .open_at(PathFlags::empty(), path, OpenFlags::empty(), flags)
            .map_err(|error| format!("open {}", misdeeds::code(&error)))?;
        file.set_size(0).map_err(|error| format!("set-size {}", misdeeds::code(&error)))?;
        Ok(format!("{path} is empty"))
    });
}
