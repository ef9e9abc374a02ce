//! Finds the known word a misspelt one probably meant.

/// Returns the candidate within a third of its length of `word`, the nearest first.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let scored = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let best = scored.min_by_key(|(distance, _)| *distance)?;
    (best.0 <= 1 + best.1.len() / 4).then_some(best.1)
}

/// Returns the number of single-character edits between the two, `_` and `-` being the same.
fn distance(a: &str, b: &str) -> usize {
    let same = |x: char, y: char| x.eq_ignore_ascii_case(&y) || (x == '_' && y == '-');
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(!same(x, *y));
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised_and_a_different_word_is_not() {
        let known = ["needs-profile", "name", "fs.read"];
        for (word, meant) in [
            ("need-profile", Some("needs-profile")),
            ("needs_profile", Some("needs-profile")),
            ("nmae", Some("name")),
            ("fs.raed", Some("fs.read")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
