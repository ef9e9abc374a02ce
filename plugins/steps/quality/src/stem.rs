//! Stems of English words, so that `measured`, `measures` and `measuring` are one word to a search.
//!
//! The algorithm of Porter (1980), with his own later change of `bli` and `logi`. Words with anything but the
//! letters `a` to `z` are left as they are, and so are those of one or two letters.

/// Endings of step 2, each with what takes its place where a syllable stands before it.
const STEP_2: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("ization", "ize"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("tional", "tion"),
    ("biliti", "ble"),
    ("entli", "ent"),
    ("ousli", "ous"),
    ("ation", "ate"),
    ("alism", "al"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("alli", "al"),
    ("ator", "ate"),
    ("logi", "log"),
    ("bli", "ble"),
    ("eli", "e"),
];
/// The same of step 3.
const STEP_3: &[(&str, &str)] = &[
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ness", ""),
    ("ful", ""),
];
/// Endings of step 4, which go where two syllables stand before them; the longest first.
const STEP_4: &[&str] = &[
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ion", "ism", "ate", "iti",
    "ous", "ive", "ize", "al", "er", "ic", "ou",
];

/// Writes the stem of a word in lower case over `stem`.
pub fn stem_into(word: &str, stem: &mut String) {
    stem.clear();
    let word = word.strip_suffix("'s").unwrap_or(word);
    stem.push_str(word);
    if word.len() <= 2 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return;
    }
    plurals(stem);
    past_and_present(stem);
    if let Some(before) = stem.strip_suffix('y').filter(|before| has_vowel(before)) {
        let length = before.len();
        stem.truncate(length);
        stem.push('i');
    }
    replace(stem, STEP_2);
    replace(stem, STEP_3);
    step_4(stem);
    step_5(stem);
}

fn plurals(word: &mut String) {
    let cut = match word.as_str() {
        w if w.ends_with("sses") || w.ends_with("ies") => 2,
        w if w.ends_with("ss") || !w.ends_with('s') => 0,
        _ => 1,
    };
    word.truncate(word.len() - cut);
}

fn past_and_present(word: &mut String) {
    if let Some(before) = word.strip_suffix("eed") {
        if measure(before) > 0 {
            word.truncate(word.len() - 1);
        }
        return;
    }
    let before = word.strip_suffix("ed").or_else(|| word.strip_suffix("ing"));
    let Some(length) = before.filter(|before| has_vowel(before)).map(str::len) else { return };
    word.truncate(length);
    if ["at", "bl", "iz"].iter().any(|end| word.ends_with(end))
        || (!doubled(word) && measure(word) == 1 && is_short(word))
    {
        word.push('e');
    } else if doubled(word) && !word.ends_with(['l', 's', 'z']) {
        word.truncate(word.len() - 1);
    }
}

/// Replaces the longest ending that a word has, where a syllable stands before it.
fn replace(word: &mut String, endings: &[(&str, &str)]) {
    let found = endings.iter().find_map(|(end, new)| Some((word.strip_suffix(end)?, new)));
    if let Some((length, new)) = found.filter(|(b, _)| measure(b) > 0).map(|(b, n)| (b.len(), n)) {
        word.truncate(length);
        word.push_str(new);
    }
}

fn step_4(word: &mut String) {
    let found = STEP_4.iter().find_map(|end| Some((word.strip_suffix(end)?, *end)));
    let Some((before, end)) = found else { return };
    if measure(before) > 1 && (end != "ion" || before.ends_with(['s', 't'])) {
        let length = before.len();
        word.truncate(length);
    }
}

fn step_5(word: &mut String) {
    if let Some(before) = word.strip_suffix('e')
        && (measure(before) > 1 || (measure(before) == 1 && !is_short(before)))
    {
        word.truncate(word.len() - 1);
    }
    if word.ends_with("ll") && measure(word) > 1 {
        word.truncate(word.len() - 1);
    }
}

/// Calls `visit` with each letter and whether it is a consonant: `y` is one at the beginning and behind a
/// vowel.
fn letters(word: &str, mut visit: impl FnMut(u8, bool)) {
    let mut before = false;
    for (at, letter) in word.bytes().enumerate() {
        let consonant = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => at == 0 || !before,
            _ => true,
        };
        visit(letter, consonant);
        before = consonant;
    }
}

/// Returns how often a vowel is followed by a consonant.
fn measure(word: &str) -> usize {
    let (mut count, mut vowel) = (0, false);
    letters(word, |_, consonant| {
        count += usize::from(vowel && consonant);
        vowel = !consonant;
    });
    count
}

fn has_vowel(word: &str) -> bool {
    let mut found = false;
    letters(word, |_, consonant| found |= !consonant);
    found
}

/// Whether a word ends with the same consonant twice.
fn doubled(word: &str) -> bool {
    let mut last = [(0, false); 2];
    letters(word, |letter, consonant| last = [last[1], (letter, consonant)]);
    last[0] == last[1] && last[0].1
}

/// Whether a word ends with consonant, vowel, consonant, and the last is not `w`, `x` or `y`.
fn is_short(word: &str) -> bool {
    let mut last = [(0, false); 3];
    let mut count = 0;
    letters(word, |letter, consonant| {
        last = [last[1], last[2], (letter, consonant)];
        count += 1;
    });
    count > 2
        && last.map(|(_, consonant)| consonant) == [true, false, true]
        && !matches!(last[2].0, b'w' | b'x' | b'y')
}

#[cfg(test)]
mod tests {
    use super::stem_into;

    #[test]
    fn words_of_one_root_have_one_stem() {
        // The examples of the paper, and words the corpus uses.
        let cases = "caresses caress, ponies poni, ties ti, cats cat, feed feed, agreed agre, \
            plastered plaster, bled bled, motoring motor, sing sing, conflated conflat, \
            troubled troubl, sized size, hopping hop, tanned tan, falling fall, hissing hiss, \
            fizzed fizz, failing fail, filing file, happy happi, sky sky, relational relat, \
            conditional condit, rational ration, valenci valenc, digitizer digit, \
            conformabli conform, radicalli radic, vileli vile, analogousli analog, \
            vietnamization vietnam, operator oper, feudalism feudal, decisiveness decis, \
            hopefulness hope, callousness callous, formaliti formal, sensitiviti sensit, \
            sensibiliti sensibl, triplicate triplic, formative form, formalize formal, \
            electrical electr, hopeful hope, goodness good, revival reviv, allowance allow, \
            inference infer, airliner airlin, adjustable adjust, defensible defens, irritant irrit, \
            replacement replac, adjustment adjust, dependent depend, adoption adopt, \
            homologou homolog, communism commun, activate activ, angulariti angular, \
            homologous homolog, effective effect, bowdlerize bowdler, probate probat, rate rate, \
            cease ceas, controll control, roll roll, measured measur, measuring measur, \
            seeps seep, dam's dam, failures failur, cvs cv, is is, été été, x-ray x-ray, 3rds 3rds";
        for case in cases.split(", ") {
            let Some((word, expected)) = case.split_once(' ') else { continue };
            let mut stem = String::new();
            stem_into(word, &mut stem);
            assert_eq!(stem, expected, "{word}");
        }
    }

    #[test]
    fn no_word_makes_it_fail() {
        let mut stem = String::new();
        for word in ["", "'s", "a", "sss", "eed", "ing", "yyy", "ion", "bbb", "é's"] {
            stem_into(word, &mut stem);
        }
        assert_eq!(stem, "é");
    }
}
