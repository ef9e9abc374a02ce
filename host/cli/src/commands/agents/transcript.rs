//! The transcript of a run: one JSON object a line, written as things happen, so that a run that was
//! stopped can be gone on with.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ringfence::supervisor::Outcome;
use ringfence::{CrewTask, Plugin};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::Global;
use crate::error::CliError;
use crate::places;

/// The largest transcript that is read.
const TRANSCRIPT_BYTES: u64 = 256 * 1024 * 1024;

/// Where a run writes down what happens.
pub(super) struct Transcript {
    path: PathBuf,
    file: File,
    tasks: Vec<CrewTask>,
}

/// The plugins of a run, by name: what a run that goes on with it has to find again.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cast {
    pub(super) agents: BTreeMap<String, String>,
    pub(super) tools: BTreeMap<String, String>,
}

impl Cast {
    /// Returns these plugins with their digests.
    pub(super) fn new(agents: &[Plugin], tools: &[Plugin]) -> Self {
        let by_name = |plugins: &[Plugin]| {
            let digest = |one: &Plugin| (one.manifest.name.clone(), one.identity.to_string());
            plugins.iter().map(digest).collect()
        };
        Self { agents: by_name(agents), tools: by_name(tools) }
    }

    /// Returns the name of a plugin that is there in both and is not the same, with both digests.
    fn changed<'a>(&'a self, now: &'a Self) -> Option<(&'a str, &'a str, &'a str)> {
        let pairs = [(&self.agents, &now.agents), (&self.tools, &now.tools)];
        pairs.into_iter().find_map(|(then, now)| {
            let differs = |(name, digest): (&'a String, &'a String)| {
                let other = now.get(name).filter(|other| *other != digest)?;
                Some((name.as_str(), digest.as_str(), other.as_str()))
            };
            then.iter().find_map(differs)
        })
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Begun {
    run: Cast,
}

/// A line that says what came of a task.
#[derive(Deserialize)]
struct Finished {
    task: Named,
    outcome: Outcome,
}

#[derive(Deserialize, PartialEq)]
struct Named {
    label: String,
    agent: String,
    goal: String,
    input: Value,
}

impl Transcript {
    /// Starts a transcript of its own in the state directory, which only this user can read.
    pub(super) fn start(global: &Global, tasks: &[CrewTask], cast: Cast) -> Result<Self, CliError> {
        let state = places::state(global)?;
        crate::files::private_dir(&state, "state directory")?;
        let dir = state.join("runs");
        crate::files::private_dir(&dir, "directory of transcripts")?;
        let mut name = [0; 8];
        let fail = |source: std::io::Error| CliError::Write {
            what: "transcript",
            path: dir.display().to_string(),
            source,
        };
        getrandom::fill(&mut name).map_err(|error| fail(std::io::Error::other(error)))?;
        let path = dir.join(format!("{:016x}.jsonl", u64::from_be_bytes(name)));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(fail)?;
        let mut transcript = Self { path, file, tasks: tasks.to_vec() };
        transcript.write(&json!(Begun { run: cast })).map_err(fail)?;
        Ok(transcript)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one line.
    pub(super) fn write(&mut self, line: &Value) -> std::io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
    }

    /// Writes down what came of a task.
    pub(super) fn finished(&mut self, label: &str, outcome: &Outcome) -> std::io::Result<()> {
        let Some(task) = self.tasks.iter().find(|task| task.label == label) else { return Ok(()) };
        let line = json!({
            "task": {
                "label": task.label, "agent": task.agent, "goal": task.goal, "input": task.input,
            },
            "outcome": outcome,
        });
        self.write(&line)?;
        self.file.sync_data()
    }
}

/// Returns the outcomes in a transcript that are those of `tasks` as they are now. A last line that was
/// cut off when the run was stopped is left out. What another plugin of the same name made of a task is
/// never taken for what this one would.
pub(super) fn outcomes(
    path: &Path,
    tasks: &[CrewTask],
    cast: &Cast,
) -> Result<BTreeMap<String, Outcome>, CliError> {
    let text = places::read(path, "transcript", TRANSCRIPT_BYTES)?;
    let text = String::from_utf8_lossy(&text);
    let shown = path.display();
    let begun = text.lines().next().and_then(|line| serde_json::from_str::<Begun>(line).ok());
    let Some(Begun { run: then }) = begun else {
        return Err(CliError::Usage(format!(
            "`{shown}` is no transcript of a run: its first line does not say which plugins took part"
        )));
    };
    if let Some((name, was, is)) = then.changed(cast) {
        return Err(CliError::Usage(format!(
            "`{name}` is not what it was in the run of `{shown}`: it was {was} and is {is}; leave \
             `--resume` out to do every task again, or name the plugin as it was"
        )));
    }
    let mut found = BTreeMap::new();
    for finished in text.lines().filter_map(|line| serde_json::from_str::<Finished>(line).ok()) {
        let Named { label, agent, goal, input } = &finished.task;
        let same = |task: &&CrewTask| {
            task.label == *label
                && task.agent == *agent
                && task.goal == *goal
                && task.input == *input
        };
        if tasks.iter().any(|task| same(&task)) {
            found.insert(label.clone(), finished.outcome);
        }
    }
    Ok(found)
}
