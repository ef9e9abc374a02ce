//! `cargo xtask demo`: sets up, builds and runs the main job on real input.
//!
//! The steps are data, in `xtask/demo.toml`: arguments, the exit code they must end with, what the
//! output must contain and one sentence about what they show. A refusal that does not happen is a
//! failure, as is any other surprise.

use std::process::{Command, Output};

use serde::Deserialize;

use crate::failure::Failure;
use crate::guests::{self, Selection};
use crate::stages::{self, Stages};
use crate::workspace::Workspace;
use crate::{process, setup};

/// Longest output shown for one step; the rest is counted.
const MAX_LINES_SHOWN: usize = 40;

/// Where the demo keeps its log and its cache; emptied at the start.
const STATE: &str = ".demo";

/// Runs the demo and prints how long it took.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let script: Script = guests::read_toml(&workspace.path("xtask/demo.toml"))?;
    let mut stages = Stages::start("demo");
    stages.need("setup", "the tools a build needs", || setup::run(workspace))?;
    stages.need("plugins", "WebAssembly components, built from `plugins/`", || {
        guests::run(workspace, Selection::Plugins)
    })?;
    let why = "the first build compiles the WebAssembly engine, five to ten minutes on two cores";
    stages.need("host", why, || {
        process::run(&mut process::cargo(workspace, ".", &["build", "-p", "ringfence-cli"]))
    })?;
    stages.run("main job", "each command as you would type it, with its output", || {
        play(workspace, &script)
    });
    stages.finish()
}

/// The steps of the demo.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    step: Vec<Step>,
}

/// One command and what it must do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What the step shows, in a sentence.
    shows: String,
    /// The arguments of `ringfence`.
    args: Vec<String>,
    /// A file the step needs; without it the step is left out, and the demo says so.
    needs: Option<String>,
    /// The exit code it must end with.
    #[serde(default)]
    exit: i32,
    /// What its output or its messages must contain.
    #[serde(default)]
    contains: Vec<String>,
}

fn play(workspace: &Workspace, script: &Script) -> Result<(), Failure> {
    let state = workspace.path(STATE);
    if state.exists() {
        std::fs::remove_dir_all(&state).map_err(|source| Failure::io("empty", &state, &source))?;
    }
    std::fs::create_dir_all(&state).map_err(|source| Failure::io("create", &state, &source))?;
    for (number, step) in script.step.iter().enumerate() {
        if let Some(path) = step.needs.as_ref().filter(|path| !workspace.path(path).exists()) {
            println!(
                "\n  {}. {}\n    left out: `{path}` is not built here",
                number + 1,
                step.shows
            );
            continue;
        }
        let mut command = Command::new(workspace.binary());
        command.args(&step.args).current_dir(workspace.root());
        command.env("RINGFENCE_STATE_DIR", &state).env("NO_COLOR", "1");
        command.env("RINGFENCE_CACHE_DIR", state.join("cache"));
        println!("\n  {}. {}\n    $ {}", number + 1, step.shows, process::shown(&command));
        let started = std::time::Instant::now();
        let output = process::capture(&mut command)?;
        let took = stages::shown(started.elapsed());
        show(&output);
        verdict(step, &output)?;
        let code = output.status.code().unwrap_or_default();
        println!("    (exit code {code}, as expected; {took})");
    }
    Ok(())
}

/// Prints what a step wrote, data first, indented and cut to a readable length.
fn show(output: &Output) {
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        let lines: Vec<_> = text.lines().collect();
        for line in lines.iter().take(MAX_LINES_SHOWN) {
            println!("      {line}");
        }
        if lines.len() > MAX_LINES_SHOWN {
            println!("      … {} more lines", lines.len() - MAX_LINES_SHOWN);
        }
    }
}

/// Fails when a step did anything but what it must.
fn verdict(step: &Step, output: &Output) -> Result<(), Failure> {
    let line = format!("ringfence {}", step.args.join(" "));
    if output.status.code() != Some(step.exit) {
        let what = format!("`{line}` ended with {}, expected {}", output.status, step.exit);
        return Err(Failure::new(what).hint(refusal_hint(step.exit)));
    }
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    match step.contains.iter().find(|wanted| !text.contains(*wanted)) {
        Some(wanted) => Err(Failure::new(format!("the output of `{line}` lacks `{wanted}`"))),
        None => Ok(()),
    }
}

fn refusal_hint(expected: i32) -> &'static str {
    match expected {
        3 | 4 => "a refusal that does not happen is a security bug: see SECURITY.md",
        _ => "`ringfence doctor` says what works on this machine",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[cfg(unix)]
    fn output(code: i32, stdout: &str, stderr: &str) -> Output {
        use std::os::unix::process::ExitStatusExt;
        let status = std::process::ExitStatus::from_raw(code << 8);
        Output { status, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[cfg(unix)]
    #[test]
    fn a_refusal_that_does_not_happen_fails_the_demo_and_points_to_the_policy() {
        let step: Step = toml::from_str(
            "shows = \"s\"\nargs = [\"run\", \"x\"]\nexit = 3\ncontains = [\"http\"]",
        )
        .unwrap();
        let text = |output| verdict(&step, &output).err().map(|failure| failure.to_string());
        assert_eq!(text(output(3, "", "no http here")), None);
        let allowed = text(output(0, "http", "")).unwrap();
        assert!(allowed.contains("expected 3") && allowed.contains("SECURITY.md"), "{allowed}");
        let other = text(output(3, "", "something else")).unwrap();
        assert!(other.contains("lacks `http`"), "{other}");
    }

    #[test]
    fn the_script_is_read_and_refuses_at_least_two_things() {
        let workspace = Workspace::find().unwrap();
        let script: Script = guests::read_toml(&workspace.path("xtask/demo.toml")).unwrap();
        let refused = script.step.iter().filter(|step| matches!(step.exit, 3 | 4));
        assert!(refused.count() >= 2);
        assert!(script.step.iter().all(|step| step.shows.ends_with('.')));
    }
}
