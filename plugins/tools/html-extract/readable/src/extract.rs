//! Finds the article and its metadata.

use dom_query::{Document, NodeRef, Selection};
use dom_smoothie::{Article, Config, Readability, TextMode};

use crate::tree;
use crate::{Extracted, Form, Metadata, Options, PageError, Part};

/// Longest single value of the metadata.
const MAX_VALUE_BYTES: usize = 4 << 10;
/// JSON-LD nested deeper or longer than this is not looked at; real pages stay far below.
const MAX_JSON_DEPTH: usize = 64;
const MAX_JSON_BYTES: usize = 256 << 10;
/// What is never content of a page shown whole.
const SKIPPED: [&str; 5] = ["script", "style", "noscript", "template", "svg"];

/// Makes a page readable.
///
/// # Errors
///
/// [`PageError`] when it is beyond the limits, or the base address is none.
pub fn extract(text: &str, options: &Options<'_>) -> Result<Extracted, PageError> {
    let document = tree::parse(text)?;
    let head = Head::of(&document);
    let whole = document.clone();
    let mut reader = reader(document, options.base_url, options.form, head.json_ld_is_harmless)?;
    let article = reader.parse().ok();
    let found = match (&article, options.part) {
        (Some(article), Part::Article) => Found::article(article),
        _ => Found::whole(&whole, options.form),
    };
    let (content, truncated) = cut(found.content, options.max_bytes);
    let excerpt = article.as_ref().and_then(|a| a.excerpt.as_deref()).and_then(value);
    Ok(Extracted {
        words: words(found.words_of.as_deref().unwrap_or(&content)),
        content,
        truncated,
        part: found.part,
        excerpt,
        metadata: head.metadata(article.as_ref()),
        links: found.links,
    })
}

fn reader(
    document: Document,
    base: Option<&str>,
    form: Form,
    json_ld: bool,
) -> Result<Readability, PageError> {
    let text_mode = match form {
        Form::Markdown => TextMode::Markdown,
        Form::Text => TextMode::Formatted,
    };
    // Classes name the language of code; only text comes out of here, so they may all stay.
    let config =
        Config { text_mode, disable_json_ld: !json_ld, keep_classes: true, ..Config::default() };
    Readability::with_document(document, base, Some(config))
        .map_err(|_| PageError::BadBaseUrl { url: base.unwrap_or_default().to_owned() })
}

/// The content that was chosen.
struct Found {
    content: String,
    words_of: Option<String>,
    part: Part,
    links: u32,
}

impl Found {
    fn article(article: &Article) -> Self {
        let fragment = Document::fragment(article.content.clone());
        Self::new(article.text_content.trim(), &fragment.root(), Part::Article)
    }

    fn whole(document: &Document, form: Form) -> Self {
        document.select(&SKIPPED.join(",")).remove();
        let root = document.body().unwrap_or_else(|| document.root());
        let content = match form {
            Form::Markdown => root.md(None),
            Form::Text => root.formatted_text(),
        };
        Self::new(content.trim(), &root, Part::WholePage)
    }

    fn new(content: &str, root: &NodeRef<'_>, part: Part) -> Self {
        let links = Selection::from(*root).select("a[href]").length();
        let links = u32::try_from(links).unwrap_or(u32::MAX);
        let words_of = Some(root.formatted_text().to_string());
        Self { content: content.to_owned(), words_of, part, links }
    }
}

/// What the head of the page says, read before anything is taken out of the tree.
struct Head {
    title: Option<String>,
    description: Option<String>,
    canonical: Option<String>,
    language: Option<String>,
    modified: Option<String>,
    json_ld_is_harmless: bool,
}

impl Head {
    fn of(document: &Document) -> Self {
        let attribute = |selector: &str, name: &str| {
            let found = document.select(selector).attr(name);
            found.and_then(|text| value(&text))
        };
        let scripts = document.select("script[type='application/ld+json']");
        let json_ld_is_harmless = scripts.nodes().iter().all(|script| {
            let text = script.text();
            text.len() <= MAX_JSON_BYTES && bracket_depth(&text) <= MAX_JSON_DEPTH
        });
        Self {
            title: value(&document.select("title").first().text()),
            description: attribute("meta[name='description' i]", "content")
                .or_else(|| attribute("meta[property='og:description' i]", "content")),
            canonical: attribute("link[rel~='canonical' i]", "href")
                .or_else(|| attribute("meta[property='og:url' i]", "content")),
            language: attribute("html", "lang").or_else(|| attribute("html", "xml:lang")),
            modified: attribute("meta[property='article:modified_time' i]", "content"),
            json_ld_is_harmless,
        }
    }

    fn metadata(self, article: Option<&Article>) -> Metadata {
        let from = |field: fn(&Article) -> Option<&String>| {
            article.and_then(field).and_then(|text| value(text))
        };
        Metadata {
            title: article.and_then(|a| value(&a.title)).or(self.title),
            byline: from(|a| a.byline.as_ref()),
            site_name: from(|a| a.site_name.as_ref()),
            published: from(|a| a.published_time.as_ref()),
            modified: from(|a| a.modified_time.as_ref()).or(self.modified),
            language: self.language.or_else(|| from(|a| a.lang.as_ref())),
            description: self.description,
            canonical: self.canonical.or_else(|| from(|a| a.url.as_ref())),
            image: from(|a| a.image.as_ref()),
        }
    }
}

/// Returns a value with its white space normalised and its length bounded, unless it is empty.
fn value(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = cut(words.join(" "), MAX_VALUE_BYTES).0;
    (!text.is_empty()).then_some(text)
}

/// Cuts between two characters.
fn cut(mut text: String, limit: usize) -> (String, bool) {
    let truncated = text.len() > limit;
    text.truncate(text.floor_char_boundary(limit));
    (text, truncated)
}

/// Counts words; ideographs stand without spaces, so each counts.
fn words(text: &str) -> u32 {
    let is_ideograph = |c: char| matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff);
    let count: usize = text
        .split_whitespace()
        .map(|word| {
            let ideographs = word.chars().filter(|c| is_ideograph(*c)).count();
            let others = word.chars().any(|c| c.is_alphanumeric() && !is_ideograph(c));
            ideographs + usize::from(others)
        })
        .sum();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn bracket_depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in json.bytes() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
