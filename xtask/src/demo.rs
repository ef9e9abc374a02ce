//! `cargo xtask demo`: sets up, builds and runs the main job on real input.
//!
//! The steps are data, in `xtask/demo.toml`: arguments, the exit code they must end with, what the
//! output must contain and one sentence about what they show. A refusal that does not happen is a
//! failure, as is any other surprise. What the steps leave behind goes into a scratch directory of
//! their own, `{scratch}` in an argument, which is removed at the end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use serde::Deserialize;

use crate::failure::Failure;
use crate::guests::{self, Selection};
use crate::stages::{self, Stages};
use crate::workspace::Workspace;
use crate::{process, setup};

/// Longest output shown for one step, in lines; the rest is counted.
const MAX_LINES_SHOWN: usize = 40;

/// Longest line of it, in characters.
const MAX_LINE_SHOWN: usize = 400;

/// What stands for the scratch directory in the script.
const SCRATCH: &str = "{scratch}";

/// What stands for the digest that the last refused action would be approved by.
const APPROVAL: &str = "{approval}";

/// What stands before that digest in a refusal.
const APPROVE: &str = "--approve sha256:";

/// The test guests that take part.
const GUESTS: &[&str] = &["env-probe", "loop-guest"];

/// Runs the demo and prints how long it took.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let script: Script = guests::read_toml(&workspace.path("xtask/demo.toml"))?;
    let mut stages = Stages::start("demo");
    stages.need("setup", "the tools a build needs", || setup::run(workspace))?;
    stages.need("plugins", "WebAssembly components, built from `plugins/`", || {
        guests::run(workspace, Selection::Some(GUESTS))
    })?;
    let why = "the first build compiles the WebAssembly engine, five to ten minutes on two cores";
    stages.need("host", why, || process::run(&mut host(workspace)))?;
    stages.run("main job", "each command as you would type it, with its output", || {
        play(workspace, &script)
    });
    stages.finish()
}

/// Returns the command that builds `ringfence`. The examples are named so that the features of the
/// dependencies are those of `cargo xtask test`, which then has the engine already.
fn host(workspace: &Workspace) -> Command {
    process::host_cargo(workspace, &["build", "--bin", "ringfence", "--examples"])
}

/// The steps of the demo.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default)]
    plugin: Vec<Laid>,
    step: Vec<Step>,
}

/// A plugin directory laid out below the scratch directory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Laid {
    /// The name of the directory.
    name: String,
    /// The manifest.
    manifest: String,
    /// The component.
    component: String,
}

/// One command and what it must do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What the step shows, in a sentence.
    shows: String,
    /// The arguments of `ringfence`.
    args: Vec<String>,
    /// A file in which one byte is changed before.
    #[serde(default)]
    damages: Option<String>,
    /// The exit code it must end with.
    #[serde(default)]
    exit: i32,
    /// What its output or its messages must contain.
    #[serde(default)]
    contains: Vec<String>,
}

fn play(workspace: &Workspace, script: &Script) -> Result<(), Failure> {
    let started = Instant::now();
    let scratch = Scratch::new()?;
    for plugin in &script.plugin {
        lay_out(workspace, &scratch.path, plugin)?;
    }
    let mut approval = String::new();
    for (number, step) in script.step.iter().enumerate() {
        let mut command = Command::new(workspace.binary());
        command.args(arguments(step, &scratch.path, &approval)).current_dir(workspace.root());
        command.env("RINGFENCE_STATE_DIR", scratch.path.join("state")).env("NO_COLOR", "1");
        command.env("RINGFENCE_CACHE_DIR", scratch.path.join("cache"));
        // Keys and trust of its own: whose signatures count for the person is not the demo's to say.
        command.env("XDG_CONFIG_HOME", scratch.path.join("config"));
        if let Some(file) = &step.damages {
            damage(Path::new(&file.replace(SCRATCH, &scratch.path.to_string_lossy())))?;
        }
        command.env("RINGFENCE_DATA_DIR", scratch.path.join("data"));
        let place = format!("{}/{}", number + 1, script.step.len());
        println!("\n  {place}  {}\n    $ {}", step.shows, process::shown(&command));
        let step_started = Instant::now();
        let output = process::capture(&mut command)?;
        let took = stages::shown(step_started.elapsed());
        show(&output);
        verdict(step, &output)?;
        approval = asked(&output).unwrap_or(approval);
        let total = stages::shown(started.elapsed());
        println!("    (exit code {} as expected, in {took}; {total} so far)", step.exit);
    }
    println!("\n    the program is `{}`", workspace.binary().display());
    Ok(())
}

