//! Tests of the index for collections that grow.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use super::super::compare::tests::words;
use super::{Fingerprint, Index, Table, Verdict, WAYS};

fn print(words: &[String]) -> Fingerprint {
    Fingerprint::of(&words.join(" ")).unwrap()
}

#[test]
fn copies_find_the_first_of_their_cluster_among_many() {
    let mut index = Index::new();
    for n in 0..2000_u64 {
        let found = index.add(&print(&words(n, 80)), None).unwrap();
        assert_eq!((u64::from(found.number), found.comparison.verdict), (n, Verdict::Distinct));
    }
    for n in (0..2000_u64).step_by(41) {
        let text = words(n, 80);
        let exact = index.add(&print(&text), None).unwrap();
        assert_eq!((u64::from(exact.leader), exact.comparison.verdict), (n, Verdict::Exact));
        let changed = [&text[..60], &words(n + 9000, 30)[..]].concat();
        let found = index.add(&print(&changed), None).unwrap();
        assert_eq!((u64::from(found.leader), found.comparison.verdict), (n, Verdict::Derivative));
        let again = index.add(&print(&changed), None).unwrap();
        assert_eq!((u64::from(again.leader), again.comparison.verdict), (n, Verdict::Exact));
    }
    assert_eq!((index.len(), index.clusters()), (2000 + 3 * 49, 2000));
}

#[test]
fn a_bridge_joins_one_cluster_and_merges_none() {
    let mut index = Index::new();
    let (a, b) = (words(1, 100), words(2, 100));
    index.add(&print(&a), None).unwrap();
    index.add(&print(&b), None).unwrap();
    let bridge = index.add(&print(&[&a[..], &b[..]].concat()), None).unwrap();
    assert_eq!((bridge.leader, bridge.comparison.verdict), (0, Verdict::Duplicate));
    assert_eq!(index.clusters(), 2);
}

#[test]
fn short_texts_and_hosts_follow_the_same_rules() {
    let mut index = Index::new();
    let text = words(1, 120);
    index.add(&print(&text[..49]), Some("a.example")).unwrap();
    assert_eq!(index.add(&print(&text[..48]), None).unwrap().leader, 1);
    assert_eq!(index.add(&print(&text[..49]), None).unwrap().leader, 0);
    let other = print(&[&text[..72], &words(2, 48)[..]].concat());
    for (host, clusters) in [(Some("A.example"), 2), (Some("b.example"), 1), (None, 1)] {
        let mut index = Index::new();
        index.add(&print(&text), Some("a.example")).unwrap();
        index.add(&other, host).unwrap();
        assert_eq!(index.clusters(), clusters, "{host:?}");
    }
}

#[test]
fn a_key_that_everything_shares_costs_no_more_than_a_bucket() {
    let mut table = Table::new();
    for place in 0..10_000 {
        table.insert(7, place);
    }
    assert!(table.of(7).count() <= WAYS);
    table.insert(8, 3);
    assert_eq!(table.of(8).collect::<Vec<_>>(), [3]);
    assert!(table.slots.len() <= 16 * WAYS, "what does not fit is forgotten, not stored");
}

#[test]
fn a_table_finds_its_entries_after_it_grew() {
    let mut table = Table::new();
    for place in 0..5000_u32 {
        table.insert(place.wrapping_mul(0x9e37_79b9), place);
    }
    let found = (0..5000_u32)
        .filter(|place| table.of(place.wrapping_mul(0x9e37_79b9)).any(|other| other == *place));
    assert!(found.count() > 4900, "buckets overflow rarely");
}
