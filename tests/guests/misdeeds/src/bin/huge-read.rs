//! Asks a file for more bytes in one read than any host has memory for: DIR PATH [BYTES].

use misdeeds::fs::{DescriptorFlags, OpenFlags, PathFlags, directory};

fn main() {
    misdeeds::attempt("huge-read", |args| {
        let file = directory(args.text(0, "DIR"))?
            .open_at(
                PathFlags::empty(),
                args.text(1, "PATH"),
                OpenFlags::empty(),
                DescriptorFlags::READ,
            )
            .map_err(|error| misdeeds::code(&error))?;
        let (bytes, _) =
            file.read(args.number(2, u64::MAX), 0).map_err(|error| misdeeds::code(&error))?;
        Ok(format!("{} bytes", bytes.len()))
    });
}
