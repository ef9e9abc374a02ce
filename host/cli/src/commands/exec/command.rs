//! From flags to options: where the program is, what it is given, and the same command line again.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use ringfence::approval::terminal::Tty;
use ringfence::sandbox::{Baseline, ProcessLimits, WriteMode};
use ringfence::{Digest, ExecOptions, Limit, Limits, MadeRule};

use crate::args::{Exec, Global, Grants, MadeArg, WriteRule};
use crate::error::CliError;
use crate::flags;

/// Returns where the program is and the whole command, its name first.
pub(in crate::commands) fn program(
    argv: &[OsString],
) -> Result<(PathBuf, Vec<OsString>), CliError> {
    let Some(name) = argv.first() else {
        let text = "name the program after `--`, such as `ringfence exec -- cargo test`";
        return Err(CliError::Usage(text.to_owned()));
    };
    if name.as_encoded_bytes().starts_with(b"-") {
        let text = format!(
            "`{0}` is no flag of `exec`, and a program of this name is written `./{0}`; see `ringfence \
             exec --help`",
            name.display()
        );
        return Err(CliError::Usage(text));
    }
    let fail =
        |source| CliError::File { what: "program", path: name.display().to_string(), source };
    let found = if name.as_encoded_bytes().contains(&b'/') {
        std::path::absolute(name).map_err(fail)?
    } else {
        on_path(name).ok_or_else(|| {
            CliError::Usage(format!("there is no program `{}` on your PATH", super::word(name)))
        })?
    };
    Ok((found, argv.to_vec()))
}

/// Looks a name up. A directory that is not absolute would depend on where one stands.
fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).filter(|place| place.is_absolute());
    let mut found = places.map(|place| place.join(name));
    found.find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// Returns the options these flags describe.
pub(in crate::commands) fn options(args: &Exec, global: &Global) -> Result<ExecOptions, CliError> {
    let grants = Grants {
        profile: args.profile.clone(),
        approve: args.approve.iter().filter(|text| digest(text).is_none()).cloned().collect(),
        deny: args.reach.deny.clone(),
        policy: args.policy.clone(),
        allow_address: args.reach.allow_address.clone(),
        dir: args.reach.dir.iter().map(|text| directory(text)).collect::<Result<_, _>>()?,
        env: args.env.clone(),
        http: args.reach.http.clone(),
        http_write: args.reach.http_write.clone(),
        ..Grants::default()
    };
    let asked = flags::options(&grants, global)?;
    let (mut limits, mut network) = (ProcessLimits::default(), ExecOptions::default().network);
    for text in &args.limit {
        limit(text, &mut limits, &mut network)?;
    }
    let deadline = args.timeout.as_deref().map(|text| Limit::WallTime.parse(text)).transpose()?;
    let mut environment = passed_on();
    environment.extend(asked.env.into_iter().map(|(name, value)| (name, value.into())));
    Ok(ExecOptions {
        profile: asked.profile,
        requests: asked.requests,
        approved: asked.approved,
        layers: asked.layers,
        write: match args.reach.write {
            WriteRule::Staged => WriteMode::Staged,
            WriteRule::Direct => WriteMode::Direct,
        },
        made: match args.made_protected {
            MadeArg::Ask | MadeArg::Aside => MadeRule::MoveAside,
            MadeArg::Keep => MadeRule::Keep,
        },
        working_directory: working_directory(global),
        environment,
        limits,
        network,
        deadline: deadline.map(std::time::Duration::from_millis),
        addresses: asked.addresses,
        home: std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()),
        toolchains: args.reach.toolchain.clone(),
        ..ExecOptions::default()
    })
}

/// Returns the variables a program gets without asking: how the terminal and the language are.
fn passed_on() -> std::collections::BTreeMap<String, OsString> {
    const OWN: [&str; 3] = ["PATH", "HOME", "TMPDIR"];
    let names = Baseline::native().environment.iter().filter(|name| !OWN.contains(name));
    names.filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?))).collect()
}

/// Returns the current directory, when it lies in the workspace.
fn working_directory(global: &Global) -> Option<PathBuf> {
    let here = std::env::current_dir().and_then(std::fs::canonicalize).ok()?;
    let workspace = std::fs::canonicalize(&global.workspace).ok()?;
    here.starts_with(workspace).then_some(here)
}

/// Writes `PATH[:ro]` the way a directory of a plugin is written: here it has the same path inside.
pub(in crate::commands) fn directory(text: &str) -> Result<String, CliError> {
    let (path, mode) = match text.strip_suffix(":ro") {
        Some(path) => (path, ":ro"),
        None => (text, ""),
    };
    let fail = |source| CliError::File { what: "directory", path: path.to_owned(), source };
    let real = std::fs::canonicalize(path).map_err(fail)?;
    let real = real.to_str().filter(|path| !path.contains("::"));
    let real = real.ok_or_else(|| CliError::Usage(format!("`--dir {text}` is no plain path")))?;
    Ok(format!("{real}::{real}{mode}"))
}

fn limit(text: &str, limits: &mut ProcessLimits, network: &mut Limits) -> Result<(), CliError> {
    let usage =
        || CliError::Usage(format!("`--limit {text}` is not NAME=VALUE, such as `memory=2GiB`"));
    let (name, value) = text.split_once('=').ok_or_else(usage)?;
    let bytes = |value| Limit::Memory.parse(value);
    let count = |value| Limit::OpenFiles.parse(value);
    match name {
        "memory" => limits.memory_bytes = bytes(value)?,
        "file-size" => limits.file_size_bytes = bytes(value)?,
        "scratch" => limits.scratch_bytes = bytes(value)?,
        "open-files" => limits.open_files = count(value)?,
        "processes" => limits.processes = count(value)?,
        "cpu-time" => limits.cpu_seconds = Limit::CpuTime.parse(value)?.div_ceil(1_000),
        "connections" => network.connections = count(value)?,
        "request-bytes" => network.request_bytes = bytes(value)?,
        "response-bytes" => network.response_bytes = bytes(value)?,
        _ => {
            return Err(CliError::Usage(format!(
                "there is no limit `{name}` for a native program; the limits are memory, cpu-time, \
                 open-files, processes, file-size, scratch, connections, request-bytes, response-bytes"
            )));
        }
    }
    Ok(())
}

/// Returns the digests given with `--approve`.
pub(super) fn digests(args: &Exec) -> Vec<Digest> {
    args.approve.iter().filter_map(|text| digest(text)).collect()
}

fn digest(text: &str) -> Option<Digest> {
    text.starts_with("sha256:").then(|| text.parse().ok())?
}

/// Returns this command line with more flags behind the word `after`, as a shell reads it.
pub(in crate::commands) fn again(after: &str, flags: &[&str]) -> String {
    let mut words = vec!["ringfence".to_owned()];
    let mut added = false;
    for word in std::env::args_os().skip(1) {
        words.push(super::word(&word));
        if !added && word == after {
            words.extend(flags.iter().map(|&flag| flag.to_owned()));
            added = true;
        }
    }
    words.join(" ")
}

/// Returns the terminal this process was started at.
pub(crate) fn tty() -> Option<Tty> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    Tty::new(file).ok()
}
