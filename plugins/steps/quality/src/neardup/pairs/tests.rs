//! Tests of finding the related pairs of a set.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use super::super::compare::tests::words;
use super::super::compare::{Origin, Verdict, compare};
use super::{Completeness, Fingerprint, LIMITS, Limits, SetTooLarge, pairs, pairs_within};
use crate::limits::MAX_SET_DOCUMENTS;

/// Sixty texts, every third a mixture of two before it.
fn texts() -> Vec<Fingerprint> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for n in 0..60_usize {
        let text = match n % 3 {
            2 => [&all[n - 1][..60], &all[n / 2][..50]].concat(),
            _ => words(n as u64, 100),
        };
        all.push(text);
    }
    all.push(all[7].clone());
    all.push(words(7, 10));
    all.iter().map(|words| Fingerprint::of(&words.join(" ")).unwrap()).collect()
}

#[test]
fn the_set_finds_what_comparing_each_with_each_finds() {
    let texts = texts();
    let found = pairs(&texts, |_, _| Origin::Apart).unwrap();
    assert_eq!(found.completeness, Completeness::Complete);
    let mut expected = Vec::new();
    for b in 0..60 {
        for a in 0..b {
            let comparison = compare(&texts[a], &texts[b], Origin::Apart);
            if comparison.verdict > Verdict::Distinct {
                expected.push((a, b, comparison));
            }
        }
    }
    assert!(expected.len() > 20);
    let near = found.pairs.iter().filter(|pair| pair.comparison.verdict != Verdict::Exact);
    assert_eq!(near.map(|p| (p.first, p.second, p.comparison)).collect::<Vec<_>>(), expected);
    let exact = found.pairs.iter().filter(|pair| pair.comparison.verdict == Verdict::Exact);
    assert_eq!(exact.map(|p| (p.first, p.second)).collect::<Vec<_>>(), [(7, 60)]);
}

#[test]
fn less_counting_never_adds_a_pair_and_is_said() {
    let texts = texts();
    let all = pairs(&texts, |_, _| Origin::Apart).unwrap();
    let some =
        pairs_within(&texts, |_, _| Origin::Apart, &Limits { steps: 100, ..LIMITS }).unwrap();
    assert_eq!(some.completeness, Completeness::Partial);
    assert!(some.pairs.len() < all.pairs.len());
    assert!(some.pairs.iter().all(|pair| all.pairs.contains(pair)));
}

#[test]
fn a_set_beyond_the_limits_is_refused() {
    let text = Fingerprint::of("one").unwrap();
    let many = vec![text; MAX_SET_DOCUMENTS + 1];
    let count = many.len();
    assert_eq!(pairs(&many, |_, _| Origin::Apart), Err(SetTooLarge::Documents { count }));
    let limits = Limits { words: MAX_SET_DOCUMENTS, ..LIMITS };
    let two = Fingerprint::of("one two").unwrap();
    let texts = [&many[1..MAX_SET_DOCUMENTS], &[two]].concat();
    let found = pairs_within(&texts, |_, _| Origin::Apart, &limits);
    assert_eq!(found, Err(SetTooLarge::Words { count: MAX_SET_DOCUMENTS + 1 }));
}

#[test]
fn equal_texts_in_great_number_cost_little() {
    let text = Fingerprint::of(&words(1, 500).join(" ")).unwrap();
    let found = pairs(&vec![text; MAX_SET_DOCUMENTS], |_, _| Origin::Apart).unwrap();
    assert_eq!(found.pairs.len(), MAX_SET_DOCUMENTS - 1);
    assert!(found.pairs.iter().all(|pair| pair.first == 0));
}
