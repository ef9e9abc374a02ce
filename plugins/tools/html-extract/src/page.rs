//! The bytes of a page, read within a limit and decoded.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use page_charset::Decoded;
use readable_page::{MAX_PAGE_BYTES, decode};

use crate::Source;
use crate::error::InputError;

/// Returns the text of a page; paths start at `root`.
pub(crate) fn load(
    root: &Path,
    input: Source,
    charset: Option<&str>,
) -> Result<Decoded, InputError> {
    let bytes = match input {
        Source::Html(text) => text.into_bytes(),
        Source::Bytes(bytes) => bytes,
        Source::File(path) => read(root, &path)?,
    };
    Ok(decode(&bytes, charset)?)
}

fn read(root: &Path, path: &str) -> Result<Vec<u8>, InputError> {
    let relative = path.trim_start_matches('/');
    if relative.is_empty() || path.contains('\0') {
        return Err(InputError::BadPath);
    }
    let fail = |source| InputError::Read { path: path.to_owned(), source };
    let file = File::open(root.join(relative)).map_err(fail)?;
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_PAGE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    // One byte more than a page may have is refused where it is decoded.
    Ok(bytes)
}
