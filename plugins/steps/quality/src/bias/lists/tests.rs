//! Tests of reading lists: three forms, and errors at their line.

#![allow(clippy::unwrap_used, clippy::float_cmp, clippy::indexing_slicing, reason = "tests")]

use super::{Address, Class, Date, TrustList, rate};

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = TrustList::parse("l", text, None).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

fn class(list: &TrustList, address: &str) -> Class {
    let address = Address::parse(address).unwrap();
    rate(std::slice::from_ref(list), &address).class
}

#[test]
fn the_three_forms_are_told_by_their_columns() {
    let cred1 =
        "domain,category,credibility_score,sources\nbad.com,unreliable,0.9,2\nso.so,mixed,0.1,1\n";
    let list = TrustList::parse("cred-1", cred1, None).unwrap();
    assert_eq!((class(&list, "www.bad.com"), class(&list, "so.so")), (Class::Low, Class::Mixed));
    let pc1 = "domain,pc1\nreuters.com,1\nmiddle.org,0.5\nlow.net,0.39\nwvec–13.com,0.9\n";
    let list = TrustList::parse("pc1", pc1, None).unwrap();
    let found = ["reuters.com", "middle.org", "low.net"].map(|domain| class(&list, domain));
    assert_eq!(found, [Class::Reliable, Class::Mixed, Class::Low]);
    let plain = "# mine\n\ndomain , score, source\n\"quoted.com\", 0.8,\"a, \"\"b\"\"\"\n";
    let list = TrustList::parse("plain", plain, None).unwrap();
    assert_eq!((class(&list, "quoted.com"), list.len()), (Class::Reliable, 1));
    let quoted = Address::parse("quoted.com").unwrap();
    assert_eq!(list.score(&quoted).unwrap().note, "a, \"b\"");
}

#[test]
fn a_wrong_list_is_refused_at_its_line() {
    check_refused(
        "site,rank\na.com,1\n",
        "the list `l`, first row: expected the columns `domain,score[,source,as_of]`, `domain,pc1` or \
         `domain,category,credibility_score`",
    );
    let head = "domain,score,source,as_of\n";
    for (rows, expected) in [
        ("a.com,0.5\nb c,1\n", "line 3: `b c` is no domain"),
        ("# x\n\na.com,1.5\n", "line 4: `1.5` is no score from 0 to 1"),
        ("a.com,\n", "line 2: `` is no score from 0 to 1"),
        ("a.com,NaN\n", "line 2: `NaN` is no score from 0 to 1"),
        ("a.com,1,x,yesterday\n", "line 2: `yesterday` is no date `YYYY-MM-DD`"),
        ("a.com,1\nb.com,1\nA.com,0\n", "line 4: `A.com` is rated otherwise in line 2"),
    ] {
        check_refused(&format!("{head}{rows}"), &format!("the list `l`, {expected}"));
    }
    check_refused(
        "domain,score\na.com,\"1",
        "the list `l`, line 2: a quotation mark is not closed",
    );
}

#[test]
fn a_few_wrong_lines_of_a_published_list_are_passed_over_and_told() {
    let head = "domain,category,credibility_score\nbad.com,fake,0.1\n";
    let list =
        TrustList::parse("l", &format!("{head}a.com,dubious,0.1\nb. com,fake,0\n"), None).unwrap();
    let expected = ["line 3: `dubious` is no category of CRED-1", "line 4: `b. com` is no domain"];
    assert_eq!(list.skipped(), expected.map(|text| format!("the list `l`, {text}")));
    assert_eq!((list.len(), class(&list, "bad.com")), (1, Class::Low));
    check_refused(
        &format!("{head}{}", "x y,fake,0\n".repeat(21)),
        "the list `l`, line 23: `x y` is no domain",
    );
}

#[test]
fn an_entry_of_a_page_counts_for_that_part_only() {
    let text =
        "domain,score\nexample.org/news,0.1\nexample.org,0.9\nanews.org/,0.2\nanews.org/#top,0.3\n";
    let list = TrustList::parse("l", text, None).unwrap();
    for (address, expected) in [
        ("https://example.org/news/today?x=1", Class::Low),
        ("https://www.example.org/news", Class::Low),
        ("https://example.org/newspaper", Class::Reliable),
        ("https://example.org/", Class::Reliable),
        ("https://anews.org/x/y", Class::Low),
        ("https://other.org/news", Class::Unknown),
    ] {
        assert_eq!(class(&list, address), expected, "{address}");
    }
}

#[test]
fn an_entry_of_a_host_does_not_reach_its_neighbours() {
    let list =
        TrustList::parse("l", "domain,score\nblog.example.co.uk,0.1\nalice.github.io,0.1\n", None)
            .unwrap();
    assert_eq!(class(&list, "https://x.blog.example.co.uk"), Class::Low);
    assert_eq!(class(&list, "https://example.co.uk"), Class::Unknown);
    assert_eq!(class(&list, "https://bob.github.io"), Class::Unknown);
}

#[test]
fn any_text_is_a_list_or_an_error() {
    for text in [
        "",
        "\u{feff}",
        "domain,score",
        "domain,score\n\"",
        "domain,score\n\"a.com,1\n\n,,,,\n",
        "\0,\0",
    ] {
        let _ = TrustList::parse("l", text, None);
    }
}

#[test]
fn days_are_counted_over_years_and_leap_days() {
    let date = |text| Date::parse(text).unwrap();
    for (from, to, days) in [
        ("2024-02-28", "2024-03-01", 2),
        ("2023-02-28", "2023-03-01", 1),
        ("1999-12-31", "2000-12-31", 366),
    ] {
        assert_eq!(date(from).days_until(date(to)), days);
    }
    for text in
        ["", "2024-1-01", "2024-13-01", "2024-00-10", "x024-01-01", "2024-01-32", "2024-01-01x"]
    {
        assert_eq!(Date::parse(text), None, "{text}");
    }
}

#[test]
fn the_own_list_has_a_reason_for_every_source() {
    let list = TrustList::own();
    assert!(list.len() > 20);
    for entry in super::own::PRIMARY {
        assert!(entry.reason.len() > 20, "{}", entry.domain);
        assert_eq!(class(&list, entry.domain), Class::Primary);
    }
}
