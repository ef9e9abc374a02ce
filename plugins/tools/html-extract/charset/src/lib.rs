//! Finds the character encoding of a page and decodes it.
//!
//! The order is that of browsers: byte order mark, what the transport or the caller says, what the
//! page says about itself in its first kilobyte, and then a guess.

#![forbid(unsafe_code)]

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a page its own declaration is looked for; browsers look at as much.
const PRESCAN_BYTES: usize = 1024;

/// Whether all bytes of the page are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The page is complete.
    Whole,
    /// The page was cut off, perhaps inside a character, which is then left out.
    Cut,
}

/// A decoded page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without a byte order mark.
    pub text: String,
    /// Name of the encoding it was decoded from.
    pub charset: &'static str,
    /// Whether bytes that are no text in that encoding were replaced by U+FFFD.
    pub replaced: bool,
}

/// A label that names no encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLabel;

/// Decodes a page. `label` is what the transport or the caller says, such as `iso-8859-1`.
///
/// # Errors
///
/// [`UnknownLabel`] when `label` is no encoding known to browsers.
pub fn decode(bytes: &[u8], label: Option<&str>, extent: Extent) -> Result<Decoded, UnknownLabel> {
    let (marked, mark_length) = Encoding::for_bom(bytes).unzip();
    let said = match label.map(str::trim).filter(|label| !label.is_empty()) {
        Some(label) => Some(Encoding::for_label(label.as_bytes()).ok_or(UnknownLabel)?),
        None => None,
    };
    let encoding =
        marked.or(said).or_else(|| declared(bytes)).unwrap_or_else(|| guess(bytes, extent));
    let body = bytes.get(mark_length.unwrap_or(0)..).unwrap_or_default();
    let (text, replaced) = decode_with(encoding, body, extent);
    Ok(Decoded { text, charset: encoding.name(), replaced })
}

/// Returns the charset parameter of a media type such as `text/html; charset="utf-8"`.
pub fn label_of(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
    })
}

fn decode_with(encoding: &'static Encoding, bytes: &[u8], extent: Extent) -> (String, bool) {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len());
    let mut text = String::with_capacity(room);
    // The buffer is as large as it can get, so one call takes it all.
    let (_, _, replaced) = decoder.decode_to_string(bytes, &mut text, extent == Extent::Whole);
    text.shrink_to_fit();
    (text, replaced)
}

/// Returns what the page says about itself: `<meta charset>`, its `http-equiv` form, or an XML
/// declaration. Within ASCII it is the same in every encoding that can say so.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: Vec<u8> = bytes.iter().take(PRESCAN_BYTES).map(u8::to_ascii_lowercase).collect();
    let head = String::from_utf8_lossy(&head);
    let xml = head.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    let label = xml.and_then(|xml| value_after(xml, "encoding")).or_else(|| {
        let mut metas = without_comments(&head).into_iter().filter(|tag| tag.starts_with("meta"));
        metas.find_map(|tag| value_after(tag, "charset"))
    })?;
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A page that was read as ASCII up to here cannot be UTF-16, whatever it says.
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

/// Returns the text of each tag outside comments.
fn without_comments(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let end = if after.starts_with("!--") { "-->" } else { ">" };
        let (tag, next) = after.split_once(end).unwrap_or((after, ""));
        if end == ">" {
            tags.push(tag);
        }
        rest = next;
    }
    tags
}

/// Returns the value in `name=value`, quoted or not.
fn value_after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.split(name).skip(1).find_map(|rest| rest.trim_start().strip_prefix('='))?;
    let value = value.trim_start().trim_start_matches(['"', '\'']);
    let end =
        value.find(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '?'));
    Some(value.get(..end.unwrap_or(value.len())).unwrap_or_default())
}

fn guess(bytes: &[u8], extent: Extent) -> &'static Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        Err(error) if extent == Extent::Cut && error.error_len().is_none() => UTF_8,
        Err(_) => detect(bytes, extent),
    }
}

#[cfg(feature = "detect")]
fn detect(bytes: &[u8], extent: Extent) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, extent == Extent::Whole);
    let found = detector.guess(None, chardetng::Utf8Detection::Deny);
    if found == UTF_8 { WINDOWS_1252 } else { found }
}

#[cfg(not(feature = "detect"))]
fn detect(_: &[u8], _: Extent) -> &'static Encoding {
    WINDOWS_1252
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Extent, UnknownLabel, decode, label_of};

    #[track_caller]
    fn check(bytes: &[u8], label: Option<&str>, text: &str, charset: &str) {
        let decoded = decode(bytes, label, Extent::Whole).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.charset), (text, charset));
    }

    #[test]
    fn the_mark_beats_the_label_which_beats_the_page_which_beats_the_guess() {
        check(b"\xef\xbb\xbf\xc3\xa9", Some("iso-8859-1"), "é", "UTF-8");
        check(b"\xff\xfeh\0i\0", None, "hi", "UTF-16LE");
        check(b"<meta charset=utf-8>\xe9", Some("latin1"), "<meta charset=utf-8>é", "windows-1252");
        check(b"<meta charset='koi8-r'>\xc1", None, "<meta charset='koi8-r'>а", "KOI8-R");
        check("é".as_bytes(), None, "é", "UTF-8");
        check(b"caf\xe9", None, "café", "windows-1252");
        check(b"", None, "", "UTF-8");
    }

    #[test]
    fn a_page_says_its_charset_in_several_ways() {
        for head in [
            "<META HTTP-EQUIV=Content-Type CONTENT=\"text/html; charset=Shift_JIS\">",
            "<!-- <meta charset=utf-8> --><meta  charset = \"shift_jis\" >",
            "<?xml version=\"1.0\" encoding='Shift_JIS'?>",
        ] {
            let bytes = [head.as_bytes(), b"\x93\xfa"].concat();
            check(&bytes, None, &format!("{head}日"), "Shift_JIS");
        }
        check(b"<meta charset=utf-16>a", None, "<meta charset=utf-16>a", "UTF-8");
    }

    #[cfg(feature = "detect")]
    #[test]
    fn an_unnamed_encoding_is_guessed_from_the_text() {
        let (bytes, _, _) =
            encoding_rs::WINDOWS_1251.encode("Съешь же ещё этих мягких французских булок");
        let decoded = decode(&bytes, None, Extent::Whole).unwrap();
        assert_eq!(decoded.charset, "windows-1251");
        assert!(decoded.text.starts_with("Съешь"));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_told() {
        let decoded = decode(b"a\xffb", Some("utf-8"), Extent::Whole).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.replaced), ("a\u{fffd}b", true));
    }

    #[test]
    fn a_character_cut_in_two_is_left_out() {
        let whole = "日本".as_bytes();
        let decoded = decode(&whole[..5], None, Extent::Cut).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.replaced), ("日", false));
    }

    #[test]
    fn an_unknown_label_is_refused() {
        assert_eq!(decode(b"a", Some("klingon"), Extent::Whole), Err(UnknownLabel));
    }

    #[test]
    fn the_label_is_taken_from_a_media_type() {
        for (media_type, label) in [
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;Charset=\"ISO-8859-1\"; x=y", Some("ISO-8859-1")),
            ("text/html", None),
            ("text/html; charset=", None),
        ] {
            assert_eq!(label_of(media_type), label, "{media_type}");
        }
    }
}
