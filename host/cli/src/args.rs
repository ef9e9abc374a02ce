//! The arguments, with the help a person reads.

mod agents;
mod bundle;
mod exec;
mod mcp;
mod models;
#[cfg(feature = "oci")]
mod oci;
mod research;
mod store;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(crate) use agents::{Agents, AgentsCommand, AgentsRun};
pub(crate) use bundle::{
    Keys, KeysCommand, Pack, Protect, Sign, Trust, TrustCommand, TrustLimits, Verify,
};
pub(crate) use exec::{
    Approvals, ApprovalsCommand, ApproverKind, CommitRule, Exec, ExecCommand, MadeArg, Reach,
    WriteRule,
};
pub(crate) use store::{Consent, Diff, Install, List, Lock, Remove, Update};

pub(crate) use models::{ModelsArgs, ModelsCommand};

pub(crate) use mcp::{
    Add, CallTool, Change, ClientKind, Mcp, McpCommand, McpConfig, McpServe, OutsideCommand,
    ServeApprover, Which, Whom,
};
#[cfg(feature = "oci")]
pub(crate) use oci::{Pull, Push, Registry};
pub(crate) use research::{
    Research, ResearchCache, ResearchCacheCommand, ResearchCheck, ResearchCommand,
    ResearchDuplicates, ResearchEvaluate, ResearchHow, ResearchRun, StepArgs,
};

/// Runs WebAssembly plugins you did not write, each with exactly the capabilities you granted.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The arguments of one command alone. Describing every other one takes longer than a short run.
#[derive(Debug, Parser)]
struct One<T: ClapArgs> {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    own: T,
}

impl Args {
    /// Reads the command line.
    ///
    /// # Errors
    /// As clap; help and the version are among them.
    pub(crate) fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        let one = match words.get(1).and_then(|word| word.to_str()) {
            Some("exec") => Self::one(words, Command::Exec),
            Some("run") => Self::one(words, Command::Run),
            _ => None,
        };
        // Where that does not fit, the whole of them say what is wrong.
        one.map_or_else(|| Self::try_parse_from(words), Ok)
    }

    fn one<T: ClapArgs>(words: &[OsString], command: fn(T) -> Command) -> Option<Self> {
        let One { global, own } = One::try_parse_from(words.get(1..)?).ok()?;
        Some(Self { global, command: command(own) })
    }
}

const EXAMPLES: &str = "\
Examples:
  ringfence inspect plugins/tools/text-search           what it is and what it asks for
  ringfence explain plugins/tools/web-fetch -p offline  what it would get, and why not the rest
  ringfence run plugins/tools/text-search --input '{\"pattern\":\"TODO\"}'
  ringfence run tool.wasm --dir ./data::/data:ro -- --verbose /data/in.csv
  ringfence audit verify                                whether the log is whole

Exit codes: 0 done, 1 the plugin failed, 2 usage or bad input, 3 refused, 4 limit reached, 70 internal.";

/// What every command understands.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Global {
    /// Print JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log to standard error, such as `info` or `ringfence_engine=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "RINGFENCE_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Option<String>,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, hide = true)]
    pub(crate) log_format: LogFormat,
    /// Directory that plugins mean by "the workspace"
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(crate) workspace: PathBuf,
    /// Where the audit log and key-value data live [default: the user's state directory]
    #[arg(long, global = true, value_name = "DIR", env = "RINGFENCE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Where installed plugins are kept [default: the user's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "RINGFENCE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where compiled code is kept [default: the user's cache directory]
    #[arg(long, global = true, value_name = "DIR", env = "RINGFENCE_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Compile every time, keep nothing
    #[arg(long, global = true)]
    pub(crate) no_cache: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
