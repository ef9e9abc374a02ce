//! The bytes of a page, read within a limit and decoded.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use page_charset::{Decoded, Extent};

use crate::Source;
use crate::error::PageError;

/// Largest page: its tree takes about ten times as much memory.
pub(crate) const MAX_PAGE_BYTES: u64 = 8 << 20;

/// How the formats start that are most often taken for a page.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP file"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\0asm", "WebAssembly"),
    (b"\x7fELF", "a program"),
];

/// Returns the text of a page; paths start at `root`.
pub(crate) fn load(
    root: &Path,
    input: Source,
    charset: Option<&str>,
) -> Result<Decoded, PageError> {
    let bytes = match input {
        Source::Html(text) => text.into_bytes(),
        Source::Bytes(bytes) => bytes,
        Source::File(path) => return decode(&read(root, &path)?, charset),
    };
    if bytes.len() as u64 > MAX_PAGE_BYTES {
        return Err(PageError::TooLarge { limit: MAX_PAGE_BYTES });
    }
    decode(&bytes, charset)
}

fn read(root: &Path, path: &str) -> Result<Vec<u8>, PageError> {
    let relative = path.trim_start_matches('/');
    if relative.is_empty() || path.contains('\0') {
        return Err(PageError::BadPath);
    }
    let fail = |source| PageError::Read { path: path.to_owned(), source };
    let file = File::open(root.join(relative)).map_err(fail)?;
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_PAGE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > MAX_PAGE_BYTES {
        return Err(PageError::TooLarge { limit: MAX_PAGE_BYTES });
    }
    Ok(bytes)
}

fn decode(bytes: &[u8], charset: Option<&str>) -> Result<Decoded, PageError> {
    if let Some((_, kind)) = FOREIGN.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(PageError::NotHtml { kind });
    }
    let label = charset.unwrap_or_default().to_owned();
    let decoded = page_charset::decode(bytes, charset, Extent::Whole);
    let decoded = decoded.map_err(|_| PageError::UnknownCharset { label })?;
    if decoded.text.trim().is_empty() {
        return Err(PageError::Empty);
    }
    if decoded.text.chars().take(1024).any(|c| c == '\0') {
        return Err(PageError::NotHtml { kind: "binary data" });
    }
    Ok(decoded)
}
