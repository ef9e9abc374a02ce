//! Tests of grouping a set.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use super::super::compare::tests::words;
use super::{Cluster, Clusters, Document, Fingerprint, cluster};

fn run(texts: &[Vec<String>], documents: &[Document]) -> Clusters {
    let texts: Vec<Fingerprint> =
        texts.iter().map(|words| Fingerprint::of(&words.join(" ")).unwrap()).collect();
    cluster(&texts, documents).unwrap()
}

/// Each cluster as its documents, the representative first.
fn shape(clusters: &Clusters) -> Vec<Vec<usize>> {
    let all = |cluster: &Cluster| {
        let members = cluster.members.iter().map(|(member, _)| *member);
        [cluster.representative].into_iter().chain(members).collect()
    };
    clusters.clusters.iter().map(all).collect()
}

fn document(trust: Option<f64>, published: &str) -> Document {
    Document { host: None, trust, published: Some(published.to_owned()) }
}

#[test]
fn trust_then_length_then_date_decide_who_stands_for_a_cluster() {
    let text = words(1, 100);
    let longer = words(1, 110);
    let texts = [text.clone(), longer, text.clone(), text];
    let check = |documents: &[Document], expected: usize| {
        let found = run(&texts, documents);
        assert_eq!(found.clusters.len(), 1);
        assert_eq!(found.clusters[0].representative, expected, "{documents:?}");
    };
    check(&[], 1);
    check(&[document(Some(0.9), ""), document(Some(0.8), "")], 0);
    check(&[document(Some(0.4), ""), document(Some(0.3), ""), document(None, "")], 2);
    let dated =
        [("2026-03-01", 0.9), ("2020-01-01", 0.1), ("2025-12-31T23:00Z", 0.9), ("soon", 0.9)];
    check(&dated.map(|(date, trust)| document(Some(trust), date)), 2);
}

#[test]
fn a_chain_does_not_drift() {
    let text = words(1, 400);
    // Each shares 60 % with the next, and the ends nothing.
    let chain: Vec<Vec<String>> = (0..5).map(|n| text[n * 40..n * 40 + 100].to_vec()).collect();
    let found = run(&chain, &[]);
    assert_eq!(shape(&found), [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn a_hub_merges_no_clusters() {
    let (a, b) = (words(1, 100), words(2, 100));
    let hub = [&a[..], &b[..], &words(3, 20)[..]].concat();
    let of = |text: &[String], more: u64| [text, &words(more, 8)[..]].concat();
    let texts = [a.clone(), of(&a, 4), b.clone(), of(&b, 5), hub];
    let found = run(&texts, &[]);
    assert_eq!(found.hubs, [4]);
    assert_eq!(shape(&found), [vec![1, 0, 4], vec![3, 2]]);
    // With one text of each there is nothing to tell a hub from an original with two excerpts.
    let found = run(&[texts[0].clone(), texts[2].clone(), texts[4].clone()], &[]);
    assert_eq!((shape(&found), found.hubs), (vec![vec![2, 0, 1]], vec![]));
}

#[test]
fn every_document_is_in_one_cluster_and_nothing_is_lost() {
    let texts: Vec<Vec<String>> = (0..40_u64)
        .map(|n| [words(n / 7, 80), words(100 + n / 3, 60), words(n % 4, 10)].concat())
        .chain([vec![], vec![], words(1, 5)])
        .collect();
    let found = run(&texts, &[]);
    let mut all: Vec<usize> = shape(&found).concat();
    all.sort_unstable();
    assert_eq!(all, (0..texts.len()).collect::<Vec<_>>());
    assert!(
        found.clusters.iter().all(|c| c.members.iter().all(|(_, with)| with.containment > 0.0))
    );
}

#[test]
fn pages_of_one_host_that_share_their_frame_stay_apart() {
    let frame = words(9, 65);
    let page = |n: u64| [&frame[..], &words(n, 40)[..]].concat();
    let on = |host: &str| Document { host: Some(host.to_owned()), ..Document::default() };
    let apart = [on("a.example"), on("A.EXAMPLE")];
    assert_eq!(run(&[page(1), page(2)], &apart).clusters.len(), 2);
    assert_eq!(run(&[page(1), page(2)], &[on("a.example"), on("b.example")]).clusters.len(), 1);
}
