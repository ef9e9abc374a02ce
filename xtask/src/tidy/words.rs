//! Words that may not stand in the tree, found by token so that text about them is no offence.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Finding;
use crate::tree::{Tree, ends_in};

/// Macros that mark code as unfinished or left over.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Macros that print.
const PRINTING: [&str; 4] = ["print", "println", "eprint", "eprintln"];

/// Folders of programs, which talk to a person or to a test.
const PRINTS: [&str; 3] = ["host/cli/", "xtask/", "tests/escape/src/"];

/// Tests that cannot be written without unsafe code, each named here with its reason.
const UNSAFE_TESTS: [&str; 1] = [
    // A counting allocator, which shows that a decision takes no memory.
    "host/policy/tests/no_alloc.rs",
];

/// How many lines above `unsafe` its explanation may begin.
const EXPLANATION_REACH: usize = 12;

/// Folders in which unsafe code may stand when it is explained: a sandbox is made of system calls
/// that have no safe interface, and so are the attacks on it.
const SYSTEM_CALLS: [&str; 2] = ["sandbox/", "tests/escape/"];

/// Finds crate roots that do not forbid unsafe code, unsafe code outside the engine's one file and
/// the sandbox, and unsafe code without its reason.
pub(super) fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut engine_files = Vec::new();
    for (path, text) in host_rust(tree) {
        let engine = path.starts_with("host/engine/");
        let sandbox = SYSTEM_CALLS.iter().any(|folder| path.starts_with(folder));
        if is_crate_root(path) && !engine && !sandbox && !text.contains("#![forbid(unsafe_code)]") {
            findings.push(Finding::at(path, 1, "the crate does not say `#![forbid(unsafe_code)]`"));
        }
        let lines = idents(text, |word, _| word == "unsafe");
        if UNSAFE_TESTS.contains(&path) || sandbox {
            findings.extend(unexplained(path, text, &lines));
        } else if !lines.is_empty() && engine {
            engine_files.push(path);
            findings.extend(unexplained(path, text, &lines));
        } else {
            let message = "unsafe code belongs in the one file of the engine that maps code";
            findings.extend(lines.iter().map(|line| Finding::at(path, *line, message)));
        }
    }
    let more = engine_files.iter().skip(1);
    findings.extend(more.map(|path| {
        Finding::at(path, 1, format!("unsafe code is already in `{}`", engine_files[0]))
    }));
    findings
}

/// Finds unfinished code and tests that are switched off.
pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for line in idents(text, |word, next| UNFINISHED.contains(&word) && is_bang(next)) {
            findings.push(Finding::at(path, line, "unfinished or left-over code"));
        }
        for line in ignored(text) {
            findings.push(Finding::at(path, line, "a test is switched off"));
        }
    }
    findings
}

/// Finds absolute paths of the machine someone worked on.
pub(super) fn local_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !ends_in(path, "lock")) {
        for (number, line) in text.lines().enumerate() {
            for local in [concat!("/", "work/"), concat!("/", "root/")] {
                if line.match_indices(local).any(|(at, _)| starts_path(line, at)) {
                    findings.push(Finding::at(
                        path,
                        number + 1,
                        format!("`{local}` is a local path"),
                    ));
                }
            }
        }
    }
    findings
}

/// Finds rooms that print; only the command line may.
pub(super) fn printing(tree: &Tree) -> Vec<Finding> {
    let rooms =
        host_rust(tree).filter(|(path, _)| !PRINTS.iter().any(|folder| path.starts_with(folder)));
    // Printing is how a build script talks to cargo.
    let rooms = rooms.filter(|(path, _)| !path.ends_with("/build.rs"));
    let mut findings = Vec::new();
    for (path, text) in rooms {
        for line in idents(text, |word, next| PRINTING.contains(&word) && is_bang(next)) {
            findings.push(Finding::at(path, line, "only `cli` prints"));
        }
    }
    findings
}

fn host_rust(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let folders = ["host/", "xtask/", "sandbox/", "tests/escape/"];
    tree.rust().filter(move |(path, _)| folders.iter().any(|folder| path.starts_with(folder)))
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs")
}

