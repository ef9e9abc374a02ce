//! What a document says of itself before its text: front matter, a heading, a line of JSON.

use serde::Deserialize;

/// Longest front matter.
const MAX_FRONT_BYTES: usize = 4096;

/// What is known of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) url: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) published: Option<String>,
}

/// A line of JSON Lines; other keys are passed over.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) url: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) published: Option<String>,
    pub(crate) text: String,
}

/// Parts a text from its front matter: `key: value` lines between two lines `---`.
pub(crate) fn front(text: &str) -> (Meta, &str) {
    let none = || (Meta::default(), text);
    let text_after = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"));
    let Some(rest) = text_after else { return none() };
    let end = rest.split_inclusive('\n').try_fold(0, |at, line| {
        if line.trim_end() == "---" { Err(at) } else { Ok(at + line.len()) }
    });
    let Err(end) = end else { return none() };
    let Some(head) = rest.get(..end).filter(|head| head.len() <= MAX_FRONT_BYTES) else {
        return none();
    };
    let mut meta = Meta::default();
    for line in head.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']).trim();
        if value.is_empty() {
            continue;
        }
        let value = Some(value.to_owned());
        match key.trim() {
            "url" => meta.url = value,
            "title" => meta.title = value,
            "date" | "published" => meta.published = value,
            _ => {}
        }
    }
    let body = rest.get(end..).unwrap_or_default();
    (meta, body.split_once('\n').map_or("", |(_, body)| body))
}

/// Returns the first heading of a Markdown text that begins with one.
pub(crate) fn heading(text: &str) -> Option<String> {
    let first = text.trim_start().lines().next()?;
    let title = first.strip_prefix("# ")?.trim();
    (!title.is_empty()).then(|| title.to_owned())
}

/// Returns the title element and the words of a page, for finding it; what is cited is made by a step
/// that knows HTML.
pub(crate) fn page(html: &str) -> (Option<String>, String) {
    let mut text = String::with_capacity(html.len() / 2);
    let mut title = None;
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        text.push_str(rest.get(..open).unwrap_or_default());
        text.push(' ');
        rest = rest.get(open..).unwrap_or_default();
        let close = rest.find('>').map_or(rest.len(), |at| at + 1);
        let tag = rest.get(1..close).unwrap_or_default().to_ascii_lowercase();
        rest = rest.get(close..).unwrap_or_default();
        for skipped in ["script", "style"] {
            if tag.starts_with(skipped) {
                let close = format!("</{skipped}");
                let mut windows = rest.as_bytes().windows(close.len());
                let end = windows.position(|found| found.eq_ignore_ascii_case(close.as_bytes()));
                rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default();
            }
        }
        if title.is_none() && tag.starts_with("title") {
            let end = rest.find('<').unwrap_or(rest.len());
            let found = rest.get(..end).unwrap_or_default().trim();
            title = (!found.is_empty()).then(|| found.to_owned());
        }
    }
    text.push_str(rest);
    (title, text)
}
