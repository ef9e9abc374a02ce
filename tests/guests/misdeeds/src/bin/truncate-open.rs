//! Empties a file by opening it with `truncate` and without `write`: DIR PATH.

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("truncate-open", |args| {
        let dir = directory(args.text(0, "DIR"))?;
        let path = args.text(1, "PATH");
        let file = dir
            .open_at(PathFlags::empty(), path, OpenFlags::TRUNCATE, DescriptorFlags::READ)
            .map_err(|error| misdeeds::code(&error))?;
        let size = file.stat().map_err(|error| misdeeds::code(&error))?.size;
        Ok(format!("{path} has {size} bytes"))
    });
}