// A command is only built when it is used, and then the sentence of its arguments' struct replaces the
// one here, which the list of commands shows: both are the same.
#[command(defer = true)]
pub(crate) enum Command {
    /// Run a plugin: a command with its arguments, or a tool with JSON input
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Call one function of a plugin with JSON
    #[command(after_help = CALL_EXAMPLES)]
    Call(Call),
    /// Serve HTTP with a plugin that exports a wasi:http handler
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Run agents, each with exactly its grants, within one budget
    Agents(Agents),
    /// Show the language models that agents can be granted, and try them
    Models(ModelsArgs),
    /// Offer plugins to clients of the Model Context Protocol, and hold outside servers
    Mcp(Mcp),
    /// Answer a question from documents, every sentence cited
    #[command(after_help = research::RESEARCH_EXAMPLES)]
    Research(Box<Research>),
    /// Show what a plugin is and asks for, without running any of it
    Inspect(Inspect),
    /// Show what a plugin would be granted under a profile, and the rule behind each decision
    Explain(Explain),
    /// Pack a plugin directory into one file (.rfz), signed or not
    #[command(after_help = bundle::PACK_EXAMPLES)]
    Pack(Pack),
    /// Sign a bundle
    #[command(after_help = bundle::SIGN_EXAMPLES)]
    Sign(Sign),
    /// Check who signed a bundle and that every file is the listed one
    #[command(after_help = bundle::VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Make and keep the keys you sign with
    #[command(after_help = bundle::KEYS_EXAMPLES)]
    Keys(Keys),
    /// Say whose signatures count, and how far
    #[command(after_help = bundle::TRUST_EXAMPLES)]
    Trust(Trust),
    /// Show what one plugin asks for that another does not
    #[command(after_help = store::DIFF_EXAMPLES)]
    Diff(Diff),
    /// Install a plugin, so that it has a name
    #[command(after_help = store::INSTALL_EXAMPLES)]
    Install(Install),
    /// List what is installed
    List(List),
    /// Update installed plugins from where they came from
    #[command(after_help = store::UPDATE_EXAMPLES)]
    Update(Update),
    /// Remove installed plugins
    #[command(after_help = store::REMOVE_EXAMPLES)]
    Remove(Remove),
    /// Bind the workspace to exactly the bundles that are installed
    #[command(after_help = store::LOCK_EXAMPLES)]
    Lock(Lock),
    /// Send a bundle to a registry
    #[cfg(feature = "oci")]
    #[command(after_help = oci::PUSH_EXAMPLES)]
    Push(Push),
    /// Fetch a bundle from a registry, and say who signed it
    #[cfg(feature = "oci")]
    #[command(after_help = oci::PULL_EXAMPLES)]
    Pull(Pull),
    /// Run a native program in an OS sandbox, after you approved exactly that
    #[command(after_help = exec::EXEC_EXAMPLES)]
    Exec(Exec),
    /// See, answer and take back what asks for your approval
    #[command(after_help = exec::APPROVALS_EXAMPLES)]
    Approvals(Approvals),
    /// Read and check the log of what was decided and done
    Audit(Audit),
    /// Show the profiles, and check policy files
    Policy(Policy),
    /// Show what works on this machine
    Doctor(Doctor),
    /// Started by `doctor --attack`, inside a sandbox; does nothing anywhere else
    #[command(hide = true)]
    AttackFromInside {
        /// The attack.
        name: String,
    },
    /// Print shell completions
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  ringfence run plugins/tools/text-search --input '{\"pattern\":\"fn main\"}'
  ringfence run plugins/tools/json-query --input @query.json
  echo '{\"pattern\":\"TODO\"}' | ringfence run plugins/tools/text-search --input -
  ringfence run cmd.wasm --dir ./data::/data:ro -- --verbose /data/in.csv
  ringfence run api.wasm --http '*.example.com' --profile net-read-only --trust-digest sha256:…";

const CALL_EXAMPLES: &str = "\
Examples:
  ringfence call calc.wasm add --input '{\"a\":2,\"b\":3}'
  ringfence call counter.wasm --batch -     one call a line in one instance, so that handles live on:
    {\"function\":\"counter.new\",\"input\":{\"start\":1}}
    {\"function\":\"counter.increment\",\"input\":{\"self\":{\"resource\":\"counter\",\"handle\":1}}}";

const SERVE_EXAMPLES: &str = "\
Examples:
  ringfence serve site.wasm                            on a free port of 127.0.0.1, printed as a URL
  ringfence serve site.wasm --addr 127.0.0.1:8080 --concurrency 16
  ringfence serve tools --approver socket              `ringfence approvals watch` elsewhere answers";

/// What a run is granted, and by whom.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Grants {
    /// The most the plugin can get: offline, read-only, net-read-only, workspace-write, trusted
    #[arg(short, long, default_value = "offline", value_name = "PROFILE", help_heading = "Policy")]
    pub(crate) profile: String,
    /// Say yes to something the policy asks about, such as `env:HOME`
    #[arg(long, value_name = "CAPABILITY", help_heading = "Policy")]
    pub(crate) approve: Vec<String>,
    /// Refuse something whatever the policy says, such as `http.read:*.example.com`
    #[arg(long, value_name = "CAPABILITY", help_heading = "Policy")]
    pub(crate) deny: Vec<String>,
    /// A further policy file; it can only take away
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(crate) policy: Vec<PathBuf>,
    /// Vouch for exactly this plugin, which lifts the cap for unsigned ones to the profile
    #[arg(long, value_name = "DIGEST", help_heading = "Policy")]
    pub(crate) trust_digest: Vec<String>,
    /// Set a limit, such as `memory=512MiB` or `wall-time=2m`
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Policy")]
    pub(crate) limit: Vec<String>,
    /// Let a host that was granted resolve to this range outside the public internet
    #[arg(long, value_name = "CIDR", help_heading = "Policy")]
    pub(crate) allow_address: Vec<String>,
    /// Map a directory for the plugin, read-only with `:ro`
    #[arg(long, value_name = "HOST::GUEST[:ro]", help_heading = "Capabilities")]
    pub(crate) dir: Vec<String>,
    /// Pass an environment variable, from here or with a value
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Capabilities")]
    pub(crate) env: Vec<String>,
    /// Pass a configuration value
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Capabilities")]
    pub(crate) config: Vec<String>,
    /// Let it read from a host: `HOST[:PORT]`, `*.DOMAIN`
    #[arg(long, value_name = "HOST", help_heading = "Capabilities")]
    pub(crate) http: Vec<String>,
    /// Let it send any method to a host
    #[arg(long, value_name = "HOST", help_heading = "Capabilities")]
    pub(crate) http_write: Vec<String>,
    /// Supply a secret: `NAME=env:VARIABLE` or `NAME=file:PATH`
    #[arg(long, value_name = "NAME=SOURCE", help_heading = "Capabilities")]
    pub(crate) secret: Vec<String>,
    /// Let it keep data under this namespace
    #[arg(long, value_name = "NAMESPACE", help_heading = "Capabilities")]
    pub(crate) kv: Vec<String>,
    /// Give it a clock: real or deterministic
    #[arg(long, value_name = "SOURCE", help_heading = "Capabilities")]
    pub(crate) clock: Option<String>,
    /// Give it random numbers: real or deterministic
    #[arg(long, value_name = "SOURCE", help_heading = "Capabilities")]
    pub(crate) random: Option<String>,
    /// Let it call a tool of an outside server you added: `SERVER/TOOL`, or `SERVER/*` for all
    #[arg(long, value_name = "SERVER/TOOL", help_heading = "Capabilities")]
    pub(crate) mcp: Vec<String>,
    /// Let it open a raw socket to this address
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Capabilities")]
    pub(crate) socket: Vec<String>,
}

/// Run a plugin: a command with its arguments, or a tool with JSON input
#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// A bundle (.rfz), a directory, a .wasm file, or the name of an installed plugin
    pub(crate) plugin: PathBuf,
    /// JSON for a tool: the text itself, `@FILE`, or `-` for standard input
    #[arg(short, long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// Who is asked about each native program the plugin wants to run
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
    /// Arguments for a command
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

/// Call one function of a plugin with JSON
#[derive(Debug, ClapArgs)]
pub(crate) struct Call {
    /// A bundle (.rfz), a directory, a .wasm file, or the name of an installed plugin
    pub(crate) plugin: PathBuf,
    /// The function; can be left out when there is one
    pub(crate) function: Option<String>,
    /// JSON input: the text itself, `@FILE`, or `-` for standard input
    #[arg(short, long, value_name = "JSON", conflicts_with = "batch")]
    pub(crate) input: Option<String>,
    /// Read calls, one JSON object a line, from a file or `-`, and make them in one instance
    #[arg(long, value_name = "FILE", conflicts_with = "function")]
    pub(crate) batch: Option<String>,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// Who is asked about each native program the plugin wants to run
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
}

/// Serve HTTP with a plugin that exports a wasi:http handler
#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// A bundle (.rfz), a directory, a .wasm file, or the name of an installed plugin
    pub(crate) plugin: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) addr: std::net::SocketAddr,
    /// Requests handled at once; more wait
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: u32,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// Who is asked about each native program the plugin wants to run: every request may ask
    #[arg(long, value_enum, default_value_t = ApproverKind::None, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
}