/// A directory below the system's temporary one, gone with this value.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("ringfence-demo-{}", std::process::id()));
        let made = private_dir(&path);
        made.map_err(|source| Failure::io("create", &path, &source))?;
        // `ringfence` grants places, not links that lead to them.
        let path = path.canonicalize().unwrap_or(path);
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
fn private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_dir(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir(path)
}

fn lay_out(workspace: &Workspace, scratch: &Path, plugin: &Laid) -> Result<(), Failure> {
    let dir = scratch.join(&plugin.name);
    std::fs::create_dir_all(&dir).map_err(|source| Failure::io("create", &dir, &source))?;
    for (from, name) in [(&plugin.manifest, "plugin.toml"), (&plugin.component, "plugin.wasm")] {
        let from = workspace.path(from);
        std::fs::copy(&from, dir.join(name))
            .map_err(|source| Failure::io("copy", &from, &source))?;
    }
    Ok(())
}

/// Changes one bit in the middle of a file.
fn damage(path: &Path) -> Result<(), Failure> {
    let mut bytes = std::fs::read(path).map_err(|source| Failure::io("read", path, &source))?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    std::fs::write(path, bytes).map_err(|source| Failure::io("write", path, &source))
}

/// Returns the arguments with the scratch directory and the digest to approve filled in.
fn arguments(step: &Step, scratch: &Path, approval: &str) -> Vec<String> {
    let scratch = scratch.to_string_lossy();
    let filled =
        |argument: &String| argument.replace(SCRATCH, &scratch).replace(APPROVAL, approval);
    step.args.iter().map(filled).collect()
}

/// Returns the digest by which the action that a step was refused can be approved.
fn asked(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let hex = text.split(APPROVE).nth(1)?;
    let end = hex.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(hex.len());
    Some(format!("sha256:{}", &hex[..end]))
}

/// Prints what a step wrote, data first, indented and cut to a readable length.
fn show(output: &Output) {
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        let lines: Vec<_> = text.lines().collect();
        for line in lines.iter().take(MAX_LINES_SHOWN) {
            println!("      {}", cut(line));
        }
        if lines.len() > MAX_LINES_SHOWN {
            println!("      … {} more lines", lines.len() - MAX_LINES_SHOWN);
        }
    }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(MAX_LINE_SHOWN) {
        Some((at, _)) => {
            format!("{} … {} more characters", &line[..at], line[at..].chars().count())
        }
        None => line.to_owned(),
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

    #[test]
    fn the_scratch_directory_is_filled_in_and_gone_afterwards() {
        let scratch = Scratch::new().unwrap();
        let step: Step = toml::from_str("shows = \"s\"\nargs = [\"{scratch}/a\", \"b\"]").unwrap();
        let path = scratch.path.clone();
        assert!(path.is_dir());
        assert_eq!(arguments(&step, &path, ""), [format!("{}/a", path.display()), "b".to_owned()]);
        drop(scratch);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_was_refused_can_be_approved_in_a_later_step() {
        let refused = output(3, "", "hint: run `ringfence exec --approve sha256:0aF3 -- true`");
        let step: Step =
            toml::from_str("shows = \"s\"\nargs = [\"--approve\", \"{approval}\"]").unwrap();
        let approval = asked(&refused).unwrap();
        let filled = arguments(&step, Path::new("/"), &approval);
        assert_eq!(filled, ["--approve", "sha256:0aF3"]);
        assert_eq!(asked(&output(3, "", "nobody said how")), None);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"é".repeat(MAX_LINE_SHOWN + 3));
        assert!(cut.ends_with("é … 3 more characters"), "{cut}");
    }
}
