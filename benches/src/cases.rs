//! What is measured.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;

/// Runs before anything is measured: caches are warm and the audit log is longer than the part of
/// it that is read.
const WARM_UP: usize = 150;

const COUNT: &str = r#"{"path":"notes.txt"}"#;
const SEARCH: &str = r#"{"pattern":"fence"}"#;

/// One program with its arguments.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) env: Vec<(String, OsString)>,
    program: PathBuf,
    args: Vec<OsString>,
    /// What has to be done each time before it is measured.
    pub(crate) before: Box<dyn Fn() -> std::io::Result<()>>,
}

impl Case {
    fn new(name: &str, program: impl Into<PathBuf>, args: &[&dyn AsRef<std::ffi::OsStr>]) -> Self {
        Self {
            name: name.to_owned(),
            env: Vec::new(),
            program: program.into(),
            args: args.iter().map(|arg| (*arg).as_ref().to_owned()).collect(),
            before: Box::new(|| Ok(())),
        }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().cloned());
        command
    }
}

/// The files the cases work on.
struct Files {
    workspace: PathBuf,
    word_count: PathBuf,
    text_search: PathBuf,
    command: Option<PathBuf>,
}

/// Returns the cases; `/bin/true`, which the others are compared with, is the first.
pub(crate) fn all(options: &Options, scratch: &Path) -> Result<Vec<Case>, Box<dyn Error>> {
    let files = files(scratch)?;
    let mut cases = vec![Case::new("`/bin/true`", "/bin/true", &[])];
    let builds = [("", Some(&options.ringfence)), (", static", options.linked_statically.as_ref())];
    for (suffix, program) in builds {
        let Some(program) = program else { continue };
        let homes = scratch.join(format!("homes{}", suffix.trim_start_matches(", ")));
        cases.extend(ringfence(program, suffix, &files, &homes)?);
    }
    if let (Some(wasmtime), Some(command)) = (&options.wasmtime, &files.command) {
        cases.push(peer(wasmtime, command, &files.workspace, scratch)?);
    }
    for (name, program, args) in
        [("`node -e 0`", "node", ["-e", "0"]), ("`python3 -c 0`", "python3", ["-c", "0"])]
    {
        if let Some(program) = on_path(program) {
            cases.push(Case::new(name, program, &[&args[0], &args[1]]));
        }
    }
    Ok(cases)
}

/// Returns the cases of one build of the command.
fn ringfence(
    program: &Path,
    suffix: &str,
    files: &Files,
    homes: &Path,
) -> Result<Vec<Case>, Box<dyn Error>> {
    let (state, cache, fresh) = (homes.join("state"), homes.join("cache"), homes.join("fresh"));
    let tool = |name: &str, plugin: &Path, input: &str, cache: &Path| {
        let name = format!("{name}{suffix}");
        let workspace = &files.workspace;
        let args: [&dyn AsRef<std::ffi::OsStr>; 8] = [
            &"run",
            &plugin,
            &"--workspace",
            &workspace,
            &"--profile",
            &"read-only",
            &"--input",
            &input,
        ];
        let mut case = Case::new(&name, program, &args);
        case.env = homes_of(&state, cache);
        case
    };
    let mut cases =
        vec![Case::new(&format!("`ringfence --version`{suffix}"), program, &[&"--version"])];
    cases.push(tool("`ringfence run word-count`", &files.word_count, COUNT, &cache));
    cases.push(tool("`ringfence run text-search`", &files.text_search, SEARCH, &cache));
    if let Some(command) = &files.command {
        let mapped = format!("{}::/:ro", files.workspace.display());
        let args: [&dyn AsRef<std::ffi::OsStr>; 8] = [
            &"run",
            command,
            &"--workspace",
            &files.workspace,
            &"--profile",
            &"read-only",
            &"--dir",
            &mapped,
        ];
        let mut case = Case::new(&format!("`ringfence run echo.wasm`{suffix}"), program, &args);
        case.env = homes_of(&state, &cache);
        cases.push(case);
    }
    for case in &cases {
        warm_up(case)?;
    }
    let mut first =
        tool("first `ringfence run word-count`, compiles", &files.word_count, COUNT, &fresh);
    first.before = Box::new(move || match fs::remove_dir_all(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    });
    cases.push(first);
    Ok(cases)
}

fn homes_of(state: &Path, cache: &Path) -> Vec<(String, OsString)> {
    let (state, cache) = (state.into(), cache.into());
    vec![("RINGFENCE_STATE_DIR".to_owned(), state), ("RINGFENCE_CACHE_DIR".to_owned(), cache)]
}

fn warm_up(case: &Case) -> Result<(), Box<dyn Error>> {
    for _ in 0..WARM_UP {
        let output = case.command().stdin(std::process::Stdio::null()).output()?;
        if !output.status.success() {
            return Err(
                format!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr)).into()
            );
        }
    }
    Ok(())
}

/// Returns wasmtime's own command on the same component, compiled beforehand.
fn peer(
    wasmtime: &Path,
    command: &Path,
    workspace: &Path,
    scratch: &Path,
) -> Result<Case, Box<dyn Error>> {
    let compiled = scratch.join("echo.cwasm");
    let output =
        Command::new(wasmtime).arg("compile").arg("-o").arg(&compiled).arg(command).output()?;
    if !output.status.success() {
        return Err(format!("wasmtime compile: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mapped = format!("{}::/", workspace.display());
    let args: [&dyn AsRef<std::ffi::OsStr>; 5] =
        [&"run", &"--allow-precompiled", &"--dir", &mapped, &compiled];
    let case = Case::new("`wasmtime run echo.cwasm`", wasmtime, &args);
    warm_up(&case)?;
    Ok(case)
}

fn files(scratch: &Path) -> Result<Files, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let workspace = scratch.join("workspace");
    fs::create_dir(&workspace)?;
    fs::write(workspace.join("notes.txt"), "good fences make good neighbours\n".repeat(20))?;
    let word_count = scratch.join("word-count");
    fs::create_dir(&word_count)?;
    let (template, target) = (root.join("sdk/templates/rust"), root.join("sdk/target"));
    build(&template, &target)?;
    fs::copy(template.join("plugin.toml"), word_count.join("plugin.toml"))?;
    let built = target.join("wasm32-wasip2/release/word_count.wasm");
    fs::copy(built, word_count.join("word-count.wasm"))?;
    let text_search = root.join("plugins/tools/text-search").canonicalize()?;
    let echo = root.join("tests/guests/out/echo.wasm");
    let command = if echo.is_file() {
        let copy = scratch.join("echo.wasm");
        fs::copy(echo, &copy)?;
        Some(copy)
    } else {
        eprintln!(
            "no command to compare with wasmtime: build it with `cargo run -p xtask -- guests`"
        );
        None
    };
    Ok(Files { workspace, word_count, text_search, command })
}

fn build(template: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "--target", "wasm32-wasip2"]);
    cargo.current_dir(template).env("CARGO_TARGET_DIR", target);
    if cargo.status()?.success() {
        Ok(())
    } else {
        Err("the plugin `word-count` does not build".into())
    }
}

/// Returns the program itself where the one found first is a script that only starts it.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path).map(|dir| dir.join(name));
    let is_program =
        |path: &PathBuf| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    all.into_iter().find(is_program)
}
