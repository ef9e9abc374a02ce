//! Finds the plugins that are steps, and prepares each with what it alone is granted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfence::research::StepKind;
use ringfence::{Host, Plugin, Profile, ResearchSteps, RunOptions};
use ringfence_capability::{Capability, Grant, Limit, Origin, PathScope, Request};
use serde::Deserialize;

use crate::args::{Global, ResearchHow, StepArgs};
use crate::error::CliError;
use crate::{named, places};

/// The folder beside the program, and below its `share`, that the steps are in.
const BESIDE: [&str; 2] = ["steps", "../share/ringfence/steps"];

/// The largest pipeline file.
const PIPELINE_BYTES: u64 = 64 * 1024;
/// The providers that come with the program.
const PROVIDERS: [&str; 4] = ["local", "wikipedia", "searxng", "brave"];

/// What a step gets at most: a large corpus is read and judged as a whole.
const LIMITS: [(Limit, u64); 7] = [
    (Limit::WallTime, 10 * 60 * 1000),
    (Limit::CpuTime, 10 * 60 * 1000),
    (Limit::Memory, 2 << 30),
    (Limit::Output, 256 << 20),
    (Limit::HostCallBytes, 512 << 20),
    (Limit::Connections, 4096),
    (Limit::ResponseBytes, 512 << 20),
];

/// Returns every step, of which the provider alone is granted the directory, and what the flags say.
pub(super) fn all(how: &ResearchHow, global: &Global) -> Result<ResearchSteps, CliError> {
    let host = places::host(global)?.build()?;
    let mut steps = ResearchSteps::new();
    for step in StepKind::ALL {
        if step == StepKind::Provider {
            let plugin = provider(&host, how, global)?;
            let prepared = host.prepare(&plugin, searching(how, global)?)?;
            steps.set(step, &plugin, prepared);
        } else {
            add(&mut steps, &host, step, nothing(), &how.steps, global)?;
        }
    }
    Ok(steps)
}

/// Returns one step, which is granted nothing.
pub(super) fn one(
    step: StepKind,
    args: &StepArgs,
    global: &Global,
) -> Result<ResearchSteps, CliError> {
    let host = places::host(global)?.build()?;
    let mut steps = ResearchSteps::new();
    add(&mut steps, &host, step, nothing(), args, global)?;
    Ok(steps)
}

fn add(
    steps: &mut ResearchSteps,
    host: &Host,
    step: StepKind,
    options: RunOptions,
    args: &StepArgs,
    global: &Global,
) -> Result<(), CliError> {
    let plugin = find(host, step, args, global)?;
    let prepared = host.prepare(&plugin, options)?;
    steps.set(step, &plugin, prepared);
    Ok(())
}

fn nothing() -> RunOptions {
    RunOptions { profile: Profile::Offline, limits: LIMITS.to_vec(), ..RunOptions::default() }
}

/// Returns what the provider is granted: the directory of `--from`, for reading, and what the flags say.
fn searching(how: &ResearchHow, global: &Global) -> Result<RunOptions, CliError> {
    let mut options = crate::flags::options(&how.grants, global)?;
    let given = std::mem::take(&mut options.limits);
    options.limits = LIMITS.into_iter().chain(given).collect();
    let Some(from) = &how.from else {
        if how.provider.is_none() {
            let text = "where to search is needed: `--from DIR`, or `--provider PLUGIN`";
            return Err(CliError::Usage(text.to_owned()));
        }
        return Ok(options);
    };
    let flag = format!("--from {}", from.display());
    let capability = Capability::FsRead(scope(from, global, &flag)?);
    let by = Origin::Flag(flag);
    options.profile = options.profile.max(Profile::ReadOnly);
    options.requests.push(Request::required(capability.clone(), "the documents", by.clone()));
    options.approved.push(Grant::new(capability, by));
    Ok(options)
}

/// Returns what the grants of the provider stand for: the workspace they begin at, and the values that are
/// supplied for their names.
pub(super) fn setting(how: &ResearchHow, global: &Global) -> Result<String, CliError> {
    let values = searching(how, global)?.values_digest();
    let workspace = &global.workspace;
    let real = std::fs::canonicalize(workspace).unwrap_or_else(|_| workspace.clone());
    Ok(format!("{values} {}", real.display()))
}

