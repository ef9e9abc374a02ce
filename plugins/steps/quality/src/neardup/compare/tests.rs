//! Tests of the verdict about two texts.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use super::{Comparison, Fingerprint, Origin, Verdict, compare};
use crate::hash::mix;

/// Made-up words that no other seed has.
pub(crate) fn words(seed: u64, count: u64) -> Vec<String> {
    (0..count).map(|n| format!("w{:x}", mix(seed << 32 | n) >> 40)).collect()
}

fn print(words: &[String]) -> Fingerprint {
    Fingerprint::of(&words.join(" ")).unwrap()
}

#[track_caller]
fn check(a: &[String], b: &[String], expected: Verdict) {
    let (a, b) = (print(a), print(b));
    let found = compare(&a, &b, Origin::Apart);
    assert_eq!(found.verdict, expected, "{found:?}");
    assert_eq!(found, compare(&b, &a, Origin::Apart), "the order of the two does not matter");
}

#[test]
fn a_text_in_another_setting_is_the_same_text() {
    let a = Fingerprint::of("It’s —  THE same\ntext").unwrap();
    let b = Fingerprint::of("it's - the same text").unwrap();
    assert_eq!(compare(&a, &b, Origin::SameHost), Comparison::EXACT);
}

#[test]
fn an_excerpt_is_found_however_much_longer_the_other_is() {
    let text = words(1, 4000);
    check(&text, &text[1000..1060], Verdict::Duplicate);
    check(&text, &[&text[..60], &words(2, 50)[..]].concat(), Verdict::Derivative);
    check(&text, &[&text[..40], &words(2, 80)[..]].concat(), Verdict::Distinct);
}

#[test]
fn unrelated_texts_are_distinct() {
    check(&words(1, 300), &words(2, 300), Verdict::Distinct);
    check(&[], &words(2, 300), Verdict::Distinct);
}

#[test]
fn texts_under_fifty_words_are_compared_exactly_only() {
    let text = words(1, 50);
    check(&text, &[&text[..], &words(2, 2)[..]].concat(), Verdict::Duplicate);
    check(&text[..49], &[&text[..], &words(2, 2)[..]].concat(), Verdict::Distinct);
    check(&text[..49], &text[..49], Verdict::Exact);
}

#[test]
fn replaced_words_are_seen_through_by_their_order() {
    let text = words(1, 400);
    let replaced: Vec<String> = (0..400_u64)
        .map(|n| if mix(n) % 100 < 22 { format!("new{n}") } else { text[n as usize].clone() })
        .collect();
    check(&text, &replaced, Verdict::Derivative);
    let found = compare(&print(&text), &print(&replaced), Origin::Apart);
    assert!(found.containment < 0.5, "shingles alone do not show it: {found:?}");
    // With the words of the rest in another order nothing is left of the witness.
    let mut scattered = replaced.clone();
    scattered[200..].reverse();
    check(&text, &scattered, Verdict::Distinct);
}

#[test]
fn pages_of_one_host_need_to_share_more() {
    let text = words(1, 200);
    let other = [&text[..120], &words(2, 80)[..]].concat();
    let found = |origin| compare(&print(&text), &print(&other), origin).verdict;
    assert_eq!(found(Origin::Apart), Verdict::Derivative);
    assert_eq!(found(Origin::SameHost), Verdict::Distinct);
}

#[test]
fn invisible_characters_do_not_hide_a_copy() {
    let text = words(1, 100).join(" ");
    let hidden: String = text.chars().flat_map(|c| [c, '\u{200b}', '\u{2060}']).collect();
    let found = compare(
        &Fingerprint::of(&text).unwrap(),
        &Fingerprint::of(&hidden).unwrap(),
        Origin::Apart,
    );
    assert_eq!(found.verdict, Verdict::Exact);
}
