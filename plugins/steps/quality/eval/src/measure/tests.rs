//! The goals on the sets that are part of the project, and the scores themselves.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::float_cmp, reason = "tests")]

use super::{Score, b_cubed, measure, score};
use crate::sets::{self, Labelled};

fn labelled(groups: &[&str]) -> Vec<Labelled> {
    let text = |(at, group): (usize, &&str)| Labelled {
        id: at.to_string(),
        group: (*group).to_owned(),
        kind: String::new(),
        text: String::new(),
    };
    groups.iter().enumerate().map(text).collect()
}

#[test]
fn the_goals_are_met_on_the_sets_of_the_project() {
    for set in sets::own().unwrap() {
        let found = measure(&set).unwrap();
        let name = found.set;
        assert!(found.pairs.precision >= 0.995, "{name}: {found:?}");
        assert!(found.clusters.precision >= 0.995, "{name}: {found:?}");
        assert!(found.false_pairs <= 0.005 && found.false_merges <= 0.005, "{name}: {found:?}");
        assert!(found.pairs.recall >= 0.9 && found.b_cubed.f1 >= 0.97, "{name}: {found:?}");
        if ["chinese", "japanese"].contains(&name) {
            assert!(found.pairs.f1 >= 0.98, "{name}: {found:?}");
        }
        if name == "syndication" {
            assert!(found.by_kind["replace-20"] > 0.95, "{found:?}");
            assert!(found.pairs.recall > found.shingles_only.recall, "{found:?}");
        }
    }
}

#[test]
fn a_set_is_the_same_every_time() {
    let all = || sets::own().unwrap().into_iter().flat_map(|set| set.texts).map(|text| text.text);
    assert!(all().eq(all()));
}

#[test]
fn the_scores_are_those_of_the_books() {
    let texts = labelled(&["a", "a", "a", "b", "b"]);
    // One pair found of four, and one wrong one.
    let (found, wrong) = score(&texts, |a, b| [(0, 1), (2, 3)].contains(&(a, b)));
    assert_eq!(found, Score { precision: 0.5, recall: 0.25, f1: 1.0 / 3.0 });
    assert_eq!(wrong, 1.0 / 6.0);
    let (none, _) = score(&texts, |_, _| false);
    assert_eq!((none.precision, none.recall), (1.0, 0.0));
    let found = b_cubed(&texts, &[0, 0, 1, 1, 1]);
    let (precision, recall) =
        ((2.0 + 1.0 / 3.0 + 4.0 / 3.0) / 5.0, (4.0 / 3.0 + 1.0 / 3.0 + 2.0) / 5.0);
    assert!((found.precision - precision).abs() < 1e-12 && (found.recall - recall).abs() < 1e-12);
}
