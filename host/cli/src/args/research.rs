//! The arguments of `ringfence research`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use ringfence::research::{Options, Strategy};

use super::Grants;

pub(super) const RESEARCH_EXAMPLES: &str = "\
Examples:
  ringfence research \"What limits the height of a dam?\" --from examples/research/corpus
  ringfence research \"How is the water measured that seeps through a dam?\" --from notes --json --out report.json
  ringfence research \"dams\" --from notes --strategy focused --breadth 4 --budget 20
  ringfence research \"tidal power\" --provider wikipedia -p net-read-only --trust-digest sha256:…
  ringfence research \"tidal power\" --provider mcp:notes/search
  ringfence research check report.json                 whether every sentence cites what carries it
  ringfence research evaluate examples/research/questions.jsonl --from examples/research/corpus
  ringfence research cache stats

Each step is a plugin with its own grants; only the provider sees the directory or the network, and the flags under
Capabilities are for it alone. `--grant` is for the others. The steps are looked for in
`--steps`, then beside the program, then among what is installed (docs/guides/research.md).";

/// Answer a question from documents, every sentence cited
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Research {
    #[command(subcommand)]
    pub(crate) command: Option<ResearchCommand>,
    #[command(flatten)]
    pub(crate) run: ResearchRun,
}

/// What else there is to do with reports.
#[derive(Debug, Subcommand)]
pub(crate) enum ResearchCommand {
    /// Check that every sentence of a report cites a place that carries it
    Check(ResearchCheck),
    /// Answer questions whose sources are known, and say how good the answers are
    Evaluate(Box<ResearchEvaluate>),
    /// Find near-duplicates in texts whose copies are known, and say how many were found
    EvaluateDuplicates(ResearchDuplicates),
    /// Show or clear what is kept for the next run
    Cache(ResearchCache),
}

/// Check that every sentence of a report cites a place that carries it
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchCheck {
    /// A report that was made with `--json`
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
}

/// Answer questions whose sources are known, and say how good the answers are
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchEvaluate {
    /// JSON Lines: `{"question": …, "expected": [URL, …]}`
    pub(crate) questions: PathBuf,
    #[command(flatten)]
    pub(crate) how: ResearchHow,
}

/// Find near-duplicates in texts whose copies are known, and say how many were found
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchDuplicates {
    /// JSON Lines: `{"id": …, "group": …, "text": …}`; texts of one group are copies of each other
    pub(crate) texts: PathBuf,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
}

/// Show or clear what is kept for the next run
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchCache {
    #[command(subcommand)]
    pub(crate) command: ResearchCacheCommand,
}

/// What to do with what is kept.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ResearchCacheCommand {
    /// Show how much is kept: pages, searches, answers of steps, indexes
    Stats,
    /// Remove all of it
    Clear,
}

/// Answer a question from documents, every sentence cited
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchRun {
    /// The question
    #[arg(required = true)]
    pub(crate) question: Option<String>,
    /// Write the report to this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: ResearchHow,
}

/// Where and how to search.
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchHow {
    /// Directory with the documents: text, Markdown, HTML, JSON Lines
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// Who searches: `local`, `wikipedia`, `searxng`, `brave`, `mcp:SERVER/TOOL` for a tool of an outside
    /// server you added, a path, or the name of an installed plugin
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) provider: Option<PathBuf>,
    /// How widely to search
    #[arg(long, value_enum, default_value_t = StrategyArg::Comprehensive)]
    pub(crate) strategy: StrategyArg,
    /// How far down each list of hits is read: 8, 16, 32 …
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=6))]
    pub(crate) depth: u32,
    /// Most searches
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub(crate) breadth: u32,
    /// Most documents that are read
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) budget: u32,
    /// Most sentences of the report
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) sentences: u32,
    /// A list of ratings of domains: CRED-1, PC1, or `domain,score[,source,as_of]`; with its date as
    /// `FILE=YYYY-MM-DD`
    #[arg(long, value_name = "FILE[=DATE]")]
    pub(crate) trust_list: Vec<String>,
    /// Take up a run that was interrupted within a day: what it found and read is used
    #[arg(long)]
    pub(crate) resume: bool,
    /// How old a page of the network may be before it is asked for again, in hours
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(crate) max_age: u32,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
    /// Grant something to a step other than the provider, as `--approve` writes it, such as
    /// `synthesise=model:small`; the profile and the digests you vouch for hold for it too
    #[arg(long, value_name = "STEP=CAPABILITY", help_heading = "Steps")]
    pub(crate) grant: Vec<String>,
    #[command(flatten)]
    pub(crate) grants: Grants,
}

/// Where the steps are.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct StepArgs {
    /// Directory with a plugin for each step
    #[arg(long, value_name = "DIR", env = "RINGFENCE_STEPS", help_heading = "Steps")]
    pub(crate) steps: Option<PathBuf>,
    /// A TOML file that names plugins of steps: `[steps]`, then lines such as `rank = "./my-rank"`
    #[arg(long, value_name = "FILE", help_heading = "Steps")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Use this plugin for a step, such as `rank=./my-rank`
    #[arg(long, value_name = "STEP=PLUGIN", help_heading = "Steps")]
    pub(crate) step: Vec<String>,
}

/// How widely to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// Also for evidence, limits, objections.
    Comprehensive,
    /// For the question and its parts.
    Focused,
    /// Also for what lies beside the question.
    Exploratory,
}

impl From<StrategyArg> for Strategy {
    fn from(arg: StrategyArg) -> Self {
        match arg {
            StrategyArg::Comprehensive => Self::Comprehensive,
            StrategyArg::Focused => Self::Focused,
            StrategyArg::Exploratory => Self::Exploratory,
        }
    }
}

// The ranges above are those of the room.
const _: () = assert!(Options::MAX_DEPTH == 6 && Options::MAX_BREADTH == 32);
const _: () = assert!(Options::MAX_BUDGET == 1000);
