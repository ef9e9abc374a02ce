//! The arguments of `ringfence research`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use ringfence::research::{Options, Strategy};

pub(super) const RESEARCH_EXAMPLES: &str = "\
Examples:
  ringfence research \"What limits the height of a dam?\" --from examples/research/corpus
  ringfence research \"How is the water measured that seeps through a dam?\" --from notes --json --out report.json
  ringfence research \"dams\" --from notes --strategy focused --breadth 4 --budget 20
  ringfence research check report.json                 whether every sentence cites what carries it

Each step is a plugin with its own grants; only the provider sees the directory. The steps are looked for in
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
}

/// Check that every sentence of a report cites a place that carries it
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchCheck {
    /// A report that was made with `--json`
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
}

/// Answer a question from documents, every sentence cited
#[derive(Debug, ClapArgs)]
pub(crate) struct ResearchRun {
    /// The question
    #[arg(required = true)]
    pub(crate) question: Option<String>,
    /// Directory with the documents: text, Markdown, HTML, JSON Lines
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) from: Option<PathBuf>,
    /// Write the report to this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
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
    #[command(flatten)]
    pub(crate) steps: StepArgs,
}

/// Where the steps are.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct StepArgs {
    /// Directory with a plugin for each step
    #[arg(long, value_name = "DIR", env = "RINGFENCE_STEPS", help_heading = "Steps")]
    pub(crate) steps: Option<PathBuf>,
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
