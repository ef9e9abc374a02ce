//! Whole conversions: every format to every other, options, bad input and bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::io::Write;
use std::path::Path;

use super::convert;
use crate::error::TableError;
use crate::{Converted, Format, Options, Source, Switches};

fn options() -> Options {
    Options {
        from: None,
        delimiter: None,
        columns: None,
        max_rows: None,
        output: None,
        switches: None,
    }
}

fn data() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
}

fn run(input: &Source, to: Format, options: &Options) -> Result<Converted, TableError> {
    convert(data(), input, to, Some(options))
}

fn text(input: &str, to: Format, options: &Options) -> String {
    run(&Source::Text(input.to_owned()), to, options).unwrap().text.unwrap()
}

#[track_caller]
fn check(input: &str, to: Format, expected: &str) {
    assert_eq!(text(input, to, &options()), expected);
}

#[track_caller]
fn check_refused(input: &str, from: Format, expected: &str) {
    let options = Options { from: Some(from), ..options() };
    let error = run(&Source::Text(input.to_owned()), Format::Json, &options).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn every_format_becomes_every_other() {
    let csv = "a,b\n1,x\n2,\n";
    let tsv = "a\tb\n1\tx\n2\t\n";
    let json = "[\n{\"a\":1,\"b\":\"x\"},\n{\"a\":2,\"b\":null}\n]\n";
    let lines = "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n";
    let markdown = "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 |  |\n";
    let all = [
        (Format::Csv, csv),
        (Format::Tsv, tsv),
        (Format::Json, json),
        (Format::JsonLines, lines),
        (Format::Markdown, markdown),
    ];
    for (_, from) in all {
        for (to, expected) in all {
            check(from, to, expected);
        }
    }
}

#[test]
fn a_real_csv_file_keeps_its_line_breaks_quotes_and_leading_zeros() {
    let out = run(&Source::File("orders.csv".into()), Format::JsonLines, &options()).unwrap();
    let expected = concat!(
        "{\"id\":1,\"name\":\"Zoë\",\"price\":9.50,\"note\":\"two\\nlines\"}\n",
        "{\"id\":\"007\",\"name\":\"OHara\",\"price\":null,\"note\":\"a \\\"quoted\\\" word; with semicolon\"}\n",
        "{\"id\":3,\"name\":\"李\",\"price\":1e3,\"note\":true}\n",
    );
    assert_eq!(out.text.as_deref(), Some(expected));
    assert_eq!((out.rows, out.from, out.truncated), (3, Format::Csv, false));
    assert_eq!(out.notes, ["the delimiter of the input is ';'"]);
}

#[test]
fn a_real_json_file_keeps_its_digits_and_nesting() {
    let out = run(&Source::File("/people.json".into()), Format::Csv, &options()).unwrap();
    let expected =
        "id,name,tags,extra\n12345678901234567890,Zoë,\"[\"\"a\"\",{\"\"b\"\":1}]\",\n2,x | y,,\n";
    assert_eq!(out.text.as_deref(), Some(expected));
    let out = run(&Source::File("people.json".into()), Format::JsonLines, &options()).unwrap();
    let expected = concat!(
        "{\"id\":12345678901234567890,\"name\":\"Zoë\",\"tags\":[\"a\",{\"b\":1}]}\n",
        "{\"id\":2,\"name\":\"x | y\",\"extra\":null}\n",
    );
    assert_eq!(out.text.as_deref(), Some(expected));
}

#[test]
fn the_table_is_found_in_a_real_markdown_file() {
    let out = run(&Source::File("releases.md".into()), Format::Tsv, &options()).unwrap();
    let expected = "Version\tDate\tSize\n1.0\t2024-01-31\t12\n1.1 `a|b`\t2024-06-30\t13.5\n";
    assert_eq!(out.text.as_deref(), Some(expected));
}

#[test]
fn a_cell_survives_the_way_through_markdown() {
    let csv = "a,b\nx|y\\,\"one\ntwo\"\n";
    let markdown = text(csv, Format::Markdown, &options());
    assert_eq!(markdown, "| a | b |\n| --- | --- |\n| x\\|y\\\\ | one<br>two |\n");
    assert_eq!(text(&markdown, Format::Csv, &options()), csv);
}

#[test]
fn options_choose_columns_types_rows_and_header() {
    let csv = "a,b,c\n1,2,3\n4,5,6\n";
    let json = |columns: &[&str], max_rows, switches| {
        let columns = Some(columns.iter().map(|c| (*c).to_owned()).collect());
        let switches = Some(switches);
        text(csv, Format::JsonLines, &Options { columns, max_rows, switches, ..options() })
    };
    let none = Switches::empty();
    assert_eq!(json(&["c", "a"], Some(1), none), "{\"c\":3,\"a\":1}\n");
    assert_eq!(json(&["b"], Some(1), Switches::TEXT_ONLY), "{\"b\":\"2\"}\n");
    assert_eq!(json(&["column-2"], Some(1), Switches::NO_HEADER), "{\"column-2\":\"b\"}\n");
    assert_eq!(json(&[], Some(1), Switches::ARRAYS), "[\"a\",\"b\",\"c\"]\n[1,2,3]\n");
    assert_eq!(json(&[], Some(1), Switches::ARRAYS | Switches::OMIT_HEADER), "[1,2,3]\n");
    let delimited = Options { delimiter: Some(';'), ..options() };
    assert_eq!(text("[[\"a\",\"b\"],[1,2]]", Format::Csv, &delimited), "a;b\n1;2\n");
    let cut =
        run(&Source::Text(csv.into()), Format::Csv, &Options { max_rows: Some(1), ..options() });
    assert_eq!(cut.map(|c| (c.rows, c.truncated)).unwrap(), (1, true));
}

#[test]
fn headers_become_distinct_and_the_mark_at_the_start_is_no_part_of_them() {
    let out =
        run(&Source::Text("\u{feff}a,a,\n1,2,3\n".into()), Format::JsonLines, &options()).unwrap();
    assert_eq!(out.columns, ["a", "a-2", "column-3"]);
    assert_eq!(out.notes, ["2 columns were renamed to be distinct"]);
}

#[test]
fn lenient_pads_and_drops_and_says_so() {
    let lenient = Options { switches: Some(Switches::LENIENT), ..options() };
    let out = run(&Source::Text("a,b\n1\n1,2,3\n".into()), Format::JsonLines, &lenient).unwrap();
    assert_eq!(out.text.as_deref(), Some("{\"a\":1}\n{\"a\":1,\"b\":2}\n"));
    assert_eq!(out.notes, ["extra values were dropped from 1 rows"]);
}

#[test]
fn bad_input_is_refused_with_its_place() {
    for (input, from, expected) in [
        ("", Format::Csv, "start: the input is empty"),
        (" \n\n", Format::Json, "start: the input is empty"),
        ("a\0b", Format::Csv, "start: the input is binary, not a table in text"),
        (
            "a,b\n1,2\n1,2,3\n",
            Format::Csv,
            "line 3: 3 values where the table has 2 columns; the `lenient` switch accepts that",
        ),
        (
            "a,b\n1,\"cut\noff,2\n3,4\n",
            Format::Csv,
            "line 2: the quoted value that starts here is never closed; the input may be cut off",
        ),
        (
            "[{\"a\":1},{\"a\"",
            Format::Json,
            "line 1, column 13: not a table in JSON: EOF while parsing an object",
        ),
        (
            "{\"a\":1}",
            Format::Json,
            "line 1, column 1: not a table in JSON: invalid type: map, expected an array of objects or arrays",
        ),
        (
            "[1]",
            Format::Json,
            "line 1, column 3: not a table in JSON: invalid type: integer `1`, expected an object or an array as a row",
        ),
        ("[{\"a\":1},[1]]", Format::Json, "row 2: objects and arrays are mixed"),
        ("[{\"a\":\"\\ud800\"}]", Format::Json, "row 1: a string with a broken escape"),
        ("{\"a\":1}\n{\"a\":}\n", Format::JsonLines, "line 2: not a table in JSON: expected value"),
        (
            "no table here\n",
            Format::Markdown,
            "end: no Markdown table found: a header line with a rule such as `| --- |` below it",
        ),
    ] {
        check_refused(input, from, expected);
    }
}

#[test]
fn contradicting_options_are_refused() {
    let refused = |options: Options| {
        run(&Source::Text("a,b\n1,2\n".into()), Format::Csv, &options).unwrap_err().to_string()
    };
    let columns = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        refused(Options { columns: columns(&["x"]), ..options() }),
        "no column `x`; there are: a, b"
    );
    assert_eq!(
        refused(Options { columns: columns(&["a", "a"]), ..options() }),
        "column `a` is named twice"
    );
    assert_eq!(
        refused(Options { delimiter: Some('→'), ..options() }),
        "delimiter '→' is not one ASCII character that can separate values"
    );
}