/// Finds the provider: what `--provider` names among the steps, else as a path or an installed plugin.
fn provider(host: &Host, how: &ResearchHow, global: &Global) -> Result<Plugin, CliError> {
    let Some(named) = &how.provider else {
        return find(host, StepKind::Provider, &how.steps, global);
    };
    let folder = named.to_str().filter(|name| PROVIDERS.contains(name));
    let dirs = |folder| {
        let given = how.steps.steps.as_ref().map(|dir| dir.join(folder));
        given.or_else(|| beside(folder))
    };
    match folder.and_then(dirs) {
        Some(dir) => Ok(host.open(dir)?),
        None => named::open(host, named, global),
    }
}

fn scope(from: &Path, global: &Global, flag: &str) -> Result<PathScope, CliError> {
    let real = |path: &Path, what| {
        let fail = |source| CliError::File { what, path: path.display().to_string(), source };
        std::fs::canonicalize(path).map_err(fail)
    };
    let (path, workspace) = (real(from, "directory")?, real(&global.workspace, "workspace")?);
    if !path.is_dir() {
        return Err(CliError::Usage(format!("`{flag}` is no directory")));
    }
    crate::flags::scope(&path, &workspace, "/corpus")?
        .ok_or_else(|| CliError::Usage(format!("`{flag}` has a name that is not UTF-8")))
}

/// A pipeline file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pipeline {
    steps: BTreeMap<String, PathBuf>,
}

/// Returns what the pipeline file names for a step. A path is one from where the file lies.
fn in_pipeline(step: StepKind, args: &StepArgs) -> Result<Option<PathBuf>, CliError> {
    let Some(path) = &args.pipeline else { return Ok(None) };
    let bytes = places::read(path, "pipeline", PIPELINE_BYTES)?;
    let wrong = |why: String| CliError::Usage(format!("the pipeline `{}`: {why}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    let pipeline: Pipeline = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    for name in pipeline.steps.keys() {
        name.parse::<StepKind>().map_err(wrong)?;
    }
    let plugin = pipeline.steps.get(step.name());
    let dir = path.parent().unwrap_or(Path::new("."));
    let is_path = |plugin: &Path| plugin.is_absolute() || plugin.components().count() > 1;
    Ok(plugin.map(|plugin| if is_path(plugin) { dir.join(plugin) } else { plugin.clone() }))
}

/// Finds the plugin of a step: what `--step` names, what the pipeline file names, a folder of `--steps`, a folder beside the program,
/// or what is installed as `research-STEP`, in this order. Nothing is ever taken from the directory
/// the command runs in.
fn find(host: &Host, step: StepKind, args: &StepArgs, global: &Global) -> Result<Plugin, CliError> {
    for text in &args.step {
        let (name, plugin) = text.split_once('=').ok_or_else(|| {
            CliError::Usage(format!("`--step {text}` is not STEP=PLUGIN, such as `rank=./my-rank`"))
        })?;
        if name.parse::<StepKind>().map_err(CliError::Usage)? == step {
            return named::open(host, Path::new(plugin), global);
        }
    }
    if let Some(plugin) = in_pipeline(step, args)? {
        return named::open(host, &plugin, global);
    }
    let folder = folder(step);
    if let Some(dir) = &args.steps {
        return Ok(host.open(dir.join(folder))?);
    }
    if let Some(path) = beside(folder) {
        return Ok(host.open(path)?);
    }
    named::open(host, &PathBuf::from(format!("research-{folder}")), global).map_err(|error| {
        match error {
            CliError::Room(room) if room.code() == "bundle::not-found" => not_found(step),
            other => other,
        }
    })
}

fn not_found(step: StepKind) -> CliError {
    let folder = folder(step);
    CliError::Usage(format!(
        "there is no plugin for the step `{step}`: name the directory that has `{folder}` with `--steps DIR`, or install one as `research-{folder}`"
    ))
}

/// Returns the name of a step's first-party plugin.
fn folder(step: StepKind) -> &'static str {
    match step {
        StepKind::Provider => "local",
        other => other.name(),
    }
}

fn beside(folder: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let dir = program.parent()?;
    BESIDE.iter().map(|place| dir.join(place).join(folder)).find(|path| path.is_dir())
}
