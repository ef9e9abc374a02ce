//! The body: read up to a limit, decoded when text is wanted.

use std::io::Read;

use crate::{Body, Form};
use page_charset::{Decoded, Extent};
use page_client::FetchError;

/// A body as it goes into the result.
pub(crate) struct Taken {
    pub(crate) body: Body,
    pub(crate) charset: Option<String>,
    pub(crate) size: u64,
    pub(crate) extent: Extent,
}

impl Taken {
    /// Returns what stands for a body that was not asked for.
    pub(crate) fn nothing() -> Self {
        Self { body: Body::None, charset: None, size: 0, extent: Extent::Whole }
    }
}

/// Reads at most `limit` bytes.
pub(crate) fn take(
    reader: &mut dyn Read,
    media_type: Option<&str>,
    form: Form,
    limit: u32,
) -> Result<Taken, FetchError> {
    let mut bytes = Vec::new();
    reader.take(u64::from(limit) + 1).read_to_end(&mut bytes).map_err(read_error)?;
    let limit = limit as usize;
    let extent = if bytes.len() > limit { Extent::Cut } else { Extent::Whole };
    bytes.truncate(limit);
    let size = bytes.len() as u64;
    if bytes.is_empty() && extent == Extent::Whole {
        return Ok(Taken::nothing());
    }
    if form == Form::Bytes {
        return Ok(Taken { body: Body::Bytes(bytes), charset: None, size, extent });
    }
    let Decoded { text, charset, .. } = decode(&bytes, media_type, extent)?;
    Ok(Taken { body: Body::Text(text), charset: Some(charset.to_owned()), size, extent })
}

/// Refuses a body that cannot become text, before any of it is read.
pub(crate) fn check_text(
    media_type: Option<&str>,
    encoding: Option<&str>,
) -> Result<(), FetchError> {
    let encoding = encoding.unwrap_or("identity").trim();
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(FetchError::Encoded { encoding: encoding.to_owned() });
    }
    match media_type.map(essence) {
        Some(kind) if !is_text(&kind) => Err(FetchError::NotText { media_type: kind }),
        _ => Ok(()),
    }
}

/// Returns a media type without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_text(kind: &str) -> bool {
    let sub = kind.split_once('/').map_or("", |(_, sub)| sub);
    kind.is_empty()
        || kind.starts_with("text/")
        || sub.ends_with("+json")
        || sub.ends_with("+xml")
        || matches!(
            sub,
            "json"
                | "xml"
                | "javascript"
                | "ecmascript"
                | "x-ndjson"
                | "jsonl"
                | "yaml"
                | "x-yaml"
                | "toml"
                | "sql"
                | "x-sh"
                | "x-www-form-urlencoded"
                | "x-tex"
                | "rtf"
                | "graphql"
        )
}

fn decode(bytes: &[u8], media_type: Option<&str>, extent: Extent) -> Result<Decoded, FetchError> {
    let label = media_type.and_then(page_charset::label_of);
    let decoded = page_charset::decode(bytes, label, extent)
        .map_err(|_| FetchError::UnknownCharset { label: label.unwrap_or_default().to_owned() })?;
    let unnamed = media_type.is_none_or(|kind| essence(kind).is_empty());
    if unnamed && decoded.text.chars().take(1024).any(|c| c == '\0') {
        return Err(FetchError::NotText { media_type: "application/octet-stream".to_owned() });
    }
    Ok(decoded)
}

/// A transport says what it knows through the error inside; the rest is a broken connection.
fn read_error(error: std::io::Error) -> FetchError {
    let reason = format!("the body broke off: {error}");
    match error.into_inner().map(<dyn std::error::Error + Send + Sync>::downcast::<FetchError>) {
        Some(Ok(inner)) => *inner,
        _ => FetchError::Unavailable { reason },
    }
}
