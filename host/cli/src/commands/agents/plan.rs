//! What is to be run: a task for one agent, or a plan from a file.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence::supervisor::{AggregationConfig, Budget, OnFailure, Strategy};
use ringfence::{CrewPlan, CrewTask};
use serde::Deserialize;
use serde_json::Value;

use crate::args::AgentsRun;
use crate::error::CliError;
use crate::places;

/// The largest plan that is read.
const PLAN_BYTES: u64 = 4 * 1024 * 1024;

/// What is run, and with which plugins.
pub(super) struct Work {
    pub(super) plan: CrewPlan,
    pub(super) agents: Vec<PathBuf>,
    pub(super) tools: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    agents: Vec<PathBuf>,
    #[serde(default)]
    tools: Vec<PathBuf>,
    #[serde(default)]
    budget: Budget,
    #[serde(default)]
    merge: Merge,
    task: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Task {
    label: Option<String>,
    agent: String,
    goal: String,
    #[serde(default)]
    input: Value,
    budget: Option<Budget>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Merge {
    strategy: Option<String>,
    pointer: Option<String>,
    quorum: Option<u32>,
    reducer: Option<String>,
    timeout_seconds: Option<u64>,
    min_success_ratio: f64,
    score_threshold: Option<f64>,
    on_failure: Option<String>,
}

/// Returns what the arguments ask for; `name` tells the name of the agent at a path.
pub(super) fn of(
    args: &AgentsRun,
    name: impl Fn(&Path) -> Result<String, CliError>,
) -> Result<Work, CliError> {
    let usage = |text: String| Err(CliError::Usage(text));
    if args.target.extension().is_some_and(|ending| ending == "toml") {
        if args.task.is_some() || args.input.is_some() {
            return usage(
                "a plan has its tasks in it: leave the task and `--input` out".to_owned(),
            );
        }
        let mut work = read(&args.target)?;
        work.agents.extend(args.with.iter().cloned());
        work.tools.extend(args.tools.iter().cloned());
        return Ok(work);
    }
    let Some(goal) = args.task.clone() else {
        return usage(format!(
            "what is `{0}` to do? `ringfence agents run {0} \"TASK\"`",
            args.target.display()
        ));
    };
    let input = match &args.input {
        None => Value::Null,
        Some(text) => crate::json::read(text.as_bytes())
            .map_err(|error| CliError::Usage(format!("--input is not JSON: {error}")))?,
    };
    let agent = name(&args.target)?;
    let budget = Budget::default();
    let task = CrewTask { label: agent.clone(), agent, goal, input, budget };
    let config = AggregationConfig { timeout: budget.wall(), ..AggregationConfig::default() };
    let strategy = Strategy::FirstSuccess;
    Ok(Work {
        plan: CrewPlan {
            tasks: vec![task],
            config: AggregationConfig { strategy, ..config },
            on_failure: OnFailure::Tolerate,
            budget: Budget { depth: budget.depth + 1, children: budget.children + 1, ..budget },
            done: BTreeMap::new(),
        },
        agents: std::iter::once(args.target.clone()).chain(args.with.iter().cloned()).collect(),
        tools: args.tools.clone(),
    })
}

fn read(path: &Path) -> Result<Work, CliError> {
    let fail = |why: &str| CliError::Usage(format!("the plan `{}`: {why}", path.display()));
    let text = places::read(path, "plan", PLAN_BYTES)?;
    let text = String::from_utf8(text).map_err(|_| fail("it is not UTF-8 text"))?;
    let document: Document = toml::from_str(&text).map_err(|error| fail(&error.to_string()))?;
    // Plugins are named from where the plan lies, or by the name they are installed under.
    let dir = path.parent().unwrap_or(Path::new(""));
    let place = |plugin: PathBuf| {
        if plugin.components().count() > 1 { dir.join(plugin) } else { plugin }
    };
    let budget = document.budget;
    let mut labels = HashSet::new();
    let mut tasks = Vec::new();
    for (number, task) in document.task.into_iter().enumerate() {
        let label = task.label.unwrap_or_else(|| format!("{}-{}", task.agent, number + 1));
        if !labels.insert(label.clone()) {
            return Err(fail(&format!("two tasks are called `{label}`")));
        }
        let (agent, goal, input) = (task.agent, task.goal, task.input);
        tasks.push(CrewTask { label, agent, goal, input, budget: task.budget.unwrap_or(budget) });
    }
    let (config, on_failure) = merging(document.merge, &budget).map_err(|why| fail(&why))?;
    Ok(Work {
        plan: CrewPlan { tasks, config, on_failure, budget, done: BTreeMap::new() },
        agents: document.agents.into_iter().map(place).collect(),
        tools: document.tools.into_iter().map(place).collect(),
    })
}

fn merging(merge: Merge, budget: &Budget) -> Result<(AggregationConfig, OnFailure), String> {
    let used = [merge.pointer.is_some(), merge.quorum.is_some(), merge.reducer.is_some()];
    let name = merge.strategy.as_deref().unwrap_or("concatenate");
    let (strategy, takes) = match name {
        "concatenate" => (Strategy::Concatenate, [false; 3]),
        "first-success" => (Strategy::FirstSuccess, [false; 3]),
        "highest-score" => (Strategy::HighestScore, [false; 3]),
        "all" => (Strategy::All, [false; 3]),
        "majority" => (Strategy::Majority(merge.pointer.unwrap_or_default()), [true, false, false]),
        "quorum" => {
            let wanted = merge.quorum.ok_or("the strategy `quorum` needs `quorum = NUMBER`")?;
            (Strategy::Quorum(wanted), [false, true, false])
        }
        "reduce" => {
            let agent = merge.reducer.ok_or("the strategy `reduce` needs `reducer = \"AGENT\"`")?;
            (Strategy::Reduce(agent), [false, false, true])
        }
        other => {
            return Err(format!(
                "there is no strategy `{other}`; it is one of concatenate, first-success, \
                 highest-score, majority, quorum, all, reduce"
            ));
        }
    };
    let names = ["pointer", "quorum", "reducer"];
    for ((used, takes), key) in used.into_iter().zip(takes).zip(names) {
        if used && !takes {
            return Err(format!("`{key}` means nothing for the strategy `{name}`"));
        }
    }
    let on_failure = match merge.on_failure.as_deref() {
        None | Some("tolerate") => OnFailure::Tolerate,
        Some("cancel-siblings") => OnFailure::CancelSiblings,
        Some(other) => {
            return Err(format!("`on-failure` is `tolerate` or `cancel-siblings`, not `{other}`"));
        }
    };
    let config = AggregationConfig {
        strategy,
        timeout: merge.timeout_seconds.map_or(budget.wall(), Duration::from_secs),
        min_success_ratio: merge.min_success_ratio,
        score_threshold: merge.score_threshold,
    };
    Ok((config, on_failure))
}
