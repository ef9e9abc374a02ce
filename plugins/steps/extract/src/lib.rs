//! Makes readable text of a page. The bounds and the rules are those of the crate `readable-page`, which the
//! tool `html-extract` uses too.

#![deny(unsafe_code)]

use readable_page::{Form, Options, PageError, Part};
use research_quality::hash::sha256_hex;
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-extract/extract" for Extract, generate_all);

use exports::ringfence::research::extract::{Guest, Page, Readable};

/// Longest text; longer text is cut.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// The component.
struct Extract;

impl Guest for Extract {
    fn extract(page: Page) -> Result<Readable, ToolError> {
        let media_type = page.media_type.as_deref().unwrap_or("text/html");
        let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = page_charset::label_of(media_type);
        let decoded = readable_page::decode(&page.body, charset).map_err(refused)?;
        match kind.as_str() {
            "text/plain" | "text/markdown" => Ok(plain(&decoded.text, decoded.charset)),
            "text/html" | "application/xhtml+xml" | "" => {
                html(&decoded.text, decoded.charset, page.url.as_deref())
            }
            _ => Err(ToolError::InvalidInput(format!("there is no text to take out of `{kind}`"))),
        }
    }
}

fn html(text: &str, charset: &str, url: Option<&str>) -> Result<Readable, ToolError> {
    // An address that is none serves for nothing, and is no reason to refuse the page.
    let base_url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let part = Part::Article;
    let options = Options { form: Form::Text, part, base_url, max_bytes: MAX_TEXT_BYTES };
    let found = match readable_page::extract(text, &options) {
        Err(PageError::BadBaseUrl { .. }) => {
            readable_page::extract(text, &Options { base_url: None, ..options })
        }
        found => found,
    };
    let found = found.map_err(refused)?;
    Ok(Readable {
        sha256: sha256_hex(found.content.as_bytes()),
        text: found.content,
        truncated: found.truncated,
        article: found.part == Part::Article,
        title: found.metadata.title,
        byline: found.metadata.byline,
        published: found.metadata.published,
        language: found.metadata.language,
        canonical: found.metadata.canonical,
        charset: charset.to_owned(),
        words: found.words,
    })
}

/// A text that needs no extraction. Its first heading, if it starts with one, is its title.
fn plain(text: &str, charset: &str) -> Readable {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    let content = text.get(..end).unwrap_or_default();
    let first = content.trim_start().lines().next().unwrap_or_default();
    let title = first.strip_prefix("# ").map(|title| title.trim().to_owned());
    let words = research_quality::text::count_words(content);
    Readable {
        text: content.to_owned(),
        sha256: sha256_hex(content.as_bytes()),
        truncated: end < text.len(),
        article: false,
        title,
        byline: None,
        published: None,
        language: None,
        canonical: None,
        charset: charset.to_owned(),
        words: u32::try_from(words).unwrap_or(u32::MAX),
    }
}

fn refused(error: PageError) -> ToolError {
    match error {
        PageError::TooLarge { limit } => ToolError::TooLarge(limit),
        other => ToolError::InvalidInput(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Extract, Guest as _, Page, Readable, ToolError, sha256_hex};

    fn extract(body: &[u8], media_type: Option<&str>) -> Result<Readable, ToolError> {
        let media_type = media_type.map(str::to_owned);
        Extract::extract(Page { body: body.to_vec(), media_type, url: Some("nonsense".to_owned()) })
    }

    fn refused(body: &[u8], media_type: Option<&str>) -> String {
        match extract(body, media_type) {
            Err(ToolError::InvalidInput(text)) => text,
            Err(ToolError::TooLarge(limit)) => format!("larger than {limit}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_page_becomes_text_with_its_hash() {
        let sentence =
            "A long sentence that a reader came for, with commas, and clauses, and an end. ";
        let html = format!(
            "<html lang=en><title>Dams</title><nav>Home News</nav><script>steal()</script><article><p>{0}<p>{0}</article>",
            sentence.repeat(8)
        );
        let found = extract(html.as_bytes(), None).unwrap();
        assert!(found.article && found.text.contains("a reader came for"));
        assert!(
            !found.text.contains("steal") && !found.text.contains("Home News"),
            "{}",
            found.text
        );
        assert_eq!(found.title.as_deref(), Some("Dams"));
        assert_eq!((found.language.as_deref(), found.charset.as_str()), (Some("en"), "UTF-8"));
        assert_eq!(found.sha256, sha256_hex(found.text.as_bytes()));
    }

    #[test]
    fn plain_text_and_its_charset_are_taken_as_they_are() {
        let found =
            extract(b"# Caf\xe9\n\nText.", Some("text/markdown; charset=iso-8859-1")).unwrap();
        assert_eq!(
            (found.title.as_deref(), found.text.as_str()),
            (Some("Café"), "# Café\n\nText.")
        );
        assert_eq!((found.charset.as_str(), found.words), ("windows-1252", 2));
        let found = extract("<p>日本".as_bytes(), Some("text/html;charset=utf-8")).unwrap();
        assert_eq!((found.text.as_str(), found.charset.as_str()), ("日本", "UTF-8"));
    }

    #[test]
    fn hostile_pages_are_refused_with_the_reason() {
        let deep = "<div>".repeat(100_000);
        assert_eq!(refused(deep.as_bytes(), None), "elements are nested deeper than 256 levels");
        let many = "<b><p>".repeat(200_000);
        assert_eq!(
            refused(many.as_bytes(), None),
            "the page has more than 300000 elements and texts"
        );
        assert_eq!(refused(&vec![b'a'; (8 << 20) + 1], None), "larger than 8388608");
        assert_eq!(refused(b"%PDF-1.7", None), "the input is a PDF file, not an HTML page");
        assert_eq!(
            refused(b"x", Some("image/svg+xml")),
            "there is no text to take out of `image/svg+xml`"
        );
        assert_eq!(
            refused(b"x", Some("text/html; charset=klingon")),
            "unknown charset `klingon`; use a name such as `utf-8` or `iso-8859-1`"
        );
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise() {
        for seed in 0..200_u32 {
            let pieces =
                ["<p", ">", "</", "table", "\0", "\u{fffd}", "&#x", ";", "<!--", "svg", "=\"", "a"];
            let at = |n: u32| {
                ((seed.wrapping_mul(2_654_435_761) >> (n % 28)) as usize + n as usize)
                    % pieces.len()
            };
            let html: String = (0..60).map(|n| pieces[at(n)]).collect();
            let _ = extract(html.as_bytes(), None);
        }
    }
}
