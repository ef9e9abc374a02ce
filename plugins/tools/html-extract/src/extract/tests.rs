//! Pages as they are found: good ones, broken ones and hostile ones.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::extract;
use crate::error::InputError;
use crate::{Extracted, Form, Metadata, Options, Part, Source};

fn options() -> Options {
    Options { form: None, part: None, charset: None, base_url: None, max_bytes: None }
}

fn run(input: Source, options: &Options) -> Result<Extracted, InputError> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    extract(root, input, Some(options))
}

fn article(options: &Options) -> Extracted {
    run(Source::File("article.html".into()), options).unwrap()
}

#[track_caller]
fn check_refused(input: Source, options: &Options, expected: &str) {
    assert_eq!(run(input, options).map(|e| e.content).unwrap_err().to_string(), expected);
}

#[track_caller]
fn check_parts(content: &str, present: &[&str], absent: &[&str]) {
    for part in present {
        assert!(content.contains(part), "`{part}` is missing in: {content}");
    }
    for part in absent {
        assert!(!content.contains(part), "`{part}` should not be in: {content}");
    }
}

#[test]
fn an_article_becomes_markdown_without_what_surrounds_it() {
    let base = Some("https://fence.example/capabilities".to_owned());
    let page = article(&Options { base_url: base, ..options() });
    let present = [
        "[Dennis and Van Horn](https://fence.example/people/dennis)",
        "## Three properties",
        "- A capability cannot be **forged**",
        "| CAP",
        "```rust\nlet file = dir.open(\"a.txt\")?;\n```",
        "*attenuation*",
    ];
    check_parts(
        &page.content,
        &present,
        &["Buy our fences", "Sport", "Copyright", "alert", "color"],
    );
    assert_eq!(
        (page.part, page.links, page.truncated, page.replaced),
        (Part::Article, 1, false, false)
    );
    assert!((120..170).contains(&page.words), "{}", page.words);
}

#[test]
fn the_metadata_comes_from_the_head() {
    let text = |text: &str| Some(text.to_owned());
    let page = article(&options());
    let expected = Metadata {
        title: text("How capability systems grew up"),
        byline: text("Ada Example"),
        site_name: text("The Daily Fence"),
        published: text("2025-03-14T09:30:00Z"),
        modified: text("2025-03-15T10:00:00Z"),
        language: text("en-GB"),
        description: text("A short history of capabilities, from 1966 to today."),
        canonical: text("https://fence.example/capabilities"),
        image: text("https://fence.example/cover.png"),
    };
    assert_eq!(page.metadata, expected);
    assert_eq!(page.excerpt, expected.description);
    assert_eq!(page.charset, "UTF-8");
}

#[test]
fn plain_text_has_no_markup() {
    let page = article(&Options { form: Some(Form::Text), ..options() });
    check_parts(
        &page.content,
        &["Three properties\n", "cannot be forged"],
        &["##", "**", "](", "<p"],
    );
}

#[test]
fn the_whole_page_keeps_what_surrounds_the_article_but_no_script() {
    let page = article(&Options { part: Some(Part::WholePage), ..options() });
    check_parts(
        &page.content,
        &["Sport", "Buy our fences", "Copyright", "1966"],
        &["alert", "color: red"],
    );
    assert_eq!((page.part, page.links), (Part::WholePage, 5));
}

#[test]
fn content_is_cut_between_characters_and_says_so() {
    let html = Source::Html(format!("<p>{}</p>", "Zoë ".repeat(300)));
    let page = run(html, &Options { max_bytes: Some(3), ..options() }).unwrap();
    assert_eq!((page.content.as_str(), page.truncated, page.words), ("Zo", true, 300));
}

#[test]
fn the_charset_comes_from_the_hint_the_page_or_a_guess() {
    let check = |bytes: &[u8], hint: Option<&str>, content: &str, charset: &str| {
        let options = Options { charset: hint.map(str::to_owned), ..options() };
        let page = run(Source::Bytes(bytes.to_vec()), &options).unwrap();
        assert_eq!((page.content.as_str(), page.charset.as_str()), (content, charset));
    };
    check(b"<p>caf\xe9</p>", Some("latin1"), "café", "windows-1252");
    check(b"<meta charset=shift_jis><p>\x93\xfa\x96\x7b</p>", None, "日本", "Shift_JIS");
    check(b"\xff\xfe<\0p\0>\0h\0i\0", None, "hi", "UTF-16LE");
    check("<p>Zoë".as_bytes(), None, "Zoë", "UTF-8");
    let broken = run(
        Source::Bytes(b"<p>a\xffb".to_vec()),
        &Options { charset: Some("utf-8".into()), ..options() },
    );
    assert_eq!(broken.map(|p| (p.content, p.replaced)).unwrap(), ("a\u{fffd}b".to_owned(), true));
}

