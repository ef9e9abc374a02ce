//! Files by raw `wasi:filesystem`, so that paths arrive at the host exactly as the test wrote them.

use crate::code;
use crate::wasi::filesystem::preopens::get_directories;
pub use crate::wasi::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

/// Returns the preopened directory called `name` by the guest.
pub fn directory(name: &str) -> Result<Descriptor, String> {
    get_directories()
        .into_iter()
        .find(|(_, path)| path == name)
        .map(|(descriptor, _)| descriptor)
        .ok_or_else(|| format!("no-preopen {name}"))
}

/// Returns the beginning of the file, following links as most programs do.
pub fn read(dir: &Descriptor, path: &str) -> Result<String, String> {
    let file = dir
        .open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)
        .map_err(|error| code(&error))?;
    let (bytes, _) = file.read(200, 0).map_err(|error| code(&error))?;
    Ok(crate::excerpt(&bytes))
}

/// Creates or overwrites the file.
pub fn write(dir: &Descriptor, path: &str, bytes: &[u8]) -> Result<String, String> {
    let file = dir
        .open_at(
            PathFlags::SYMLINK_FOLLOW,
            path,
            OpenFlags::CREATE | OpenFlags::TRUNCATE,
            DescriptorFlags::WRITE,
        )
        .map_err(|error| code(&error))?;
    let count = file.write(bytes, 0).map_err(|error| code(&error))?;
    Ok(format!("wrote {count} bytes to {path}"))
}