#[test]
fn files_that_are_missing_directories_or_in_another_encoding_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("latin.csv"), b"a,b\n1,caf\xe9\n").unwrap();
    fs::write(dir.path().join("wide.csv"), b"\xff\xfea\0").unwrap();
    let refused = |path: &str| {
        let source = Source::File(path.to_owned());
        convert(dir.path(), &source, Format::Json, None).unwrap_err().to_string()
    };
    assert_eq!(refused("none.csv"), "no file `none.csv` in what this plugin may read");
    assert_eq!(refused("sub"), "no file `sub` in what this plugin may read");
    assert_eq!(refused(""), "a path must name a file");
    assert_eq!(
        refused("latin.csv"),
        "line 2: value 2 is not UTF-8 (byte 3); convert the file to UTF-8 first"
    );
    assert_eq!(refused("wide.csv"), "start: the input is UTF-16; convert it to UTF-8 first");
}

#[test]
fn a_gigantic_field_is_refused_in_every_format() {
    let huge = "x".repeat(5 << 20);
    let quoted = format!("\"{huge}\"");
    for (input, from) in [
        (format!("a,b\n1,{huge}\n"), Format::Csv),
        (format!("a\tb\n1\t{quoted}\n"), Format::Tsv),
        (format!("[{{\"a\":{quoted}}}]"), Format::Json),
        (format!("{{\"a\":{quoted}}}\n"), Format::JsonLines),
        (format!("| a |\n| - |\n| {huge} |\n"), Format::Markdown),
    ] {
        check_refused(&input, from, "a row of the input is larger than 4194304 bytes");
    }
}

