//! Text that others wrote, made fit to be shown: nothing in it can steer a terminal or hide.
//!
//! The one list of such characters. Rooms that refuse them ask [`hides`], rooms that show text use
//! [`plain`], [`lines`] or [`brief`].

/// Tells whether `c` could steer what shows it or make text look like other text: controls, marks of
/// direction, separators of lines, and everything that takes no room and shows nothing.
///
/// Line feed and tab are among them. The two selectors that only choose between the coloured and the
/// plain form of an emoji (U+FE0E, U+FE0F) are not.
pub fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // A hyphen shown only at the end of a line, and a joiner that shows nothing.
            '\u{ad}' | '\u{34f}'
            // Marks of direction, in Arabic and below U+2000 to U+206F.
            | '\u{61c}'
            // Letters and vowels without a shape: Hangul fillers, Khmer, Mongolian.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{ffa0}'
            // Spaces without width, joiners, left-to-right and right-to-left marks.
            | '\u{200b}'..='\u{200f}'
            // Separators of lines and paragraphs, embeddings and overrides of direction.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators, isolates of direction, forms nobody uses any more.
            | '\u{2060}'..='\u{206f}'
            // Selectors of variants, with which any bytes can be written behind one letter.
            | '\u{fe00}'..='\u{fe0d}'
            // The mark of byte order, annotations, and what is reserved beside them.
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            // Controls of hieroglyphs, shorthand and music.
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags: a copy of ASCII that shows nothing, and more selectors of variants.
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns `text` in one line, with U+FFFD in place of each character that [`hides`].
pub fn plain(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// Returns `text` like [`plain`] does, but with its line feeds and tabs.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { c } else { shown(c) }).collect()
}

/// Returns at most `most` characters of `text` like [`plain`] does, and `…` where more was.
pub fn brief(text: &str, most: usize) -> String {
    let mut brief: String = text.chars().take(most).map(shown).collect();
    if text.chars().nth(most).is_some() {
        brief.push('…');
    }
    brief
}

fn shown(c: char) -> char {
    if hides(c) { '\u{fffd}' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_steers_or_hides_is_known() {
        for c in [
            '\0',
            '\u{7}',
            '\t',
            '\n',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe00}',
            '\u{feff}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
        ] {
            assert!(hides(c), "{c:?}");
        }
        for c in ['a', ' ', 'é', 'ß', '語', 'ש', 'ا', '\u{301}', '🦀', '\u{fe0f}', '…', '\u{fffd}']
        {
            assert!(!hides(c), "{c:?}");
        }
    }

    #[test]
    fn text_is_shown_without_them_and_not_too_long() {
        let text = "a\x1b[2J\nb\tc\u{202e}d\u{e0041}";
        assert_eq!(plain(text), "a\u{fffd}[2J\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(lines(text), "a\u{fffd}[2J\nb\tc\u{fffd}d\u{fffd}");
        assert_eq!(brief("éééé", 4), "éééé");
        assert_eq!(brief("éé\néé", 3), "éé\u{fffd}…");
        assert_eq!(brief("", 0), "");
    }
}
