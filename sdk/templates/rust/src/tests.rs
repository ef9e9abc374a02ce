//! Tests of the tool as plain Rust: no component is built.

use super::*;

#[test]
fn words_of_a_file_are_counted() {
    let words = WordCount::count("tests/three-words.txt".to_owned());
    assert_eq!(words, Ok(3));
}

#[test]
fn a_missing_file_is_named() {
    let words = WordCount::count("no-such-file.txt".to_owned());
    assert!(matches!(words, Err(ToolError::NotFound(text)) if text.contains("no-such-file.txt")));
}