#[test]
fn deep_nesting_stays_a_value() {
    let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(200_000), "]".repeat(200_000));
    let out = run(&Source::Text(deep), Format::Csv, &options()).unwrap();
    assert_eq!((out.rows, out.size), (1, 2 + 400_000 + 1));
}

#[test]
fn a_result_over_the_inline_limit_is_refused_and_a_file_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(dir.path().join("big.csv")).unwrap();
    file.write_all(b"number,text\n").unwrap();
    for number in 0..120_000 {
        writeln!(file, "{number},\"some text, with a comma\"").unwrap();
    }
    let source = Source::File("big.csv".into());
    let inline = convert(dir.path(), &source, Format::Json, None).unwrap_err();
    assert_eq!(inline.to_string(), "the converted table is larger than 4194304 bytes");
    let to_file = Options { output: Some("big.json".into()), ..options() };
    let out = convert(dir.path(), &source, Format::Json, Some(&to_file)).unwrap();
    assert_eq!((out.rows, out.text), (120_000, None));
    let bytes = fs::read(dir.path().join("big.json")).unwrap();
    assert_eq!(bytes.len() as u64, out.size);
    assert_eq!(
        serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(&bytes).unwrap().len(),
        120_000
    );
}

#[test]
fn an_output_file_is_replaced_only_when_asked_and_never_left_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let write = |input: &str, switches| {
        let switches = Some(switches);
        let options = Options { output: Some("out.csv".into()), switches, ..options() };
        convert(dir.path(), &Source::Text(input.into()), Format::Csv, Some(&options))
    };
    let content = || fs::read_to_string(dir.path().join("out.csv")).unwrap();
    write("a,b\n1,2\n", Switches::empty()).unwrap();
    let error = write("a,b\n3,4\n", Switches::empty()).unwrap_err();
    assert_eq!(error.to_string(), "`out.csv` exists; the `overwrite` switch replaces it");
    write("a,b\n3,4\n5\n", Switches::OVERWRITE).unwrap_err();
    assert_eq!(content(), "a,b\n1,2\n");
    write("a,b\n3,4\n", Switches::OVERWRITE).unwrap();
    assert_eq!(content(), "a,b\n3,4\n");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_table_without_rows_stays_one() {
    check("a,b\n", Format::Json, "[]\n");
    check("a,b\n", Format::Markdown, "| a | b |\n| --- | --- |\n");
    check("[]", Format::Json, "[]\n");
}
