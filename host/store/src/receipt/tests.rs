//! Receipts: read as written, and nothing else is read.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn installed(version: &str, byte: u8) -> Installed {
    Installed {
        version: version.parse().unwrap(),
        digest: Digest::from_bytes([byte; 32]),
        size_bytes: 12_800,
        source: Source::File("/srv/a \"b\".rfz".to_owned()),
        signer: Some(Signer { key: "RWQ1".to_owned(), name: "Acme".to_owned() }),
        time: "2026-11-28T03:40:00Z".parse().unwrap(),
        asked: Asked {
            requests: vec!["http.read:*.example.com".to_owned()],
            limits: vec!["memory=64MiB".to_owned()],
            needs_profile: Some("net-read-only".to_owned()),
        },
    }
}

fn receipt() -> Receipt {
    Receipt::first("word-count", installed("1.0.0", 1))
        .with(installed("1.1.0", 2), Some("RWQ1".to_owned()))
}

#[test]
fn a_receipt_is_read_as_it_is_written() {
    let bare = Installed { signer: None, asked: Asked::default(), ..installed("0.1.0-a", 3) };
    for receipt in [receipt(), Receipt::first("word-count", bare)] {
        let text = receipt.text().unwrap();
        assert_eq!(Receipt::read("word-count", text.as_bytes()).unwrap(), receipt, "{text}");
        assert!(text.starts_with("# Written by ringfence"));
    }
}

#[test]
fn a_receipt_that_is_not_whole_and_sound_is_refused_with_its_line() {
    let text = receipt().text().unwrap();
    let twice = text.replace("1.1.0", "1.0.0");
    for (text, line, why) in [
        (String::new(), 1, "missing field"),
        (text.replace("format = 1", "format = 2"), 1, "it is of form 2"),
        (text.replace("format", "formt"), 2, "unknown field `formt`"),
        (text.replace("[installed.signer]", "[installed.singer]"), 14, "unknown field `singer`"),
        (text.replace("name = \"word-count\"", "name = \"other\""), 1, "the receipt of `other`"),
        (twice, 1, "version 1.0.0 stands in it twice"),
        (text.replace("size-bytes = 12800", "size-bytes = -1"), 0, "invalid"),
        (text.replace("current = \"sha256:02", "current = \"sha256:03"), 1, "none of what is"),
        (text.replace("Acme", "Ac\u{202e}me"), 1, "hides something"),
        (text.replace("file:/srv", "http:/srv"), 0, "begins with `file:`"),
        (text.replace("2026-11-28T03:40:00Z", "yesterday"), 0, "as year"),
        (format!("{text}\u{0}"), 0, ""),
    ] {
        let problem = Receipt::read("word-count", text.as_bytes()).unwrap_err();
        assert!(problem.why.contains(why), "{why}: {problem}");
        assert!(line == 0 || problem.line == line, "{why}: {problem}");
    }
    let problem = Receipt::read("word-count", b"a = 1\nb = \xff").unwrap_err();
    assert_eq!((problem.line, problem.why.as_str()), (2, "it is not UTF-8 text"));
}

#[test]
fn no_damage_makes_reading_panic_or_pass_for_something_else() {
    let text = receipt().text().unwrap();
    crate::mutate::each(text.as_bytes(), 4_000, |bytes| {
        if let Ok(read) = Receipt::read("word-count", bytes) {
            let again = read.text().unwrap();
            assert_eq!(Receipt::read("word-count", again.as_bytes()).unwrap(), read);
        }
    });
}
