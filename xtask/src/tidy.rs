//! `cargo xtask tidy`: the rules of the tree that the compiler does not hold.
//!
//! Each rule is a function from the [`Tree`] to findings, in a file named after its subject, with
//! a test that shows it can fail. A new rule is one line in [`RULES`].

mod documents;
mod layers;
mod lengths;
mod usage;
mod wit;
mod words;

use std::fmt;

use crate::failure::Failure;
use crate::tree::Tree;
use crate::workspace::Workspace;

/// Something in the tree that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    /// Returns a finding about one line.
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule with its name.
const RULES: [(&str, Rule); 14] = [
    ("a room uses only lower layers", layers::direction),
    ("nothing below the engine depends on wasmtime", layers::no_wasmtime_below_engine),
    ("unsafe code is forbidden or explained", words::unsafe_code),
    ("a released WIT directory never changes", wit::frozen),
    ("files are at most 500 lines", lengths::files),
    ("functions are at most 60 lines", lengths::functions),
    ("every file opens with a description", lengths::opening),
    ("every policy rule has a reason", usage::policy_reasons),
    ("every test guest is used", usage::guests),
    ("no unfinished or switched-off code", words::unfinished),
    ("no local paths", words::local_paths),
    ("only the command line prints", words::printing),
    ("every promise names a test that exists", documents::promises),
    ("the README has exactly the two commands", documents::commands),
];

/// Checks the repository, printing each offender with its place.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let tree = Tree::read(workspace.root())?;
    let findings = check(&tree);
    for (rule, finding) in &findings {
        println!("    {finding} ({rule})");
    }
    if findings.is_empty() {
        println!("    {} rules hold", RULES.len());
        return Ok(());
    }
    Err(Failure::new(format!("{} places break a rule of the tree", findings.len())))
}

/// Records the hashes of one WIT directory and marks it released.
pub(crate) fn freeze(workspace: &Workspace, version: &str) -> Result<(), Failure> {
    wit::freeze(workspace, version)
}

fn check(tree: &Tree) -> Vec<(&'static str, Finding)> {
    let mut findings = Vec::new();
    for (name, rule) in RULES {
        findings.extend(rule(tree).into_iter().map(|finding| (name, finding)));
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests")]
    use super::*;

    #[test]
    fn this_repository_keeps_every_rule() {
        let workspace = Workspace::find().expect("the tests run inside the repository");
        let tree = Tree::read(workspace.root()).expect("the repository can be read");
        let lines: Vec<_> =
            check(&tree).iter().map(|(rule, finding)| format!("{finding} ({rule})")).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }

    #[test]
    fn an_empty_tree_does_not_pass_by_having_nothing_to_check() {
        let names: Vec<_> = check(&Tree::default()).iter().map(|(rule, _)| *rule).collect();
        assert!(names.contains(&"a room uses only lower layers"), "{names:?}");
        assert!(names.contains(&"the README has exactly the two commands"), "{names:?}");
        assert!(names.contains(&"every promise names a test that exists"), "{names:?}");
    }
}
