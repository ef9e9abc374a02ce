//! Skipped tests: the list the tests wrote must be the list this kind of runner should have.
//!
//! A test that cannot run here appends `<test name>: skipped, because <reason>` to the file that
//! `RINGFENCE_SKIP_LIST` names. A test that silently stops running would otherwise look green.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::workspace::Workspace;

/// Returns the file the tests of one run append to.
pub(crate) fn list(workspace: &Workspace) -> PathBuf {
    workspace.target().join("skipped-tests.txt")
}

/// Forgets the list of the run before.
pub(crate) fn clear(workspace: &Workspace) -> Result<(), Failure> {
    let path = list(workspace);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io("remove", &path, &source))
        }
        _ => Ok(()),
    }
}

/// Prints what was skipped and, when a list is expected, fails on any difference.
pub(crate) fn compare(workspace: &Workspace) -> Result<(), Failure> {
    let actual = lines(&std::fs::read_to_string(list(workspace)).unwrap_or_default());
    for line in &actual {
        println!("    {line}");
    }
    let Ok(kind) = std::env::var("RINGFENCE_EXPECT_SKIPS") else {
        println!("    {} skipped; set RINGFENCE_EXPECT_SKIPS to compare", actual.len());
        return Ok(());
    };
    let name = format!("tests/expected-skips-{kind}.txt");
    let path = workspace.path(&name);
    let expected =
        std::fs::read_to_string(&path).map_err(|source| Failure::io("read", &path, &source))?;
    let difference = difference(&lines(&expected), &actual);
    if difference.is_empty() {
        println!("    {} skipped, as `{name}` says", actual.len());
        return Ok(());
    }
    Err(Failure::new(format!("skipped tests differ from `{name}`:\n{}", difference.join("\n")))
        .hint("repair the runner or the test, or say in the list why the skip is right"))
}

/// Returns the meaningful lines: no blank ones, no comments, each once.
fn lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn difference(expected: &BTreeSet<String>, actual: &BTreeSet<String>) -> Vec<String> {
    let missing = expected.difference(actual).map(|line| format!("    expected but ran: {line}"));
    let surplus = actual.difference(expected).map(|line| format!("    not expected: {line}"));
    missing.chain(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_a_new_skip_and_a_skip_that_stopped_are_differences() {
        let cases = [
            ("a: skipped, because x", "a: skipped, because x\na: skipped, because x\n", 0),
            ("# comment\n\n", "", 0),
            ("", "a: skipped, because x", 1),
            ("a: skipped, because x", "", 1),
            ("a: skipped, because x", "a: skipped, because y", 2),
        ];
        for (expected, actual, differences) in cases {
            let found = difference(&lines(expected), &lines(actual));
            assert_eq!(found.len(), differences, "{expected:?} {actual:?}: {found:?}");
        }
    }
}
