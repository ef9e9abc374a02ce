//! Starting compilers and test runners, and saying which.

use std::process::{Command, Output};

use crate::failure::Failure;
use crate::workspace::Workspace;

/// Returns `cargo` in a directory below the root, building into the host's directory.
pub(crate) fn cargo(workspace: &Workspace, dir: &str, args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(args).current_dir(workspace.path(dir));
    command.env("CARGO_TARGET_DIR", workspace.target());
    // Set by the `cargo run` around us; inner builds must not see them.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    command
}

/// Returns `cargo` as [`cargo`] does, building into the guests' directory.
pub(crate) fn guest_cargo(workspace: &Workspace, dir: &str, args: &[&str]) -> Command {
    let mut command = cargo(workspace, dir, args);
    command.env("CARGO_TARGET_DIR", workspace.guest_target());
    command
}

/// Returns `cargo` for some targets of the host's workspace.
///
/// Always the same packages: cargo unifies the features of dependencies over the packages it is
/// given, and another choice would compile the WebAssembly engine a second time. This command itself
/// is left out, because not every system lets a running program be replaced.
pub(crate) fn host_cargo(workspace: &Workspace, args: &[&str]) -> Command {
    let mut command = cargo(workspace, ".", args);
    command.args(["--workspace", "--exclude", "xtask"]);
    command
}

/// Runs a command that talks to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let line = shown(command);
    println!("    $ {line}");
    let status = command.status().map_err(|source| cannot_start(&line, &source))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{line}` ended with {status}")))
}

/// Runs a command and returns what it wrote, whatever its exit code.
pub(crate) fn capture(command: &mut Command) -> Result<Output, Failure> {
    let line = shown(command);
    command.output().map_err(|source| cannot_start(&line, &source))
}

/// Returns a command line as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns one word quoted for a POSIX shell when it needs to be.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn cannot_start(line: &str, source: &std::io::Error) -> Failure {
    Failure::new(format!("cannot start `{line}`: {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_so_that_a_shell_reads_it_back() {
        let cases: [(&[&str], &str); 4] = [
            (&["doctor"], "ringfence doctor"),
            (&["run", "a b"], "ringfence run 'a b'"),
            (&["--input", r#"{"q":"it's"}"#], r#"ringfence --input '{"q":"it'\''s"}'"#),
            (&[""], "ringfence ''"),
        ];
        for (args, expected) in cases {
            let mut command = Command::new("/somewhere/ringfence");
            command.args(args);
            assert_eq!(shown(&command), expected);
        }
    }
}
