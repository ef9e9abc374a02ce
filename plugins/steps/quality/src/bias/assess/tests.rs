//! Tests of the counting: shares after clustering, warnings exactly at their limits.

#![allow(clippy::unwrap_used, clippy::float_cmp, clippy::indexing_slicing, reason = "tests")]

use super::{MAX_SOURCES, Report, Source, TooManySources, Warning, assess};
use crate::bias::{Aliases, Class, Date, TrustList};

fn source(url: &str, cluster: Option<u32>) -> Source {
    Source { url: url.to_owned(), cluster }
}

fn spread(urls: &[&str]) -> Vec<Source> {
    urls.iter().map(|url| source(url, None)).collect()
}

#[track_caller]
fn report(sources: &[Source], lists: &[TrustList]) -> Report {
    assess(sources, lists, &Aliases::default(), Date::parse("2026-11-28")).unwrap()
}

/// `same` sources of one domain, and others up to `all`.
fn concentrated(same: usize, all: usize) -> Vec<Source> {
    let of_one = (0..same).map(|n| format!("https://a{n}.example.com/"));
    let others = (same..all).map(|n| format!("https://other{n}.net/"));
    of_one.chain(others).map(|url| source(&url, None)).collect()
}

#[test]
fn a_cluster_counts_as_one_source() {
    let mut sources = spread(&["https://one.com/a", "https://two.com/a"]);
    sources.extend((0..20).map(|n| source(&format!("https://copy{n}.org/"), Some(7))));
    let report = report(&sources, &[]);
    assert_eq!((report.addresses, report.sources, report.shares.len()), (22, 3, 3));
    assert!(report.shares.iter().any(|share| share.domain == "copy0.org" && share.sources == 1));
}

#[test]
fn concentration_is_pointed_out_above_thirty_percent_of_eight_sources() {
    for (same, all, warned) in
        [(3, 10, false), (4, 10, true), (2, 7, false), (5, 7, false), (3, 8, true)]
    {
        let found = report(&concentrated(same, all), &[]);
        let concentrated = |w: &Warning| matches!(w, Warning::Concentrated { domain, .. } if domain == "example.com");
        assert_eq!(found.warnings.iter().any(concentrated), warned, "{same} of {all}");
    }
}

#[test]
fn the_index_of_concentration_is_that_of_the_books() {
    let even = report(&concentrated(1, 5), &[]);
    assert!((even.hhi - 0.2).abs() < 1e-12 && (even.effective_domains - 5.0).abs() < 1e-9);
    let single = report(&concentrated(9, 9), &[]);
    assert!((single.hhi - 1.0).abs() < 1e-12);
    assert!(single.warnings.contains(&Warning::FewDomains { effective: 1.0 }));
    let none = report(&[], &[]);
    assert_eq!(
        (none.sources, none.hhi, none.effective_domains, none.warnings.len()),
        (0, 0.0, 0.0, 0)
    );
}

#[test]
fn what_no_list_knows_is_unknown_and_never_low() {
    let list =
        TrustList::parse("mine", "domain,score\nbad.com,0.1\nworse.com,0\ngood.org,0.9\n", None)
            .unwrap();
    let unknown = spread(&["https://nobody.net", "https://bad.com", "https://good.org"]);
    let found = report(&unknown, std::slice::from_ref(&list));
    assert_eq!(found.classes, [(Class::Reliable, 1), (Class::Low, 1), (Class::Unknown, 1)]);
    assert!((found.low_ratio - 0.5).abs() < 1e-12, "of the known ones");
    assert!(
        !found.warnings.iter().any(|w| matches!(w, Warning::LowTrust { .. })),
        "one is not enough"
    );
    let two = spread(&["https://bad.com", "https://worse.com", "https://good.org"]);
    let found = report(&two, &[list]);
    let low = found.warnings.iter().find(|w| matches!(w, Warning::LowTrust { .. }));
    assert_eq!(low, Some(&Warning::LowTrust { sources: 2, share: 2.0 / 3.0 }));
}

#[test]
fn little_coverage_is_said_and_every_score_says_where_it_is_from() {
    let lists = [
        TrustList::parse(
            "mine",
            "domain,score,source,as_of\nexample.com,0.9,me,2026-01-02\n",
            None,
        )
        .unwrap(),
        TrustList::own(),
    ];
    let found =
        report(&spread(&["https://a.com", "https://b.com", "https://www.w3.org/TR/"]), &lists);
    assert!(found.warnings.contains(&Warning::LowCoverage { share: 1.0 / 3.0 }));
    let w3 = found.shares.iter().find(|share| share.domain == "w3.org").unwrap();
    let score = &w3.rating.scores[0];
    assert_eq!((score.list.as_str(), score.class), ("primary", Class::Primary));
    assert_eq!(score.note, "publishes the standards of the web themselves");
    let found = report(&spread(&["https://news.example.com/x"]), &lists);
    let score = &found.shares[0].rating.scores[0];
    let expected = ("mine", 2, "me", Date::parse("2026-01-02"));
    assert_eq!((score.list.as_str(), score.line, score.note.as_str(), score.as_of), expected);
}

#[test]
fn sources_without_an_address_are_named() {
    let found = report(&spread(&["https://a.com", "not an address", ""]), &[]);
    assert!(found.warnings.contains(&Warning::NoDomain { sources: vec![1, 2] }));
    assert_eq!(found.sources, 1);
}

#[test]
fn an_old_list_is_said_to_be_old() {
    let day = Date::parse("2025-11-27");
    let old = TrustList::parse("old", "domain,score\na.com,1\n", day).unwrap();
    let found = report(&spread(&["https://a.com"]), &[old]);
    let message = "the list `old` is of 2025-11-27, 366 days old; get a newer one".to_owned();
    assert_eq!(found.warnings, [Warning::OldList { message }]);
    let fresh =
        TrustList::parse("new", "domain,score\na.com,1\n", Date::parse("2025-11-28")).unwrap();
    assert_eq!(report(&spread(&["https://a.com"]), &[fresh]).warnings, []);
}

#[test]
fn too_many_sources_are_refused() {
    let sources = vec![source("https://a.com", None); MAX_SOURCES + 1];
    let error = assess(&sources, &[], &Aliases::default(), None).unwrap_err();
    assert_eq!(error, TooManySources { count: MAX_SOURCES + 1 });
}
