//! How long files and functions may be, and how every file begins.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Finding;
use crate::tree::Tree;

/// Longest file; past it a reader no longer holds it in the head.
const MAX_FILE_LINES: usize = 500;

/// Longest function, signature and braces included, documentation not.
const MAX_FUNCTION_LINES: usize = 60;

/// Finds files that are too long.
pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    let lengths = tree.rust().map(|(path, text)| (path, text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > MAX_FILE_LINES)
        .map(|(path, lines)| {
            Finding::at(path, MAX_FILE_LINES + 1, format!("the file has {lines} lines"))
        })
        .collect()
}

/// Finds functions that are too long, and files that cannot be read as Rust.
pub(super) fn functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        match syn::parse_file(text) {
            Ok(file) => {
                let mut functions = Functions { path, findings: &mut findings };
                functions.visit_file(&file);
            }
            Err(error) => {
                let line = error.span().start().line;
                findings.push(Finding::at(path, line, format!("cannot be read as Rust: {error}")));
            }
        }
    }
    findings
}

/// Finds files that do not open with `//!`.
pub(super) fn opening(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| Finding::at(path, 1, "the file does not open with `//!`"))
        .collect()
}

struct Functions<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, signature: Span, block: Span) {
        let start = signature.start().line;
        let lines = block.end().line + 1 - start;
        if lines > MAX_FUNCTION_LINES {
            let message = format!("`{name}` has {lines} lines");
            self.findings.push(Finding::at(self.path, start, message));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig.ident, item.sig.span(), block.span());
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Tree) -> Vec<Finding>, text: &str, expected: &[&str]) {
        let found = rule(&Tree::of(&[("a.rs", text)]));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_of_five_hundred_lines_passes_and_one_more_does_not() {
        check(files, &"//\n".repeat(500), &[]);
        check(files, &"//\n".repeat(501), &["a.rs:501: the file has 501 lines"]);
    }

    #[test]
    fn functions_are_measured_wherever_they_stand() {
        let body = |lines: usize| format!("{{\n{}}}", ";\n".repeat(lines - 2));
        for frame in ["FN", "impl A {\nFN\n}", "trait A {\nFN\n}", "mod a {\nfn b() {\nFN\n}\n}"] {
            let line = 1 + frame.lines().position(|line| line == "FN").unwrap_or(0);
            let text = |lines| frame.replace("FN", &format!("fn long() {}", body(lines)));
            check(functions, &text(56), &[]);
            let found = functions(&Tree::of(&[("a.rs", &text(61))]));
            let expected = Finding::at("a.rs", line, "`long` has 61 lines");
            assert!(found.contains(&expected), "{frame}: {found:?}");
        }
        check(functions, &format!("fn long() {}", body(60)), &[]);
        check(functions, &format!("/// Doc.\n#[test]\nfn long() {}", body(60)), &[]);
    }

    #[test]
    fn a_file_that_is_not_rust_is_found_instead_of_passed_over() {
        let found = functions(&Tree::of(&[("a.rs", "//! A.\nfn {")]));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_file_must_open_with_its_description() {
        check(opening, "//! What it is.\n", &[]);
        for text in ["", "use a;\n", "\n//! Late.", "#![x]\n//! Late."] {
            check(opening, text, &["a.rs:1: the file does not open with `//!`"]);
        }
    }
}
