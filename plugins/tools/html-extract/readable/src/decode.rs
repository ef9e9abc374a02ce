//! The bytes of a page, decoded within a limit.

use page_charset::{Decoded, Extent};

use crate::PageError;

/// Largest page: its tree takes about ten times as much memory.
pub const MAX_PAGE_BYTES: u64 = 8 << 20;

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

/// Decodes a page. `charset` is what the transport or the caller says.
///
/// # Errors
///
/// [`PageError`] when it is too large, empty, no page, or the charset is not known.
pub fn decode(bytes: &[u8], charset: Option<&str>) -> Result<Decoded, PageError> {
    if bytes.len() as u64 > MAX_PAGE_BYTES {
        return Err(PageError::TooLarge { limit: MAX_PAGE_BYTES });
    }
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
