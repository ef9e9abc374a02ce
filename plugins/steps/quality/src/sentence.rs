//! Sentences with their places in the text, so that each can be cited.
//!
//! Blocks end at an empty line, a heading or a list item; within a block the rules of Unicode for
//! sentences (UAX #29) hold, and a sentence does not end behind an abbreviation.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::lexicon;
use crate::text;

/// Longest sentence that is quoted; longer ones are tables or code.
pub const MAX_SENTENCE_BYTES: usize = 1200;
/// Most sentences of one text that are looked at.
pub const MAX_SENTENCES: usize = 50_000;

/// Returns the places of the sentences of a text, in bytes. Together they hold all of its words, up to
/// [`MAX_SENTENCES`].
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for block in blocks(text) {
        let Some(content) = text.get(block.clone()) else { continue };
        // The rules end a sentence at every line break, and texts are wrapped: so line breaks are
        // taken for spaces, which are as long.
        let flat = content.replace(['\n', '\r'], " ");
        let mut start = None;
        for (at, piece) in flat.split_sentence_bound_indices() {
            let from = *start.get_or_insert(at);
            if lexicon::goes_on(piece) && at + piece.len() < flat.len() {
                continue;
            }
            start = None;
            if found.len() >= MAX_SENTENCES {
                return found;
            }
            let whole = flat.get(from..at + piece.len()).unwrap_or_default();
            let leading = whole.len() - whole.trim_start().len();
            let place = block.start + from + leading;
            if text::count_words(whole) > 0 {
                found.push(place..place + whole.trim().len());
            }
        }
    }
    found
}

/// Returns the blocks of a text: paragraphs, headings and list items without their marks.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (content, mark) = without_mark(line);
        let start = at + (line.len() - content.len());
        let end = at + line.trim_end().len();
        at += line.len();
        if content.trim().is_empty() {
            open = false;
        } else if let (true, Mark::None, Some(last)) = (open, mark, blocks.last_mut()) {
            last.end = end;
        } else {
            blocks.push(start..end.max(start));
            open = mark != Mark::Heading;
        }
    }
    blocks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Item,
    Heading,
}

/// Returns a line without the mark of a heading or a list item at its beginning.
fn without_mark(line: &str) -> (&str, Mark) {
    let content = line.trim_start_matches([' ', '\t']);
    let heading = content.trim_start_matches('#');
    if heading.len() < content.len() && heading.starts_with(' ') {
        return (heading.trim_start_matches(' '), Mark::Heading);
    }
    for mark in ["- ", "* ", "+ ", "• ", "> "] {
        if let Some(rest) = content.strip_prefix(mark) {
            return (rest, Mark::Item);
        }
    }
    let digits = content.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = content.len() - digits.len();
    match digits.strip_prefix(". ").or_else(|| digits.strip_prefix(") ")) {
        Some(rest) if (1..=3).contains(&number) => (rest, Mark::Item),
        _ => (line, Mark::None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::sentences;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|place| &text[place]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check(
            "It costs 3.50 e.g. in Paris. Dr. Lee agrees.",
            &["It costs 3.50 e.g. in Paris.", "Dr. Lee agrees."],
        );
        check(
            "J. Smith wrote it. Others (cf. Jones) did not.",
            &["J. Smith wrote it.", "Others (cf. Jones) did not."],
        );
        check("研究很重要。结果公开。", &["研究很重要。", "结果公开。"]);
        check("", &[]);
        check(" . ! \n\n", &[]);
    }

    #[test]
    fn a_wrapped_line_ends_no_sentence_and_an_empty_one_does() {
        check(
            "A sentence\nover lines. Next\n\nno full stop",
            &["A sentence\nover lines.", "Next", "no full stop"],
        );
        check(
            "# Title here\nText.\r\n- item one\n- item two\n  goes on.\n2. Three",
            &["Title here", "Text.", "item one", "item two\n  goes on.", "Three"],
        );
    }

    #[test]
    fn every_place_is_on_the_border_of_characters() {
        let text = "Zoë é. \u{3000}日本。\n\u{a0}- ü!\r\n#é";
        for place in sentences(text) {
            assert!(text.get(place).is_some());
        }
    }
}
