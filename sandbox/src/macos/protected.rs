//! Protected names as regular expressions for Seatbelt.
//!
//! A protected name holds wherever it stands as a component of a path, whether the file exists yet
//! or not. The usual file systems of macOS find a file under more spellings than one: without
//! regard to case, with letters beyond ASCII that fold to ASCII (`ſ` to `s`, the Kelvin sign to
//! `k`), with ligatures (`ﬁ` to `fi`), and HFS+ drops characters of no width. The expression is
//! pure ASCII and matches all of those; it also matches some names that only look alike, which
//! costs nothing.
//!
//! Not verified on this system: how Seatbelt's matcher reads bytes beyond ASCII in a bracket.

/// Longest name accepted; the longest component the file systems take.
const MAX_NAME_BYTES: usize = 255;

/// Punctuation a name may hold; the rest could end the expression or mean something in it.
const PUNCTUATION: &str = "._-+@~%,= ";

/// Any one byte or character that is not printable ASCII.
const FOREIGN: &str = "[^ -~]";

/// Letters that ligatures are made of, with which a following letter they can be one character.
const LIGATURES: [(char, char); 5] = [('f', 'f'), ('f', 'i'), ('f', 'l'), ('s', 's'), ('s', 't')];

/// Single letters that a letter beyond ASCII folds to.
const FOLDED: [char; 2] = ['s', 'k'];

