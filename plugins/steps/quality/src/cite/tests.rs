//! Tests of the checker: each fault is found, and what is cited properly passes.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Citation, Claim, Fault, MAX_PLACE_BYTES, Stored, check, check_text};

const DAM: &str =
    "The dam was built in 1931. It holds 30 million litres of water.\n\nIt is not safe.";
const SOURCES: [Stored<'static>; 1] = [Stored { id: "dam", text: DAM }];

/// Cites the place of `quote` in the source.
fn cite(quote: &str) -> Citation {
    let start = DAM.find(quote).unwrap();
    Citation::of(&SOURCES[0], start..start + quote.len()).unwrap()
}

#[track_caller]
fn check_one(text: &str, citations: Vec<Citation>, expected: Option<&str>) {
    let claim = Claim { text: text.to_owned(), citations };
    let found = check(&[claim], &SOURCES).unwrap();
    let faults: Vec<String> = found.findings.iter().map(|f| f.fault.to_string()).collect();
    assert_eq!(faults, expected.into_iter().collect::<Vec<_>>(), "{text}");
}

#[test]
fn what_stands_in_its_source_passes() {
    check_one("The dam was built in 1931.", vec![cite("The dam was built in 1931.")], None);
    check_one("THE dam was  built\nin 1931", vec![cite("The dam was built in 1931.")], None);
    check_one(
        "Built in 1931, the dam holds 30 million litres.",
        vec![cite(DAM.split('\n').next().unwrap())],
        None,
    );
}

#[test]
fn a_sentence_without_a_citation_is_found() {
    check_one("The dam was built in 1931.", vec![], Some("cites nothing"));
}

#[test]
fn a_citation_that_does_not_resolve_is_found() {
    let good = cite("The dam was built in 1931.");
    let unknown = Citation { source: "lake".to_owned(), ..good.clone() };
    check_one("x", vec![unknown], Some("cites the source `lake`, which is not stored"));
    let other = Citation { sha256: "0".repeat(64), ..good.clone() };
    check_one(
        "x",
        vec![other],
        Some("cites another version of the source `dam` than the stored one"),
    );
    for place in [0..9999, 9999..10000, 5..5, 26..27] {
        let text = format!(
            "cites bytes {} to {} of the source `dam`, which are no place in it",
            place.start, place.end
        );
        check_one("x", vec![Citation { place, ..good.clone() }], Some(&text));
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a hostile citation can have any numbers")]
    let backwards = Citation { place: 9..3, ..good };
    check_one(
        "x",
        vec![backwards],
        Some("cites bytes 9 to 3 of the source `dam`, which are no place in it"),
    );
    let long = "word ".repeat(1000);
    let sources = [Stored { id: "long", text: &long }];
    let whole = Citation::of(&sources[0], 0..MAX_PLACE_BYTES + 1).unwrap();
    let claim = Claim { text: "word".to_owned(), citations: vec![whole] };
    let found = check(&[claim], &sources).unwrap();
    assert_eq!(found.findings[0].fault, Fault::TooMuch { source_id: "long".to_owned() });
    assert_eq!(Citation::of(&SOURCES[0], 5..9999), None);
}

#[test]
fn made_up_text_is_found() {
    let dam = || vec![cite("The dam was built in 1931. It holds 30 million litres of water.")];
    check_one(
        "The dam was built in 1913.",
        dam(),
        Some("is not supported by what it cites: the number 1913 is not there"),
    );
    check_one(
        "The dam floods the valley every spring.",
        dam(),
        Some("is not supported by what it cites: it shares 1 of its 5 words"),
    );
    check_one(
        "The water of the dam is safe.",
        vec![cite("It is not safe.")],
        Some("is not supported by what it cites: it shares 1 of its 3 words"),
    );
    check_one(
        "It is safe.",
        vec![cite("It is not safe.")],
        Some("is not supported by what it cites: one of them denies and the other does not"),
    );
    check_one(
        "Art is.",
        vec![cite("The dam was built in 1931.")],
        Some("is not supported by what it cites: it shares 0 of its 1 words"),
    );
}

#[test]
fn a_text_is_checked_by_its_marks() {
    let citations = [cite("The dam was built in 1931."), cite("It is not safe.")];
    let report = "# Dam\n\nThe dam was built in 1931 [1]. It is not safe. [2] It is pretty. The dam was built [9].";
    let found = check_text(report, &citations, &SOURCES).unwrap();
    let faults: Vec<_> = found.findings.iter().map(|f| (f.sentence, f.fault.to_string())).collect();
    let expected = [
        (0, "cites nothing"),
        (3, "cites nothing"),
        (4, "cites nothing"),
        (4, "cites [9], which the report does not list"),
    ];
    assert_eq!(faults, expected.map(|(at, text)| (at, text.to_owned())));
    assert_eq!((found.sentences, found.verbatim), (5, 2));
}

#[test]
fn odd_marks_are_text() {
    for report in ["[", "]", "[[1]", "a [x] b", "[1", "[99999999999999]", "[0]", "a[1]b.", "[1][2]"]
    {
        let _ = check_text(report, &[cite("It is not safe.")], &SOURCES).unwrap();
    }
}
