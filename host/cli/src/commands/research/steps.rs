//! Finds the plugins that are steps, and prepares each with what it alone is granted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfence::research::StepKind;
use ringfence::{Host, Plugin, Preparing, ResearchSteps};
use serde::Deserialize;

use super::grants::{Granted, nothing, outside};
use crate::args::{Global, ResearchHow, StepArgs};
use crate::error::CliError;
use crate::places;

/// The folder beside the program, and below its `share`, that the steps are in.
const BESIDE: [&str; 2] = ["steps", "../share/ringfence/steps"];

/// The folder of the plugin that reads PDF files.
const PDF: &str = "extract-pdf";

/// The largest pipeline file.
const PIPELINE_BYTES: u64 = 64 * 1024;
/// The providers that come with the program.
const PROVIDERS: [&str; 4] = ["local", "wikipedia", "searxng", "brave"];

/// Returns every step, each with what it alone is granted, and the host they run on.
pub(super) fn all(how: &ResearchHow, global: &Global) -> Result<(ResearchSteps, Host), CliError> {
    let host = places::host(global)?.build()?;
    let granted = Granted::new(how, global)?;
    let mut steps = ResearchSteps::new();
    for step in StepKind::ALL {
        let (plugin, options) = if step == StepKind::Provider {
            let plugin = provider(&host, how, global)?;
            let options = granted.of_provider(&plugin)?;
            (plugin, options)
        } else {
            let plugin = find(&host, step, &how.steps, global)?;
            let options = granted.of_step(step, &plugin)?;
            (plugin, options)
        };
        let prepared = host.prepare(&plugin, options)?;
        steps.set(step, &plugin, prepared);
    }
    granted.all_met()?;
    if named(StepKind::Extract, &how.steps)?.is_none() {
        steps.set_reader("application/pdf", pdf_reader(host.clone(), &how.steps, global));
    }
    Ok((steps, host))
}

/// Returns what finds and prepares the plugin for PDF files. Whoever names another extract step has that one read
/// them.
fn pdf_reader(host: Host, args: &StepArgs, global: &Global) -> Preparing {
    let (dir, global) = (args.steps.clone(), global.clone());
    Box::new(move || {
        let found = || -> Result<_, CliError> {
            let place = dir.as_ref().map(|dir| dir.join(PDF)).or_else(|| beside(PDF));
            let plugin = match place {
                Some(place) => host.open(place)?,
                None => crate::named::open(&host, Path::new("research-extract-pdf"), &global)?,
            };
            let prepared = host.prepare(&plugin, nothing(StepKind::Extract))?;
            Ok((plugin, prepared))
        };
        found().map_err(|error| format!("what reads PDF files cannot be run: {error}"))
    })
}

/// Returns one step, which is granted nothing.
pub(super) fn one(
    step: StepKind,
    args: &StepArgs,
    global: &Global,
) -> Result<ResearchSteps, CliError> {
    let host = places::host(global)?.build()?;
    let mut steps = ResearchSteps::new();
    let plugin = find(&host, step, args, global)?;
    let prepared = host.prepare(&plugin, nothing(step))?;
    steps.set(step, &plugin, prepared);
    Ok(steps)
}

/// Finds the provider: what `--provider` names among the steps, else as a path or an installed plugin; without
/// it, as any other step is found.
fn provider(host: &Host, how: &ResearchHow, global: &Global) -> Result<Plugin, CliError> {
    let other = named(StepKind::Provider, &how.steps)?;
    let Some(provider) = &how.provider else {
        if how.from.is_none() && other.is_none() {
            let text = "where to search is needed: `--from DIR`, or `--provider PLUGIN`";
            return Err(CliError::Usage(text.to_owned()));
        }
        return find(host, StepKind::Provider, &how.steps, global);
    };
    if let Some(other) = other {
        let (provider, other) = (provider.display(), other.display());
        return Err(CliError::Usage(format!(
            "who searches is said twice: `--provider {provider}`, and `{other}` for the step `provider`; leave one out"
        )));
    }
    let folder = match outside(how)? {
        Some(_) => Some("mcp"),
        None => provider.to_str().filter(|name| PROVIDERS.contains(name)),
    };
    let dirs = |folder| {
        let given = how.steps.steps.as_ref().map(|dir| dir.join(folder));
        given.or_else(|| beside(folder))
    };
    match (folder.and_then(dirs), folder) {
        (Some(dir), _) => Ok(host.open(dir)?),
        (None, Some("mcp")) => crate::named::open(host, Path::new("research-mcp"), global),
        (None, _) => crate::named::open(host, provider, global),
    }
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

/// Returns what `--step` names for a step, else what the pipeline file does.
fn named(step: StepKind, args: &StepArgs) -> Result<Option<PathBuf>, CliError> {
    let mut named = None;
    for text in &args.step {
        let (name, plugin) = text.split_once('=').ok_or_else(|| {
            CliError::Usage(format!("`--step {text}` is not STEP=PLUGIN, such as `rank=./my-rank`"))
        })?;
        if name.parse::<StepKind>().map_err(CliError::Usage)? == step
            && named.replace(PathBuf::from(plugin)).is_some()
        {
            return Err(CliError::Usage(format!(
                "`--step {step}=…` is given twice; leave one out"
            )));
        }
    }
    let in_file = in_pipeline(step, args)?;
    Ok(named.or(in_file))
}

/// Finds the plugin of a step: what `--step` names, what the pipeline file names, a folder of `--steps`, a folder beside the program,
/// or what is installed as `research-STEP`, in this order. Nothing is ever taken from the directory
/// the command runs in.
fn find(host: &Host, step: StepKind, args: &StepArgs, global: &Global) -> Result<Plugin, CliError> {
    if let Some(plugin) = named(step, args)? {
        return crate::named::open(host, &plugin, global);
    }
    let folder = folder(step);
    if let Some(dir) = &args.steps {
        return Ok(host.open(dir.join(folder))?);
    }
    if let Some(path) = beside(folder) {
        return Ok(host.open(path)?);
    }
    crate::named::open(host, &PathBuf::from(format!("research-{folder}")), global).map_err(
        |error| match error {
            CliError::Room(room) if room.code() == "bundle::not-found" => not_found(step),
            other => other,
        },
    )
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