fn unexplained(path: &str, text: &str, lines: &[usize]) -> Vec<Finding> {
    let source: Vec<_> = text.lines().collect();
    // What a function asks of its callers stands in its documentation; what a block relies on, above it.
    let declared =
        idents(text, |word, next| word == "unsafe" && next.is_some_and(|next| is_word(next, "fn")));
    let explained = |line: usize| {
        let above = &source[line.saturating_sub(EXPLANATION_REACH + 1)..line - 1];
        let says = |what: &str| above.iter().any(|line| line.trim_start().starts_with(what));
        says("// SAFETY:") || (declared.contains(&line) && says("/// # Safety"))
    };
    let offenders = lines.iter().filter(|line| !explained(**line));
    offenders.map(|line| Finding::at(path, *line, "unsafe code without `// SAFETY:`")).collect()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Returns the lines of the identifiers that `wanted` picks; it sees the word and what follows.
fn idents(text: &str, wanted: impl Fn(&str, Option<&TokenTree>) -> bool) -> Vec<usize> {
    let mut lines = Vec::new();
    walk(tokens(text), &mut |here| {
        for (at, token) in here.iter().enumerate() {
            if let TokenTree::Ident(ident) = token
                && wanted(&ident.to_string(), here.get(at + 1))
            {
                lines.push(ident.span().start().line);
            }
        }
    });
    lines.sort_unstable();
    lines
}

/// Returns the lines of attributes that switch a test off.
fn ignored(text: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    walk(tokens(text), &mut |here| {
        for pair in here.windows(2) {
            if let [TokenTree::Punct(hash), TokenTree::Group(group)] = pair
                && hash.as_char() == '#'
                && group.delimiter() == Delimiter::Bracket
                && mentions_ignore(&group.stream())
            {
                lines.push(hash.span().start().line);
            }
        }
    });
    lines
}

/// Returns whether an attribute is `ignore`, by itself or inside `cfg_attr`.
fn mentions_ignore(attribute: &TokenStream) -> bool {
    let tokens: Vec<_> = attribute.clone().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(name), ..] if name == "ignore" => true,
        [TokenTree::Ident(name), TokenTree::Group(group)] if name == "cfg_attr" => {
            group.stream().into_iter().any(|token| token.to_string() == "ignore")
        }
        _ => false,
    }
}

fn is_bang(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == '!')
}

/// Returns the tokens of a file; one that is not Rust is reported by the rule on lengths.
fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).unwrap_or_default()
}

/// Calls `visit` with the tokens of each group, outermost first.
fn walk(stream: TokenStream, visit: &mut dyn FnMut(&[TokenTree])) {
    let tokens: Vec<_> = stream.into_iter().collect();
    visit(&tokens);
    for token in tokens {
        if let TokenTree::Group(group) = token {
            walk(group.stream(), visit);
        }
    }
}

