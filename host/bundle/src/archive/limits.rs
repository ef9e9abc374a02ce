//! The limits of a bundle: constants of the format, the same for every reader and writer.

use crate::open::MAX_COMPONENT_BYTES;

/// The most files a bundle lists: a plugin with the licences of its dependencies has some hundred.
pub const MAX_FILES: usize = 4096;
/// The most bytes one file has: as much as a component may have.
pub const MAX_FILE_BYTES: u64 = MAX_COMPONENT_BYTES;
/// The most bytes all files have together: the largest component and 64 MiB beside it.
pub const MAX_TOTAL_BYTES: u64 = MAX_COMPONENT_BYTES + 64 * 1024 * 1024;
/// The most bytes `SHA256SUMS` has: `MAX_FILES` lines of the longest kind fit.
pub const MAX_SUMS_BYTES: u64 = 1024 * 1024;
/// The most bytes a signature file has: ten times a real one.
pub const MAX_SIGNATURE_BYTES: u64 = 4096;
/// The most signers.
pub const MAX_SIGNATURES: usize = 16;
/// The longest path. One that is split at a `/` always fits into the two fields of a tar header.
pub const MAX_PATH_BYTES: usize = 150;
/// The longest part of a path: the size of the field for it in a tar header.
pub const MAX_PART_BYTES: usize = 100;
/// The most parts of a path.
pub const MAX_DEPTH: usize = 16;
/// The most bytes an archive has: what all its files have, with headers and padding.
pub const MAX_ARCHIVE_BYTES: u64 = MAX_TOTAL_BYTES + (MAX_FILES as u64 + 32) * 1024;
