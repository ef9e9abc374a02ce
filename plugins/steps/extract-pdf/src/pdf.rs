//! Text of PDF files. What a file announces is not believed: streams are inflated up to a bound, pages and text are
//! counted. What still exhausts or stops the component ends one document, because it holds nothing else.

use lopdf::{Document, LoadOptions, Object};
use ringfence_sdk::ToolError;

/// Largest stream, inflated.
const MAX_STREAM_BYTES: usize = 8 << 20;
/// Most pages that are read.
const MAX_PAGES: usize = 500;
/// A line shorter than this part of the longest of its page ends a paragraph.
const SHORT: (usize, usize) = (3, 5);
/// Most characters of a title.
const MAX_TITLE_CHARS: usize = 300;

/// What a file says.
#[derive(Debug)]
pub(crate) struct Pdf {
    pub(crate) text: String,
    pub(crate) title: Option<String>,
    pub(crate) truncated: bool,
}

/// Reads a file, up to `most` bytes of text.
pub(crate) fn read(bytes: &[u8], most: usize) -> Result<Pdf, ToolError> {
    let unreadable = |why: &str| ToolError::InvalidInput(format!("the PDF cannot be read: {why}"));
    let options =
        LoadOptions { max_decompressed_size: Some(MAX_STREAM_BYTES), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(bytes, options)
        .map_err(|error| unreadable(&error.to_string()))?;
    if document.is_encrypted() {
        return Err(unreadable("it is encrypted"));
    }
    let (mut text, mut truncated, mut faults) = (String::new(), false, 0);
    let mut pages = 0;
    for (number, _) in document.page_iter().enumerate() {
        let page = u32::try_from(number + 1).unwrap_or(u32::MAX);
        if number >= MAX_PAGES || text.len() >= most {
            truncated = true;
            break;
        }
        pages += 1;
        match document.extract_text_with_limit(&[page], MAX_STREAM_BYTES) {
            Ok(read) => paragraphs(&read, &mut text),
            Err(_) => faults += 1,
        }
    }
    if text.trim().is_empty() {
        return Err(unreadable(match (pages, faults) {
            (0, _) => "it has no pages",
            (_, 0) => "its pages have no text; they may be pictures",
            _ => "no page of it can be read",
        }));
    }
    truncated |= text.len() > most || faults > 0;
    text.truncate(text.floor_char_boundary(most));
    Ok(Pdf { text, title: title(&document), truncated })
}

/// Returns the title that the file gives itself.
fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let (_, info) = document.dereference(info).ok()?;
    let Ok(Object::String(bytes, _)) = info.as_dict().ok()?.get(b"Title") else { return None };
    let text = match bytes.strip_prefix(b"\xfe\xff") {
        Some(wide) => {
            let units = wide.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            String::from_utf16_lossy(&units.collect::<Vec<_>>())
        }
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty());
    let short: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_TITLE_CHARS).collect();
    (!short.is_empty()).then_some(short)
}

/// Writes the lines of a page as paragraphs: sentences go over lines, and words can be divided between two.
fn paragraphs(page: &str, text: &mut String) {
    let lines: Vec<&str> = page.lines().map(str::trim).collect();
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let is_short = |line: &str| line.chars().count() * SHORT.1 < longest * SHORT.0;
    let mut before: Option<&str> = None;
    for line in lines {
        if line.is_empty() {
            before = None;
            continue;
        }
        match before {
            None => begin(text),
            Some(last) if is_short(last) && starts(line) => begin(text),
            Some(last) if divided(last, line) => {
                text.pop();
            }
            Some(last) if last.ends_with(ideograph) && line.starts_with(ideograph) => {}
            Some(_) => text.push(' '),
        }
        text.push_str(line);
        before = Some(line);
    }
}

fn begin(text: &mut String) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
}

/// Tells whether a line can begin a paragraph.
fn starts(line: &str) -> bool {
    line.starts_with(|c: char| !c.is_lowercase())
}

/// Tells whether a word goes over the end of a line.
fn divided(last: &str, line: &str) -> bool {
    let word = last.strip_suffix('-').is_some_and(|rest| rest.ends_with(char::is_alphabetic));
    word && line.starts_with(char::is_lowercase)
}

fn ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{3001}' | '\u{3002}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{paragraphs, read};

    /// Returns a file with one page that shows these lines.
    fn pdf(lines: &[&str]) -> Vec<u8> {
        let shown: Vec<_> = lines.iter().map(|line| format!("({line}) Tj T*")).collect();
        let content = format!("BT /F1 12 Tf 14 TL 72 720 Td {} ET", shown.join(" "));
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> >> >>"
                .to_owned(),
            format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
                .to_owned(),
            "<< /Title (On  seepage) >>".to_owned(),
        ];
        let mut bytes = b"%PDF-1.4\n".to_vec();
        let mut places = Vec::new();
        for (number, object) in (1..).zip(&objects) {
            places.push(bytes.len());
            bytes.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
        }
        let start = bytes.len();
        bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
        for place in places {
            bytes.extend(format!("{place:010} 00000 n \n").bytes());
        }
        let trailer =
            format!("trailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n{start}\n%%EOF\n");
        bytes.extend(trailer.bytes());
        bytes
    }

    #[test]
    fn sentences_go_over_lines_and_words_over_their_ends() {
        let file = pdf(&[
            "The water that seeps through a dam is meas-",
            "ured at a weir. Keepers read the weir each",
            "day.",
            "A sudden rise of the flow is looked into.",
        ]);
        let read = read(&file, 1 << 20).unwrap();
        let text = "The water that seeps through a dam is measured at a weir. Keepers read the weir each \
            day.\n\nA sudden rise of the flow is looked into.";
        assert_eq!((read.text.as_str(), read.title.as_deref()), (text, Some("On seepage")));
        assert!(!read.truncated);
        let short = super::read(&file, 20).unwrap();
        assert!(short.truncated && short.text == "The water that seeps");
    }

    #[test]
    fn what_is_no_readable_file_is_named() {
        let refused = |bytes: &[u8]| read(bytes, 100).unwrap_err().to_string();
        let file = pdf(&[]);
        assert!(refused(&file).contains("its pages have no text"), "{}", refused(&file));
        assert!(refused(b"%PDF-1.4\nno more").contains("the PDF cannot be read"));
        let mut text = String::new();
        paragraphs("日本語の\n文章。\n\nEnd", &mut text);
        assert_eq!(text, "日本語の文章。\n\nEnd");
    }
}
