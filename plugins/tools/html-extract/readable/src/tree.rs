//! Parsing within limits.
//!
//! The parser itself does not recurse, but it searches the open elements for every tag, and what is
//! done with the tree later does recurse. So the page is fed in pieces, and between two pieces the
//! depth and the number of nodes are looked at: neither can grow by much within one piece.

use dom_query::{Document, NodeRef};
use html5ever::ParseOpts;
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;

use crate::PageError;

/// Deepest nesting: browsers stop at 512, real pages stay below 100.
const MAX_DEPTH: usize = 256;
/// Most elements, texts and comments.
const MAX_NODES: usize = 300_000;
/// Most work for escaping all texts once: at each `&` the writer of HTML searches the text up to the
/// next `<` or `>` again (and at each byte that could begin a no-break space).
const MAX_ESCAPE_WORK: u64 = 1 << 31;
/// Bytes between two looks at the tree.
const PIECE_BYTES: usize = 4096;

/// Parses a page, or refuses it when it is too deep or too large.
pub(crate) fn parse(html: &str) -> Result<Document, PageError> {
    let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..Default::default() };
    let opts = ParseOpts { tree_builder, ..Default::default() };
    let mut parser = html5ever::parse_document(Document::default(), opts);
    for piece in Pieces(html) {
        parser.process(StrTendril::from_slice(piece));
        let document = &parser.tokenizer.sink.sink;
        document.errors.borrow_mut().clear();
        check_size(document)?;
        if last_branch(document) > 2 * MAX_DEPTH {
            return Err(PageError::TooDeep { limit: MAX_DEPTH });
        }
    }
    let document = parser.finish();
    check_size(&document)?;
    if depth(&document) > MAX_DEPTH {
        return Err(PageError::TooDeep { limit: MAX_DEPTH });
    }
    if escape_work(&document) > MAX_ESCAPE_WORK {
        return Err(PageError::TooManyEscapes);
    }
    Ok(document)
}

fn escape_work(document: &Document) -> u64 {
    let of_text = |node: NodeRef<'_>| {
        let text = if node.is_text() { node.text() } else { StrTendril::new() };
        let of_stretch = |stretch: &str| {
            let escapes = stretch.bytes().filter(|b| matches!(b, b'&' | 0xc2)).count();
            escapes as u64 * stretch.len() as u64
        };
        text.split(['<', '>']).map(of_stretch).fold(0, u64::saturating_add)
    };
    document.root().descendants_it().map(of_text).fold(0, u64::saturating_add)
}

fn check_size(document: &Document) -> Result<(), PageError> {
    if document.tree.len() > MAX_NODES {
        return Err(PageError::TooManyNodes { limit: MAX_NODES });
    }
    Ok(())
}

/// Returns how deep the branch is that the parser is writing to.
fn last_branch(document: &Document) -> usize {
    let branch = std::iter::successors(Some(document.root()), NodeRef::last_child);
    branch.take(2 * MAX_DEPTH + 1).count()
}

/// Returns the deepest nesting of the whole tree, without recursion.
fn depth(document: &Document) -> usize {
    let (mut depth, mut deepest) = (1, 1);
    let mut node = document.root();
    loop {
        if let Some(child) = node.first_child() {
            node = child;
            depth += 1;
            deepest = deepest.max(depth);
            continue;
        }
        loop {
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            let Some(parent) = node.parent() else { return deepest };
            node = parent;
            depth -= 1;
        }
    }
}

/// The text in pieces that end between two characters.
struct Pieces<'t>(&'t str);

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.0.is_empty() {
            return None;
        }
        let (piece, rest) = self.0.split_at(self.0.floor_char_boundary(PIECE_BYTES));
        self.0 = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{MAX_DEPTH, parse};

    #[track_caller]
    fn check_refused(html: &str, expected: &str) {
        let error = parse(html).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn deep_pages_are_refused_however_they_nest() {
        let too_deep = "elements are nested deeper than 256 levels";
        for html in [
            "<div>".repeat(1_000_000),
            "<table><tr><td>".repeat(100_000),
            "<ul><li>".repeat(100_000),
            "<svg><g>".repeat(100_000),
            "<div>".repeat(MAX_DEPTH),
        ] {
            check_refused(&html, too_deep);
        }
    }

    #[test]
    fn pages_that_multiply_their_elements_are_refused() {
        let bold: Vec<String> = (0..200).map(|n| format!("<b id={n}>")).collect();
        let bold = bold.concat();
        let html = format!("{bold}{}", "<p>x".repeat(200_000));
        check_refused(&html, "the page has more than 300000 elements and texts");
        check_refused(
            &"<b><p>".repeat(200_000),
            "the page has more than 300000 elements and texts",
        );
    }

    #[test]
    fn a_text_that_is_all_escapes_is_refused() {
        let reason = "texts with this many `&` take too long to work on";
        check_refused(&"&amp;".repeat(100_000), reason);
        assert!(parse(&"a < b && c > d; ".repeat(2_000)).is_ok());
    }

    #[test]
    fn a_long_flat_page_is_fine() {
        let html = "<p>Zoë<br>".repeat(20_000);
        assert_eq!(parse(&html).unwrap().select("p").length(), 20_000);
    }
}
