//! The arguments of `ringfence agents`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{ApproverKind, Grants};

pub(super) const AGENTS_EXAMPLES: &str = "\
Examples:
  ringfence agents run plugins/agents/summarizer \"summarise README.md\"
  ringfence agents run plugins/agents/triage \"summarise README.md; review host/cli/src\" \\
    --with plugins/agents/summarizer --with plugins/agents/code-reviewer
  ringfence agents run examples/agents/docs.toml       a plan: several tasks and how they are merged
  ringfence agents run plan.toml --resume RUN.jsonl    what an earlier run finished is not done again
  ringfence --json agents run plan.toml                one event a line, the result in the last";

/// Run agents, each with exactly its grants, within one budget
#[derive(Debug, ClapArgs)]
pub(crate) struct Agents {
    #[command(subcommand)]
    pub(crate) command: AgentsCommand,
}

/// What to do with agents.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum AgentsCommand {
    /// Run an agent on a task, or a plan of several
    #[command(after_help = AGENTS_EXAMPLES)]
    Run(AgentsRun),
}

/// Run an agent on a task, or a plan of several
#[derive(Debug, ClapArgs)]
pub(crate) struct AgentsRun {
    /// The agent, or a plan (a file that ends in .toml)
    pub(crate) target: PathBuf,
    /// What the agent is to do
    pub(crate) task: Option<String>,
    /// What belongs to the task: JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Another agent of the run, which the first may start if it was granted to
    #[arg(long = "with", value_name = "PLUGIN")]
    pub(crate) with: Vec<PathBuf>,
    /// A plugin whose functions are tools for agents that were granted it
    #[arg(long = "tool", value_name = "PLUGIN")]
    pub(crate) tools: Vec<PathBuf>,
    /// Agents that run at once; more wait
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) at_once: u32,
    /// Seconds that agents have to end in once the run is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(crate) grace: u32,
    /// Transcript of an earlier run of the same plan
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
    /// Who is asked about each native program
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
    #[command(flatten)]
    pub(crate) grants: Grants,
}
