//! Opens the same file again and again and closes none: DIR PATH COUNT.

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("open-files-bomb", |args| {
        let dir = directory(args.text(0, "DIR"))?;
        let path = args.text(1, "PATH");
        let mut open = Vec::new();
        for _ in 0..args.number(2, 100_000) {
            let file = dir
                .open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)
                .map_err(|error| format!("{} after {}", misdeeds::code(&error), open.len()))?;
            open.push(file);
        }
        Ok(format!("{} open", open.len()))
    });
}