/// Returns whether the `/` at a place begins a path, instead of standing inside a relative one.
fn starts_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || "._-/}$)>*".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str, expected: &[&str]) {
        let found = rule(&Tree::of(&[(path, text)]));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_crate_that_does_not_forbid_unsafe_code_is_found() {
        let rule = unsafe_code;
        let message = "host/audit/src/lib.rs:1: the crate does not say `#![forbid(unsafe_code)]`";
        check(rule, "host/audit/src/lib.rs", "//! A.\n", &[message]);
        check(rule, "host/audit/src/lib.rs", "//! A.\n#![forbid(unsafe_code)]", &[]);
        check(rule, "host/audit/src/other.rs", "//! A.\n", &[]);
    }

    #[test]
    fn unsafe_code_is_found_outside_the_engine_and_unexplained_inside() {
        let outside = "host/audit/src/a.rs:1: unsafe code belongs in the one file of the engine \
                       that maps code";
        check(unsafe_code, "host/audit/src/a.rs", "fn a() { unsafe { b() } }", &[outside]);
        check(unsafe_code, "host/audit/src/a.rs", "unsafe extern \"C\" {}", &[outside]);
        check(unsafe_code, "host/audit/src/a.rs", "// unsafe\nconst A: &str = \"unsafe\";", &[]);
        let inside = "host/engine/src/a.rs:1: unsafe code without `// SAFETY:`";
        check(unsafe_code, "host/engine/src/a.rs", "fn a() { unsafe { b() } }", &[inside]);
        let named = "host/policy/tests/no_alloc.rs";
        let message = format!("{named}:1: unsafe code without `// SAFETY:`");
        check(unsafe_code, named, "fn a() { unsafe { b() } }", &[&message]);
        let explained = "fn a() {\n// SAFETY: it holds.\nunsafe { b() } }";
        check(unsafe_code, "host/engine/src/a.rs", explained, &[]);
        check(unsafe_code, named, explained, &[]);
        let tree =
            Tree::of(&[("host/engine/src/a.rs", explained), ("host/engine/src/b.rs", explained)]);
        let found = unsafe_code(&tree);
        let second = Finding::at(
            "host/engine/src/b.rs",
            1,
            "unsafe code is already in `host/engine/src/a.rs`",
        );
        assert_eq!(found, [second]);
    }

    #[test]
    fn unsafe_code_of_the_sandbox_is_found_where_it_is_not_explained() {
        for path in ["sandbox/src/linux/a.rs", "tests/escape/src/refuse.rs"] {
            let message = format!("{path}:1: unsafe code without `// SAFETY:`");
            check(unsafe_code, path, "fn a() { unsafe { b() } }", &[&message]);
            check(unsafe_code, path, "fn a() {\n// SAFETY: it holds.\nunsafe { b() } }", &[]);
        }
        let path = "sandbox/src/linux/a.rs";
        let message = format!("{path}:2: unsafe code without `// SAFETY:`");
        check(unsafe_code, path, "/// # Safety\nunsafe fn a() {}", &[]);
        check(unsafe_code, path, "/// # Safety\nfn a() { unsafe { b() } }", &[&message]);
        check(unsafe_code, "sandbox/src/lib.rs", "//! A.\n", &[]);
        let message = "host/cli/src/main.rs:1: the crate does not say `#![forbid(unsafe_code)]`";
        check(unsafe_code, "host/cli/src/main.rs", "//! A.\n", &[message]);
    }

    #[test]
    fn unfinished_code_and_switched_off_tests_are_found_but_text_about_them_is_not() {
        for word in UNFINISHED {
            let text = format!("fn a() {{ {word}!() }}");
            check(unfinished, "a.rs", &text, &["a.rs:1: unfinished or left-over code"]);
            check(unfinished, "a.rs", &format!("// {word}!()\nconst A: &str = \"{word}!\";"), &[]);
        }
        for attribute in ["ignore", "ignore = \"slow\"", "cfg_attr(windows, ignore)"] {
            let text = format!("#[test]\n#[{attribute}]\nfn a() {{}}");
            check(unfinished, "a.rs", &text, &["a.rs:2: a test is switched off"]);
        }
        check(unfinished, "a.rs", "use ignore::Walk;\n#[doc = \"ignore\"]\nfn a() {}", &[]);
    }

    #[test]
    fn local_paths_are_found_in_any_text_but_not_inside_other_paths() {
        for local in [concat!("/", "work/"), concat!("/", "root/")] {
            let expected = format!("a.md:1: `{local}` is a local path");
            for text in [format!("see {local}x"), format!("\"{local}x\""), format!("({local}x)")] {
                check(local_paths, "a.md", &text, &[&expected]);
            }
            check(local_paths, "a.md", &format!("host{local}x"), &[]);
        }
    }

    #[test]
    fn printing_is_found_outside_the_command_line() {
        for word in PRINTING {
            let text = format!("fn a() {{ if b {{ {word}!(\"\") }} }}");
            check(
                printing,
                "host/audit/src/a.rs",
                &text,
                &["host/audit/src/a.rs:1: only `cli` prints"],
            );
            check(printing, "host/cli/src/a.rs", &text, &[]);
            check(printing, "host/policy/build.rs", &text, &[]);
        }
    }
}