#[test]
fn pages_that_are_cut_off_or_hardly_html_still_give_their_text() {
    for (html, content) in [
        ("just text", "just text"),
        ("<p>one<p>tw", "one\n\ntw"),
        ("<table><tr><td>cell", "cell"),
        ("<p>a</p><script>hidden", "a"),
        ("<!-- only a comment -->", ""),
        ("<p title=\"hidden>text", ""),
    ] {
        let page = run(Source::Html(html.into()), &options()).unwrap();
        check_parts(&page.content, &[content], &["hidden", "<"]);
    }
}

#[test]
fn ideographs_count_as_words() {
    let page = run(Source::Html("<p>日本語 and words".into()), &options()).unwrap();
    assert_eq!(page.words, 5);
}

#[test]
fn hostile_json_ld_is_not_looked_at() {
    let deep = "[".repeat(200_000);
    let html =
        format!("<script type='application/ld+json'>{deep}</script><title>T</title><p>text</p>");
    let page = run(Source::Html(html), &options()).unwrap();
    assert_eq!((page.content.as_str(), page.metadata.title.as_deref()), ("text", Some("T")));
}

#[test]
fn a_page_nested_as_deep_as_allowed_is_extracted() {
    let html = format!("{}<p>deep text</p>", "<div>".repeat(240));
    for form in [Form::Markdown, Form::Text] {
        let options = Options { form: Some(form), ..options() };
        assert_eq!(run(Source::Html(html.clone()), &options).unwrap().content, "deep text");
    }
    for (open, text) in
        [("<blockquote>", "> x"), ("<ul><li>", "- x"), ("<b>", "x"), ("<table><tr><td>", "x")]
    {
        let count =
            240 / open.matches('<').count().max(1) / if open.contains("table") { 2 } else { 1 };
        let html = format!("{}x", open.repeat(count));
        let page = run(Source::Html(html), &options()).unwrap();
        assert!(page.content.contains(text.trim_start_matches(['>', '-', ' '])), "{open}");
    }
}

#[test]
fn gigantic_values_are_bounded() {
    let huge = "x".repeat(1 << 20);
    let html = format!(
        "<title>{huge}</title><meta name=description content='{huge}'><p class='{huge}'>{huge}"
    );
    let page = run(Source::Html(html), &options()).unwrap();
    assert_eq!((page.content.len(), page.truncated), (256 << 10, true));
    assert_eq!(page.metadata.description.map(|d| d.len()), Some(4096));
    assert_eq!(page.metadata.title.map(|t| t.len()), Some(4096));
}

#[test]
fn what_is_no_page_is_refused_with_the_reason() {
    let bytes = |bytes: &[u8]| Source::Bytes(bytes.to_vec());
    let none = options();
    check_refused(bytes(b""), &none, "the page is empty");
    check_refused(Source::Html(" \n".into()), &none, "the page is empty");
    check_refused(bytes(b"%PDF-1.7"), &none, "the input is a PDF file, not an HTML page");
    check_refused(bytes(b"a\0\x01\x02"), &none, "the input is binary data, not an HTML page");
    check_refused(
        Source::Html("<p>".repeat(3 << 20)),
        &none,
        "the page is larger than 8388608 bytes",
    );
    check_refused(
        Source::Html("<div>".repeat(100_000)),
        &none,
        "elements are nested deeper than 256 levels",
    );
    check_refused(Source::File("none.html".into()), &none, "cannot read `none.html`");
    check_refused(Source::File("/".into()), &none, "a path must name a file");
    check_refused(
        Source::Html("<p>".into()),
        &Options { charset: Some("klingon".into()), ..options() },
        "unknown charset `klingon`; use a name such as `utf-8` or `iso-8859-1`",
    );
    check_refused(
        Source::Html("<p>".into()),
        &Options { base_url: Some("/relative".into()), ..options() },
        "base-url `/relative` is not an absolute address",
    );
}
