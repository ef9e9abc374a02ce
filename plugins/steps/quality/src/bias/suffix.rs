//! Public suffixes, looked up in the list as it is stored: sorted lines, nothing is parsed or built first.
//!
//! A table of data is a tenth of what the same list is as code, which has to be compiled before a step
//! that holds it can run for the first time.

use std::cmp::Ordering;

/// The rules, one on each line, sorted by bytes, after a head that ends with an empty line.
const LIST: &str = include_str!("../../data/public-suffixes.txt");

/// Returns the part of a host that somebody registered: its public suffix and one label. Nothing when the
/// host is itself a public suffix. The rules of the list hold: an exception before a rule, a rule with more
/// labels before one with fewer, and where there is none the last label is the suffix.
pub(super) fn registrable(host: &str) -> Option<&str> {
    let rules = LIST.split_once("\n\n").map_or(LIST, |(_, rules)| rules);
    // From the whole host to its last label: the first match has the most labels.
    let (mut child, mut rest) = (None, host);
    loop {
        let parent = rest.split_once('.').map(|(_, parent)| parent);
        if has(rules, "!", rest) {
            return Some(rest);
        }
        if has(rules, "", rest) || parent.is_some_and(|parent| has(rules, "*.", parent)) {
            return child;
        }
        match parent {
            Some(parent) => (child, rest) = (Some(rest), parent),
            None => return child,
        }
    }
}

/// Whether the list has the rule `mark` and `name`.
fn has(rules: &str, mark: &str, name: &str) -> bool {
    let wanted = || mark.bytes().chain(name.bytes());
    let (mut low, mut high) = (0, rules.len());
    while low < high {
        let middle = rules.floor_char_boundary(low.midpoint(high));
        let start = rules.get(low..middle).and_then(|part| part.rfind('\n'));
        let start = start.map_or(low, |at| low + at + 1);
        let end = rules.get(start..high).and_then(|part| part.find('\n'));
        let end = end.map_or(high, |at| start + at);
        let line = rules.get(start..end).unwrap_or_default();
        match line.bytes().cmp(wanted()) {
            Ordering::Equal => return true,
            Ordering::Less => low = (end + 1).min(high),
            Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{LIST, registrable};

    #[test]
    fn the_list_says_what_the_same_list_says_as_code() {
        let rules = LIST.split_once("\n\n").map_or("", |(_, rules)| rules);
        assert!(rules.lines().count() > 10_000 && rules.lines().is_sorted());
        let mut other = Vec::new();
        for rule in rules.lines() {
            let name = rule.trim_start_matches('!').replace('*', "any");
            for host in [name.clone(), format!("a.{name}"), format!("www.b-1.{name}")] {
                if registrable(&host) != psl::domain_str(&host) {
                    other.push(host);
                }
            }
        }
        // The two are from different days, so that a few rules are in one alone.
        assert!(other.len() < 100, "{} {:?}", other.len(), &other[..other.len().min(30)]);
    }

    #[test]
    fn rules_wildcards_and_exceptions_are_those_of_the_list() {
        for (host, expected) in [
            ("www.example.com", Some("example.com")),
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("co.uk", None),
            ("alice.github.io", Some("alice.github.io")),
            ("b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("c.kobe.jp", None),
            ("www.city.kobe.jp", Some("city.kobe.jp")),
            ("www.ck", Some("www.ck")),
            ("a.b.unheard-of", Some("b.unheard-of")),
            ("unheard-of", None),
            ("食狮.公司.cn", Some("食狮.公司.cn")),
            ("", None),
        ] {
            assert_eq!(registrable(host), expected, "{host}");
        }
    }
}