/// Returns the expression that matches every path with this component, below it included.
///
/// `None` for what is not a plain component: a profile must then not be made at all.
pub(super) fn expression(name: &str) -> Option<String> {
    if name.is_empty() || name == "." || name == ".." || name.len() > MAX_NAME_BYTES {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || PUNCTUATION.contains(c);
    if !name.chars().all(plain) {
        return None;
    }
    let lower: Vec<char> = name.to_ascii_lowercase().chars().collect();
    let mut pattern = format!("/{FOREIGN}*");
    let mut rest = lower.as_slice();
    while let Some(first) = rest.first() {
        let run = ligature_run(rest);
        if run > 1 {
            pattern.push_str(&run_pattern(&rest[..run]));
        } else {
            pattern.push_str(&letter_pattern(*first));
        }
        pattern.push_str(FOREIGN);
        pattern.push('*');
        rest = &rest[run..];
    }
    pattern.push_str("(/.*)?$");
    Some(pattern)
}

/// Returns how many characters from here can be drawn together by ligatures, at least 1.
fn ligature_run(rest: &[char]) -> usize {
    let joins = |pair: &[char]| LIGATURES.contains(&(pair[0], pair[1]));
    1 + rest.windows(2).take_while(|pair| joins(pair)).count()
}

/// Returns the run as it is, or any mixture of its letters with at least one foreign character.
fn run_pattern(run: &[char]) -> String {
    let exact: String = run.iter().map(|letter| letter_pattern(*letter)).collect();
    let mut letters: Vec<char> = run.to_vec();
    letters.sort_unstable();
    letters.dedup();
    let set: String = letters.iter().flat_map(|c| [*c, c.to_ascii_uppercase()]).collect();
    format!("({exact}|[{set}]*{FOREIGN}([{set}]|{FOREIGN})*)")
}

fn letter_pattern(letter: char) -> String {
    if !letter.is_ascii_alphabetic() {
        // A bracket takes away every special meaning, and `-` alone has none.
        return if letter.is_ascii_digit() { letter.to_string() } else { format!("[{letter}]") };
    }
    let both = format!("[{letter}{}]", letter.to_ascii_uppercase());
    if FOLDED.contains(&letter) { format!("({both}|{FOREIGN}+)") } else { both }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Matches the few forms [`expression`] uses, anywhere in the text, by trying all ways.
    fn matches(pattern: &str, text: &str) -> bool {
        let starts = text.char_indices().map(|(at, _)| at);
        starts.into_iter().any(|at| !tails(pattern, &text[at..]).is_empty())
    }

    /// Returns what is left of `text` after each way the pattern matches its beginning.
    fn tails<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
        if pattern.is_empty() {
            return vec![text];
        }
        if pattern == "$" {
            return if text.is_empty() { vec![text] } else { Vec::new() };
        }
        let (atom, repeat, rest) = split(pattern);
        let (least, most) = match repeat {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            _ => (1, 1),
        };
        let mut found = Vec::new();
        let mut layer = vec![text];
        let mut count = 0;
        while !layer.is_empty() && count <= most {
            if count >= least {
                found.extend(layer.iter().flat_map(|left| tails(rest, left)));
            }
            let next = layer.iter().flat_map(|left| {
                one(atom, left).into_iter().filter(|after| after.len() < left.len())
            });
            layer = next.collect();
            layer.sort_unstable();
            layer.dedup();
            count += 1;
        }
        found
    }

    fn one<'a>(atom: &str, text: &'a str) -> Vec<&'a str> {
        if let Some(inner) = atom.strip_prefix('(').and_then(|atom| atom.strip_suffix(')')) {
            return alternatives(inner).iter().flat_map(|part| tails(part, text)).collect();
        }
        let Some(first) = text.chars().next() else { return Vec::new() };
        let hit = match atom {
            "." => true,
            FOREIGN => !(' '..='~').contains(&first),
            set if set.starts_with('[') => set[1..set.len() - 1].contains(first),
            literal => literal.starts_with(first),
        };
        if hit { vec![&text[first.len_utf8()..]] } else { Vec::new() }
    }

    /// Splits a pattern into its first atom, the sign that repeats it, and the rest.
    fn split(pattern: &str) -> (&str, Option<char>, &str) {
        let length = match pattern.as_bytes()[0] {
            b'[' => pattern.find(']').unwrap() + 1,
            b'(' => closing(pattern),
            _ => 1,
        };
        let (atom, rest) = pattern.split_at(length);
        let sign = rest.chars().next().filter(|sign| "*+?".contains(*sign));
        (atom, sign, &rest[usize::from(sign.is_some())..])
    }

    fn closing(pattern: &str) -> usize {
        let mut depth = 0;
        for (at, character) in pattern.char_indices() {
            depth += i32::from(character == '(') - i32::from(character == ')');
            if depth == 0 {
                return at + 1;
            }
        }
        unreachable!("brackets are balanced")
    }

    fn alternatives(inner: &str) -> Vec<&str> {
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0, 0);
        for (at, character) in inner.char_indices() {
            depth += i32::from(character == '(') - i32::from(character == ')');
            if character == '|' && depth == 0 {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
        }
        parts.push(&inner[start..]);
        parts
    }

    #[test]
    fn the_expression_is_ascii_and_anchored_to_whole_components() {
        let git = expression(".git").unwrap();
        let expected = "/[^ -~]*[.][^ -~]*[gG][^ -~]*[iI][^ -~]*[tT][^ -~]*(/.*)?$";
        assert_eq!(git, expected);
    }

    #[test]
    fn every_spelling_a_file_system_folds_to_the_name_is_matched() {
        let cases: [(&str, &[&str]); 4] = [
            (
                ".git",
                &["/w/.git", "/w/.git/hooks/x", "/w/sub/.GIT/config", "/w/.gIt", "/w/.g\u{200c}it"],
            ),
            (".vscode", &["/w/.vscode/tasks.json", "/w/.v\u{17f}code", "/w/\u{feff}.VSCODE"]),
            (
                ".bash_profile",
                &["/w/.bash_profile", "/w/.bash_pro\u{fb01}le", "/w/.BASH_PRO\u{fb01}LE"],
            ),
            (".ssh", &["/w/.ssh/id", "/w/.\u{df}h", "/w/.\u{1e9e}H", "/w/.s\u{17f}h"]),
        ];
        for (name, paths) in cases {
            let pattern = expression(name).unwrap();
            for path in paths {
                assert!(matches(&pattern, path), "{name}: {path}");
            }
        }
    }

    #[test]
    fn names_that_merely_contain_a_protected_one_stay_writable() {
        let pattern = expression(".git").unwrap();
        let free = ["/w/.gitignore", "/w/a.git", "/w/git", "/w/.gi", "/w/.gt", "/w/x.git/y", "/w"];
        for path in free {
            assert!(!matches(&pattern, path), "{path}");
        }
        let pattern = expression(".ssh").unwrap();
        for path in ["/w/.sh", "/w/.h", "/w/.sshd"] {
            assert!(!matches(&pattern, path), "{path}");
        }
    }

    #[test]
    fn a_name_that_is_not_a_plain_component_has_no_expression() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for name in [
            "", ".", "..", "a/b", "a\"b", "a\\b", "a\nb", "a(b", "a)b", "a[b", "a]b", "a^b", "a$b",
            "a*b", "a?b", "a|b", "a{b", "a#b", "a;b", "é", "a\0", &long,
        ] {
            assert_eq!(expression(name), None, "{name:?}");
        }
    }

    #[test]
    fn every_name_the_policies_protect_has_an_expression() {
        let list = include_str!("../../../policies/protected-names.toml");
        let names = list.lines().filter_map(|line| line.strip_prefix("name = "));
        let names: Vec<_> = names.map(|name| name.trim_matches('"')).collect();
        assert!(names.len() > 50, "{} names", names.len());
        for name in names {
            let pattern = expression(name).unwrap();
            assert!(matches(&pattern, &format!("/w/a/{}/b", name.to_uppercase())), "{name}");
        }
    }
}
