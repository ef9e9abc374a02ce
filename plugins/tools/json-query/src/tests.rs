//! Programs over real values, and over what is no JSON and no program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;

fn request(program: &str, json: &str) -> Request {
    Request {
        program: program.to_owned(),
        json: Some(json.to_owned()),
        path: None,
        slurp: None,
        raw: None,
        pretty: None,
        max_results: None,
        max_output: None,
    }
}

fn check(program: &str, json: &str, expected: &[&str]) {
    let report = query::run(&request(program, json)).unwrap();
    assert_eq!(report.results, expected, "{program}");
    assert!(!report.truncated, "{program}");
}

fn refused(request: &Request) -> String {
    match query::run(request) {
        Err(ToolError::InvalidInput(text) | ToolError::NotFound(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_language_works_on_each_value() {
    check(".a", r#"{"a":1} {"a":[true,null]}"#, &["1", "[true,null]"]);
    check("map(select(. > 1))|add", "[1,2,3]", &["5"]);
    check("to_entries", r#"{"k":"ä"}"#, &[r#"[{"key":"k","value":"ä"}]"#]);
    check(r#"capture("(?<y>\\d+)-(?<m>\\d+)")"#, r#""2026-07""#, &[r#"{"y":"2026","m":"07"}"#]);
    check("[inputs]", "1 2 3", &["[2,3]"]);
    check("input", "1 2", &["2"]);
    check("group_by(.g)|map(length)", r#"[{"g":1},{"g":2},{"g":1}]"#, &["[2,1]"]);
    check("@base64", r#""hi""#, &[r#""aGk=""#]);
    check(".", "12345678901234567890123 1.000", &["12345678901234567890123", "1.000"]);
    check("todate", "0", &[r#""1970-01-01T00:00:00Z""#]);
    check("first(range(10;0;-1)), halt, 3", "null", &["10"]);
    check("try error(\"x\") catch .", "null", &["\"x\""]);
    check(".", "", &[]);
}

#[test]
fn options_change_input_and_output() {
    let with = |change: fn(&mut Request)| {
        let mut request = request(".", "{\"a\":[1]}\n\"s\"");
        change(&mut request);
        query::run(&request).unwrap().results
    };
    assert_eq!(with(|r| r.slurp = Some(true)), [r#"[{"a":[1]},"s"]"#]);
    assert_eq!(with(|r| r.raw = Some(true)), [r#"{"a":[1]}"#, "s"]);
    assert_eq!(with(|r| r.pretty = Some(true)), ["{\n  \"a\": [\n    1\n  ]\n}", "\"s\""]);
    assert_eq!(with(|r| r.json = None), ["null"]);
}

#[test]
fn a_file_is_read_instead_of_a_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    std::fs::write(&path, "{\"n\":1}\n{\"n\":2}\n").unwrap();
    let mut request = request(".n", "");
    request.path = Some(path.to_str().unwrap().to_owned());
    assert_eq!(refused(&request), "give `json` or `path`, not both");
    request.json = None;
    assert_eq!(query::run(&request).unwrap().results, ["1", "2"]);

    request.path = Some("no/such.json".to_owned());
    assert_eq!(refused(&request), "`no/such.json`: no such file or directory");
    std::fs::File::create(&path).unwrap().set_len(input::MAX_FILE_BYTES + 1).unwrap();
    request.path = Some(path.to_str().unwrap().to_owned());
    assert_eq!(query::run(&request), Err(ToolError::TooLarge(input::MAX_FILE_BYTES)));
}

#[test]
fn results_without_end_are_cut() {
    let cut = |program: &str, change: fn(&mut Request)| {
        let mut request = request(program, "0");
        change(&mut request);
        let report = query::run(&request).unwrap();
        (report.results.len(), report.truncated)
    };
    assert_eq!(cut("repeat(1)", |_| {}), (1000, true));
    assert_eq!(cut("def f: ., (.+1|f); f", |r| r.max_results = Some(5)), (5, true));
    assert_eq!(cut("range(5)", |r| r.max_results = Some(5)), (5, false));
    assert_eq!(cut("repeat(\"0123456789\")", |r| r.max_output = Some(30)), (2, true));
    assert_eq!(cut("[range(100000)]", |r| r.max_output = Some(1000)), (0, true));
}

#[test]
fn a_wrong_program_is_refused_with_its_place() {
    let cases = [
        (".a | map(", "`program`: line 1, column 10: expected closing parenthesis"),
        (".a\n | nosuch(1)", "`program`: line 2, column 4: unknown filter `nosuch/1`"),
        ("$x", "`program`: line 1, column 1: unknown variable `$x`"),
        ("1 +", "`program`: line 1, column 4: expected term, found the end of the program"),
        ("include \"x\"; .", "cannot be included"),
        ("", "found the end of the program"),
    ];
    for (program, expected) in cases {
        let text = refused(&request(program, "1"));
        assert!(text.contains(expected), "{program}: {text}");
    }
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(refused(&request(&deep, "1")).contains("nested deeper than"));
    let long = request(&".|".repeat(10_000), "1");
    assert!(matches!(query::run(&long), Err(ToolError::TooLarge(_))));
}

#[test]
fn a_program_that_fails_says_after_how_many_results() {
    let text = refused(&request("1, .a.b", r#"{"a":3}"#));
    assert_eq!(text, "`program` failed after 1 results: cannot index 3 with \"b\"");
    assert!(refused(&request("error(\"no\")", "1")).ends_with("\"no\""));
    assert!(refused(&request("halt(3)", "1")).contains("code 3"));
    let huge = refused(&request("[range(100000)] | .a", "1"));
    assert!(huge.len() < 700, "{}", huge.len());
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let cases = [
        ("{\"a\":1}\n{\"a\" 2}", "input, line 2, column 6: "),
        ("[1,", "input, line 1, column 4: "),
        ("\"abc", "input, line 1, column "),
        ("nul", "input, line 1, column 1: "),
        ("\u{feff}1", "input, line 1, column 1: "),
        ("\0\u{1}\u{2}", "input, line 1, column 1: "),
    ];
    for (json, expected) in cases {
        let text = refused(&request(".", json));
        assert!(text.starts_with(expected), "{json:?}: {text}");
    }
    let deep = |depth: usize| request(".", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(query::run(&deep(input::MAX_NESTING)).is_ok());
    assert_eq!(refused(&deep(100_000)), "input, line 1, column 257: nested deeper than 256");
    check("length", &format!("\"\\\"{}\" # {{[\"", "[".repeat(1000)), &["1001"]);
}
