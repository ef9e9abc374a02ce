//! What counts as the same text, and what counts as a word.
//!
//! Words are those of Unicode (UAX #29) that hold a letter or a digit, in lower case and
//! compatibility form (NFKC), without characters that show nothing. Every ideograph and every
//! hiragana is a word of its own. Ranking, near-duplicates and everything else count in these words.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Calls `visit` with each word of a text, in order.
pub fn for_each_word(text: &str, mut visit: impl FnMut(&str)) {
    let mut folded = String::new();
    // White space always parts words, so each piece can be looked at by itself.
    for piece in text.split_whitespace() {
        fold_into(&mut folded, piece);
        if folded.is_ascii() {
            ascii_words(&folded, &mut visit);
        } else {
            folded.unicode_words().for_each(&mut visit);
        }
        folded.clear();
    }
}

/// Returns how many words a text has.
pub fn count_words(text: &str) -> usize {
    let mut count = 0;
    for_each_word(text, |_| count += 1);
    count
}

/// Returns a text in the form in which equal texts are equal: lower case, compatibility form, one
/// space for any white space, plain quotation marks and dashes, nothing invisible.
pub fn normalise(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    for piece in text.split_whitespace() {
        let start = normal.len();
        fold_into(&mut normal, piece);
        if normal.len() > start {
            normal.push(' ');
        }
    }
    normal.truncate(normal.trim_end().len());
    normal
}

/// Appends a piece of text in folded form.
fn fold_into(folded: &mut String, piece: &str) {
    if piece.is_ascii() {
        let start = folded.len();
        folded.push_str(piece);
        if let Some(new) = folded.get_mut(start..) {
            new.make_ascii_lowercase();
        }
        return;
    }
    let visible = piece.chars().filter(|c| !is_invisible(*c)).nfkc();
    folded.extend(visible.flat_map(char::to_lowercase).map(plain));
}

/// Returns the plain form of quotation marks, apostrophes and dashes.
fn plain(c: char) -> char {
    match c {
        '\u{2018}'..='\u{201b}' | '\u{2032}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => c,
    }
}

/// Whether a character shows nothing (Unicode: default ignorable), so that it can hide a copy.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The words of an ASCII text without white space: the rules of UAX #29 for these characters alone.
fn ascii_words(text: &str, visit: &mut impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let mut start = 0;
    while let Some(first) = bytes.get(start) {
        if !in_word(*first) {
            start += 1;
            continue;
        }
        let mut end = start + 1;
        while bytes.get(end).is_some_and(|byte| in_word(*byte)) || joins(bytes, end) {
            end += 1;
        }
        if let Some(word) = text.get(start..end)
            && word.bytes().any(|byte| byte.is_ascii_alphanumeric())
        {
            visit(word);
        }
        start = end;
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the byte at `at` stands between two letters or two digits that it joins.
fn joins(bytes: &[u8], at: usize) -> bool {
    let Some([before, mark, after]) = at.checked_sub(1).and_then(|from| bytes.get(from..at + 2))
    else {
        return false;
    };
    let letters = before.is_ascii_alphabetic() && after.is_ascii_alphabetic();
    let digits = before.is_ascii_digit() && after.is_ascii_digit();
    match mark {
        b'\'' | b'.' => letters || digits,
        b':' => letters,
        b',' | b';' => digits,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::{for_each_word, normalise};
    use crate::hash::mix;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_those_of_unicode_in_lower_case() {
        for (text, expected) in [
            ("It's 3.14, or NOT_so e.g. 1,000;2", "it's 3.14 or not_so e.g 1,000;2"),
            ("Straße ÉCOLE ﬁne", "straße école fine"),
            ("研究报告", "研 究 报 告"),
            ("カタカナとひらがな", "カタカナ と ひ ら が な"),
            ("한국어 단어", "한국어 단어"),
            ("_ -- __ !", ""),
            ("ab\u{200b}cd soft\u{ad}ly", "abcd softly"),
            ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn the_short_way_for_ascii_finds_the_same_words() {
        let letters = b"aB1_.,:;'-\"z9 \t(";
        for seed in 0..20_000_u64 {
            let at = |n: u64| usize::try_from(mix(seed * 64 + n) % 16).unwrap_or(0);
            let text: String = (0..12).map(|n| char::from(letters[at(n)])).collect();
            let lower = text.to_lowercase();
            assert_eq!(words(&text), lower.unicode_words().collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn equal_texts_are_equal_however_they_are_set() {
        let plain = "\"it's\" - a test";
        for text in
            ["“It’s”\n—\u{a0} a\u{feff}  TEST ", "\"it's\" - a test", "\u{200b} \"IT'S\" – a tEst"]
        {
            assert_eq!(normalise(text), plain);
        }
        assert_ne!(normalise("-5"), normalise("5"));
        assert_eq!(normalise(" \u{200b} "), "");
    }
}