/// Show what a plugin is and asks for, without running any of it
#[derive(Debug, ClapArgs)]
pub(crate) struct Inspect {
    /// A bundle (.rfz), a directory, a .wasm file, or the name of an installed plugin
    pub(crate) plugin: PathBuf,
    /// Show the JSON schema of every function
    #[arg(long)]
    pub(crate) schemas: bool,
}

/// Show what a plugin would be granted under a profile, and the rule behind each decision
#[derive(Debug, ClapArgs)]
pub(crate) struct Explain {
    /// A bundle (.rfz), a directory, a .wasm file, or the name of an installed plugin
    pub(crate) plugin: PathBuf,
    #[command(flatten)]
    pub(crate) grants: Grants,
}

/// Read and check the log of what was decided and done
#[derive(Debug, ClapArgs)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum AuditCommand {
    /// Print records
    Show(AuditShow),
    /// Check that nothing was changed, removed, reordered or written anew
    Verify {
        /// The hash of a record that must be there; finds a log cut off at the end
        #[arg(long, value_name = "HASH")]
        expect_head: Option<String>,
        /// A public key to believe, besides that of this machine; a file in PEM form
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
    },
    /// Write all records for other tools
    Export {
        /// The form
        #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
        format: ExportFormat,
        /// A new file to write to, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Sign what is in the log now
    Checkpoint,
    /// Print the public key that checkpoints are signed with, and its name
    Key,
    /// Remove old full files of the log, and say so in it
    Prune {
        /// Only files whose last record is older, such as `2026-01-31`
        #[arg(long, value_name = "DATE")]
        before: String,
    },
}

/// Print records
#[derive(Debug, ClapArgs)]
pub(crate) struct AuditShow {
    /// Only this run
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// Only this plugin
    #[arg(long)]
    pub(crate) plugin: Option<String>,
    /// Only this operation, such as `fs.read`
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// Only refusals
    #[arg(long)]
    pub(crate) refused: bool,
    /// At most the last N
    #[arg(short = 'n', long, default_value_t = 50)]
    pub(crate) last: usize,
    /// Go on with records as they are written, until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// A form for other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object a line, as in the log
    Json,
    /// A table for spreadsheets
    Csv,
    /// Events of the Open Cybersecurity Schema Framework, one a line
    Ocsf,
}

/// Show the profiles, and check policy files
#[derive(Debug, ClapArgs)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

/// What to do with policies.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum PolicyCommand {
    /// Print the rules of a profile
    Show {
        /// The profile
        profile: String,
    },
    /// Check policy files
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Show what works on this machine
#[derive(Debug, ClapArgs)]
pub(crate) struct Doctor {
    /// Attack the native sandbox of every profile on this machine, and say what held
    #[arg(long)]
    pub(crate) attack: bool,
}
