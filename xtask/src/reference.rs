//! `cargo xtask reference`: the command line pages, written by the program's own help.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;

/// Where the page is.
const PAGE: &str = "docs/reference/cli.md";

/// How deep commands nest; help that loops must not loop here.
const MAX_DEPTH: usize = 3;

/// Whether the page is written or only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write the page.
    Write,
    /// Fail when the page is not what would be written.
    Check,
}

/// Writes or compares the page; without a built program there is nothing to compare with.
pub(crate) fn run(workspace: &Workspace, mode: Mode) -> Result<(), Failure> {
    let binary = workspace.binary();
    if !binary.is_file() {
        if mode == Mode::Write {
            return Err(Failure::new(format!("`{}` is not built", binary.display()))
                .hint("run `cargo build -p ringfence-cli`"));
        }
        println!("    `ringfence` is not built here: nothing to compare");
        return Ok(());
    }
    let page = page(&binary)?;
    let path = workspace.path(PAGE);
    if mode == Mode::Write {
        return std::fs::write(&path, page).map_err(|source| Failure::io("write", &path, &source));
    }
    let present =
        std::fs::read_to_string(&path).map_err(|source| Failure::io("read", &path, &source));
    if present.is_ok_and(|present| present == page) {
        println!("    `{PAGE}` is what `ringfence --help` says");
        return Ok(());
    }
    Err(Failure::new(format!("`{PAGE}` is not what `ringfence --help` says"))
        .hint("run `cargo xtask reference` and read the difference"))
}

fn page(binary: &Path) -> Result<String, Failure> {
    let mut page = "# Command line\n\nWritten by `cargo xtask reference` from the help of the \
                    program; edit the program instead.\n"
        .to_owned();
    append(binary, &mut Vec::new(), &mut page)?;
    Ok(page)
}

fn append(binary: &Path, words: &mut Vec<String>, page: &mut String) -> Result<(), Failure> {
    let mut command = Command::new(binary);
    command.args(&*words).arg("--help").env("NO_COLOR", "1").env("COLUMNS", "100");
    // Help shows the value of a variable that is set; the page must not.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RINGFENCE_") {
            command.env_remove(name);
        }
    }
    let output = process::capture(&mut command)?;
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let title = std::iter::once("ringfence").chain(words.iter().map(String::as_str));
    let title = title.collect::<Vec<_>>().join(" ");
    if !output.status.success() || help.trim().is_empty() {
        return Err(Failure::new(format!("`{title} --help` gave no help")));
    }
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {title}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    if words.len() < MAX_DEPTH {
        for name in commands(&help) {
            words.push(name);
            append(binary, words, page)?;
            words.pop();
        }
    }
    Ok(())
}

/// Returns the names under the heading `Commands:`.
fn commands(help: &[&str]) -> Vec<String> {
    let section = help.iter().skip_while(|line| **line != "Commands:").skip(1);
    section
        .take_while(|line| line.is_empty() || line.starts_with("  "))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_names_are_read_from_help_without_wrapped_lines_and_options() {
        let help = "Runs plugins\n\nUsage: ringfence <COMMAND>\n\nCommands:\n  run      Runs one\n           \
                    and more text\n  audit    Reads the log\n  help     Prints this\n\nOptions:\n  -h, --help";
        let lines: Vec<_> = help.lines().collect();
        assert_eq!(commands(&lines), ["run", "audit"]);
        assert!(commands(&["Usage: x", "Options:", "  -h"]).is_empty());
    }
}
