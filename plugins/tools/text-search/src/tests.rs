//! Searches over real files, and over what should not be searchable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use super::*;

fn request(pattern: &str, root: &Path) -> Request {
    Request {
        pattern: pattern.to_owned(),
        paths: Some(vec![root.to_str().unwrap().to_owned()]),
        globs: None,
        fixed_strings: None,
        case_insensitive: None,
        whole_words: None,
        hidden: None,
        no_ignore: None,
        context_before: None,
        context_after: None,
        max_matches: None,
        max_output: None,
    }
}

fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

/// Runs a search and compares `path:line:column:text` of every match.
fn check(files: &[(&str, &[u8])], change: impl Fn(&mut Request), expected: &[&str]) -> Report {
    let dir = tree(files);
    let mut request = request("needle", dir.path());
    change(&mut request);
    let report = search::run(&request).unwrap();
    let found: Vec<String> = report
        .files
        .iter()
        .flat_map(|file| {
            let name = Path::new(&file.path).strip_prefix(dir.path()).unwrap().display();
            file.matches.iter().map(move |m| format!("{name}:{}:{}:{}", m.line, m.column, m.text))
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(report.matched_lines, expected.len() as u64);
    report
}

#[test]
fn matches_are_placed_by_line_and_character() {
    let text = "one\nmär needle needle\r\nlast needle";
    check(
        &[("b/x.txt", text.as_bytes()), ("a.txt", b"needle\n")],
        |_| {},
        &["a.txt:1:1:needle", "b/x.txt:2:5:mär needle needle", "b/x.txt:3:6:last needle"],
    );
}

#[test]
fn ignored_hidden_and_git_files_are_left_out_until_asked_for() {
    let files: &[(&str, &[u8])] = &[
        (".gitignore", b"out/\n"),
        ("out/a.txt", b"needle"),
        (".hidden", b"needle"),
        (".git/config", b"needle"),
        ("seen", b"needle"),
    ];
    check(files, |_| {}, &["seen:1:1:needle"]);
    check(files, |r| r.no_ignore = Some(true), &["out/a.txt:1:1:needle", "seen:1:1:needle"]);
    check(files, |r| r.hidden = Some(true), &[".hidden:1:1:needle", "seen:1:1:needle"]);
}

#[test]
fn options_change_what_matches() {
    let files: &[(&str, &[u8])] = &[("a.rs", b"Needles a.b\nneedle axb"), ("b.md", b"needle")];
    check(
        files,
        |r| r.case_insensitive = Some(true),
        &["a.rs:1:1:Needles a.b", "a.rs:2:1:needle axb", "b.md:1:1:needle"],
    );
    check(files, |r| r.globs = Some(vec!["*.md".to_owned()]), &["b.md:1:1:needle"]);
    check(files, |r| r.globs = Some(vec!["!*.md".to_owned()]), &["a.rs:2:1:needle axb"]);
    check(
        files,
        |r| r.pattern = "a.b".to_owned(),
        &["a.rs:1:9:Needles a.b", "a.rs:2:8:needle axb"],
    );
    let fixed = |r: &mut Request| {
        r.pattern = "a.b".to_owned();
        r.fixed_strings = Some(true);
    };
    check(files, fixed, &["a.rs:1:9:Needles a.b"]);
    let words = |r: &mut Request| {
        r.pattern = "Needle".to_owned();
        r.whole_words = Some(true);
    };
    check(files, words, &[]);
}

#[test]
fn context_lines_are_given_once() {
    let context = |r: &mut Request| {
        r.context_before = Some(2);
        r.context_after = Some(1);
    };
    let text = b"1\n2\n3\nneedle a\n5\n6\nneedle b\n8\n9\n";
    let report = check(&[("t", text)], context, &["t:4:1:needle a", "t:7:1:needle b"]);
    let [first, second] = &report.files[0].matches[..] else { panic!("two matches") };
    assert_eq!(
        (&first.before[..], &first.after[..]),
        (&["2".into(), "3".into()][..], &["5".into()][..])
    );
    assert_eq!((&second.before[..], &second.after[..]), (&["6".into()][..], &["8".into()][..]));
}

#[test]
fn a_limit_that_is_reached_is_said() {
    let text = "needle\n".repeat(600);
    let files: &[(&str, &[u8])] = &[("t", text.as_bytes())];
    let count = |change: fn(&mut Request)| {
        let dir = tree(files);
        let mut request = request("needle", dir.path());
        change(&mut request);
        let report = search::run(&request).unwrap();
        (report.matched_lines, report.truncated)
    };
    assert_eq!(count(|_| {}), (500, true));
    assert_eq!(count(|r| r.max_matches = Some(3)), (3, true));
    assert_eq!(count(|r| r.max_matches = Some(600)), (600, false));
    assert_eq!(count(|r| r.max_output = Some(100)), (2, true));
    assert_eq!(count(|r| r.max_output = Some(0)), (0, true));
}

#[test]
fn a_binary_file_is_named_and_not_shown() {
    let report = check(&[("x.bin", b"needle\nnee\0dle\nneedle")], |_| {}, &[]);
    assert_eq!(report.skipped[0].reason, SkipReason::Binary);
    assert!(report.skipped[0].path.ends_with("x.bin"));
    assert_eq!(report.skipped_files, 1);
}

#[test]
fn a_gigantic_line_is_skipped_and_a_long_one_is_cut_around_the_match() {
    let mut giant = vec![b'a'; search::MAX_LINE_BYTES + 1];
    giant.extend(b"needle");
    let report = check(&[("giant", &giant)], |_| {}, &[]);
    assert_eq!(report.skipped[0].reason, SkipReason::LongLine);

    let long = format!("{}needle{}", "ä".repeat(5000), "ö".repeat(5000));
    let dir = tree(&[("long", long.as_bytes())]);
    let report = search::run(&request("needle", dir.path())).unwrap();
    let found = &report.files[0].matches[0];
    assert!(found.cut && found.text.contains("needle"), "{found:?}");
    assert!(found.text.len() <= collect::MAX_SHOWN_BYTES && !found.text.contains('\u{fffd}'));
    assert_eq!(found.column, 5001);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    check(&[("latin1", b"caf\xe9 needle")], |_| {}, &["latin1:1:6:caf\u{fffd} needle"]);
}

#[test]
fn a_request_that_cannot_be_used_is_refused_with_its_reason() {
    let dir = tree(&[]);
    let refused = |change: fn(&mut Request)| {
        let mut request = request("x", dir.path());
        change(&mut request);
        search::run(&request).unwrap_err()
    };
    let text = |error: ToolError| match error {
        ToolError::InvalidInput(text) | ToolError::NotFound(text) => text,
        other => panic!("{other:?}"),
    };
    assert!(text(refused(|r| r.pattern = "a(b".to_owned())).contains("unclosed group"));
    assert!(text(refused(|r| r.pattern = "a\\nb".to_owned())).contains("not allowed"));
    assert!(text(refused(|r| r.pattern = "\\w{1000}{1000}".to_owned())).contains("size limit"));
    assert!(text(refused(|r| r.pattern = String::new())).contains("empty"));
    assert!(text(refused(|r| r.globs = Some(vec!["a[".to_owned()]))).contains("`globs`"));
    assert!(text(refused(|r| r.paths = Some(vec!["no/such".to_owned()]))).contains("`no/such`"));
    let long = refused(|r| r.pattern = "a".repeat(search::MAX_PATTERN_BYTES + 1));
    assert_eq!(long, ToolError::TooLarge(search::MAX_PATTERN_BYTES as u64));
}

#[test]
fn its_own_source_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = search::run(&request("its_own_source_is_found", root)).unwrap();
    let paths: Vec<_> = report.files.iter().map(|file| &file.path).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    assert!(paths[0].ends_with("src/tests.rs"));
}
