//! What the documents promise: tests that exist, and commands that are two.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::Tree;

/// The two commands of the README.
const COMMANDS: [&str; 2] = ["cargo xtask demo", "cargo xtask test"];

/// Finds rows of SPECIFICATION.md without a test, or with one that does not exist.
pub(super) fn promises(tree: &Tree) -> Vec<Finding> {
    let path = "SPECIFICATION.md";
    let rows: Vec<_> = tree.text(path).map(rows).unwrap_or_default();
    if rows.is_empty() {
        return vec![Finding::at(path, 1, "there is no table of promises")];
    }
    let functions = functions(tree);
    let mut findings = Vec::new();
    for (line, cell) in rows {
        let names: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::at(path, line, "the promise names no test"));
        }
        for name in names {
            let function = name.rsplit("::").next().unwrap_or(name);
            if !functions.contains(function) {
                findings.push(Finding::at(path, line, format!("there is no test `{name}`")));
            }
        }
    }
    findings
}

/// Finds a README whose commands for cargo are not exactly the two.
pub(super) fn commands(tree: &Tree) -> Vec<Finding> {
    let path = "README.md";
    let text = tree.text(path).unwrap_or_default();
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("cargo ") {
            let command = line[at..].split(['`', '#']).next().unwrap_or_default().trim();
            if COMMANDS.contains(&command) {
                seen.push(command);
            } else {
                findings.push(Finding::at(
                    path,
                    number + 1,
                    format!("`{command}` is not one of the two commands"),
                ));
            }
        }
    }
    for command in COMMANDS.iter().filter(|command| !seen.contains(*command)) {
        findings.push(Finding::at(path, 1, format!("`{command}` is missing")));
    }
    findings
}

/// Returns the last cell of each row of each table, with its line.
fn rows(text: &str) -> Vec<(usize, &str)> {
    let mut rows = Vec::new();
    let mut in_body = false;
    for (number, line) in text.lines().enumerate() {
        if !line.starts_with('|') {
            in_body = false;
        } else if line.starts_with("|-") || line.starts_with("| -") {
            in_body = true;
        } else if in_body {
            let cell = line.trim_end().trim_end_matches('|').rsplit('|').next();
            rows.push((number + 1, cell.unwrap_or_default()));
        }
    }
    rows
}

/// Returns the names of all functions that are tests, by the attribute before them.
fn functions(tree: &Tree) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (_, text) in tree.rust() {
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                is_test |= line.contains("test");
            } else if let Some((_, rest)) = line.split_once("fn ") {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                if std::mem::take(&mut is_test) {
                    names.insert(name);
                }
            } else if !line.starts_with("//") && !line.is_empty() && !line.ends_with(")]") {
                is_test = is_test && !line.ends_with(';') && !line.ends_with('}');
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
        let found: Vec<_> = rule(&Tree::of(files)).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_promise_without_a_test_that_exists_is_found() {
        let tests = (
            "host/a/src/lib.rs",
            "fn helper() {}\n#[test]\nfn it_holds() {}\n\
                      proptest! {\n#[test]\nfn it_holds_for_all(a in 0..1) {}\n}\n\
                      #[tokio::test(flavor = \"current_thread\")]\nasync fn it_waits() {}",
        );
        let table = |cell: &str| format!("| promise | test |\n|---|---|\n| it | {cell} |\n");
        for cell in ["`it_holds`", "`it_holds_for_all`, `a::tests::it_waits`"] {
            check(promises, &[tests, ("SPECIFICATION.md", &table(cell))], &[]);
        }
        let cases = [
            ("", "the promise names no test"),
            ("`gone`", "there is no test `gone`"),
            ("`helper`", "there is no test `helper`"),
        ];
        for (cell, message) in cases {
            let expected = format!("SPECIFICATION.md:3: {message}");
            check(promises, &[tests, ("SPECIFICATION.md", &table(cell))], &[&expected]);
        }
    }

    #[test]
    fn a_third_command_and_a_missing_one_are_found() {
        let good = "```sh\ncargo xtask demo\ncargo xtask test   # all\n```\nor `cargo xtask test`";
        check(commands, &[("README.md", good)], &[]);
        let third = format!("{good}\ncargo install x");
        let expected = "README.md:6: `cargo install x` is not one of the two commands";
        check(commands, &[("README.md", &third)], &[expected]);
        let one = "cargo xtask demo";
        check(commands, &[("README.md", one)], &["README.md:1: `cargo xtask test` is missing"]);
    }
}
