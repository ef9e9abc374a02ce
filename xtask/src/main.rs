//! Development commands of this repository: `cargo xtask <command>`.
//!
//! Each command can be interrupted and repeated. Start at [`run`]; `tidy.rs` holds the rules the
//! tree must keep, `stages.rs` how progress is shown. This crate must never depend on the rooms
//! under `host/`, so that it builds in seconds.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a development command prints, reads files and starts compilers"
)]

mod checks;
mod conformance;
mod demo;
mod failure;
mod guests;
mod peers;
mod process;
mod reference;
mod setup;
mod skips;
mod stages;
mod tidy;
mod tree;
mod workspace;

use std::process::ExitCode;

use crate::failure::Failure;
use crate::workspace::Workspace;

const HELP: &str = "\
Development commands of ringfence.

Usage: cargo xtask <command> [options]

Commands:
  demo        set up, build everything the main job needs and run it on real input
  test        set up, build the guests and run every test
  setup       check the tools and add the `wasm32-wasip2` target when it is missing
  guests      build the plugins and the test guests, then copy the components in place
  peers       install the MCP servers that tests talk to (npm, pip; needs the network once)
  conformance run the MCP conformance suite against `mcp serve` (npm; needs the network once)
  tidy        check layers, lengths, frozen WIT and the other rules of the tree
  ci          everything a change must pass: format, lints, docs, reference, tests
  reference   write docs/reference/cli.md from the built binary

Options:
  guests --plugins-only     leave the test guests out
  tidy --freeze <version>   record the hashes of wit/<version> and mark it released
  ci --skip-tests           everything but the tests
  reference --check         compare instead of writing
  -h, --help                this text

Environment:
  CARGO_TARGET_DIR          where everything is built (default: target)
  RINGFENCE_GUEST_RUSTC     compiler for the guests, when it is not the active one
  RINGFENCE_EXPECT_SKIPS    name of a list `tests/expected-skips-<name>.txt` that the skipped
                            tests must equal

Examples:
  cargo xtask demo
  cargo xtask test
  cargo xtask guests --plugins-only
  cargo xtask ci --skip-tests
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs the command that the words on the command line name.
fn run(words: &[&str]) -> Result<(), Failure> {
    if words.is_empty() || words.iter().any(|word| matches!(*word, "-h" | "--help" | "help")) {
        print!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::find()?;
    match words {
        ["setup"] => setup::run(&workspace),
        ["guests"] => guests::run(&workspace, guests::Selection::All),
        ["guests", "--plugins-only"] => guests::run(&workspace, guests::Selection::Plugins),
        ["peers"] => peers::run(&workspace),
        ["conformance"] => conformance::run(&workspace),
        ["demo"] => demo::run(&workspace),
        ["test"] => checks::test(&workspace),
        ["ci"] => checks::ci(&workspace, checks::Tests::Run),
        ["ci", "--skip-tests"] => checks::ci(&workspace, checks::Tests::Leave),
        ["tidy"] => tidy::run(&workspace),
        ["tidy", "--freeze", version] => tidy::freeze(&workspace, version),
        ["reference"] => reference::run(&workspace, reference::Mode::Write),
        ["reference", "--check"] => reference::run(&workspace, reference::Mode::Check),
        _ => Err(Failure::usage(format!("`{}` is not a command", words.join(" ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_a_usage_error_that_points_to_the_help() {
        for words in [&["deploy"][..], &["ci", "--fast"], &["tidy", "--freeze"]] {
            let failure =
                run(words).err().map(|failure| (failure.exit_code(), failure.to_string()));
            let (code, text) = failure.unwrap_or_default();
            assert_eq!(code, 2, "{words:?}");
            assert!(text.contains("cargo xtask --help"), "{text}");
        }
    }

    #[test]
    fn the_help_names_every_command() {
        let commands =
            ["demo", "test", "setup", "guests", "peers", "conformance", "tidy", "ci", "reference"];
        for command in commands {
            assert!(HELP.contains(&format!("\n  {command} ")), "{command}");
        }
    }
}
