//! The arguments of `exec` and `approvals`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

pub(super) const EXEC_EXAMPLES: &str = "\
Writes to the workspace are staged: the program works on a copy, you see the difference when
it ends, and nothing changes before you say yes. There is no network unless a host is named.

Examples:
  ringfence exec --plan -- cargo test                  what it could reach; runs nothing
  ringfence exec -- cargo test                         asks, runs it, shows what it changed
  ringfence exec -p read-only -- rg TODO               nothing can be written
  ringfence exec --http api.example.com -- ./fetch.sh  reads from one host, through the proxy
  ringfence exec --dir /data:ro --env CI=1 -- ./report.sh
  ringfence exec --approve sha256:… --commit all -- make   without a terminal, approved ahead
  ringfence exec --write direct -- make                into the workspace at once
  ringfence exec undo                                  takes the last commit back

Exit codes: the program's own; 128 and the signal that ended it; 124 when its time was over;
3 when it was refused and did not run, or made protected names that were moved aside.";

pub(super) const APPROVALS_EXAMPLES: &str = "\
Examples:
  ringfence approvals watch                 answer requests of `exec --approver socket` as they come
  ringfence approvals list                  what waits, what nobody could answer, what you allowed
  ringfence approvals approve 3f2a9c01b7de  yes, once; the id is in the message of what was refused
  ringfence approvals approve 3f2a9c01b7de --for 8h
  ringfence approvals revoke 5d41402abc4b   take an answer back";

/// Run a native program in an OS sandbox, after you approved exactly that
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Exec {
    #[command(subcommand)]
    pub(crate) command: Option<ExecCommand>,
    /// The most it can get: offline, read-only, net-read-only, workspace-write, trusted
    #[arg(
        short,
        long,
        default_value = "workspace-write",
        value_name = "PROFILE",
        help_heading = "Policy"
    )]
    pub(crate) profile: String,
    /// Say yes ahead: to exactly this action by its digest, or to a capability such as `env:HOME`
    #[arg(long, value_name = "DIGEST|CAPABILITY", help_heading = "Policy")]
    pub(crate) approve: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// A further policy file; it can only take away
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(crate) policy: Vec<PathBuf>,
    /// Who is asked
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
    /// Set a limit: memory, cpu-time, open-files, processes, file-size, scratch, connections,
    /// request-bytes, response-bytes
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Policy")]
    pub(crate) limit: Vec<String>,
    /// Kill it after this time, such as `90s` or `10m`
    #[arg(long, value_name = "TIME", help_heading = "Policy")]
    pub(crate) timeout: Option<String>,
    /// Pass an environment variable, from here or with a value
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Capabilities")]
    pub(crate) env: Vec<String>,
    /// What becomes of staged changes
    #[arg(long, value_enum, default_value_t = CommitRule::Ask, help_heading = "Changes")]
    pub(crate) commit: CommitRule,
    /// What becomes of protected names, such as `.git` or `.envrc`, that direct writes make
    #[arg(long, value_enum, default_value_t = MadeArg::Ask, help_heading = "Changes")]
    pub(crate) made_protected: MadeArg,
    /// Print what it could reach and what this system holds, and run nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    pub(crate) argv: Vec<OsString>,
}

/// What a native program, or an outside server, may reach and may not.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Reach {
    /// Refuse something whatever the policy says
    #[arg(long, value_name = "CAPABILITY", help_heading = "Policy")]
    pub(crate) deny: Vec<String>,
    /// Show it a file or directory at its own path, read-only with `:ro`
    #[arg(long, value_name = "PATH[:ro]", help_heading = "Capabilities")]
    pub(crate) dir: Vec<String>,
    /// Let it read from a host through the proxy: `HOST[:PORT]`, `*.DOMAIN`
    #[arg(long, value_name = "HOST", help_heading = "Capabilities")]
    pub(crate) http: Vec<String>,
    /// Let it send any method to a host, and open TLS tunnels to it
    #[arg(long, value_name = "HOST", help_heading = "Capabilities")]
    pub(crate) http_write: Vec<String>,
    /// Let a host that was granted resolve to this range outside the public internet
    #[arg(long, value_name = "CIDR", help_heading = "Capabilities")]
    pub(crate) allow_address: Vec<String>,
    /// Show it the directories of a toolchain in your home directory: rust, node, python, uv, go,
    /// ruby, java [default: the one the program lies in]
    #[arg(long, value_name = "NAME", help_heading = "Capabilities")]
    pub(crate) toolchain: Vec<String>,
    /// How the workspace is written
    #[arg(long, value_enum, default_value_t = WriteRule::Staged, help_heading = "Changes")]
    pub(crate) write: WriteRule,
}

/// What else `exec` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ExecCommand {
    /// Take the last committed changes in this workspace back
    Undo {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApproverKind {
    /// You at the terminal if there is one, else nobody
    Auto,
    /// You, at the terminal
    Terminal,
    /// Whoever runs `ringfence approvals watch`
    Socket,
    /// Nobody: only what was approved ahead runs
    None,
}

/// How the workspace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WriteRule {
    /// Beside it, shown and committed at the end
    Staged,
    /// Into it at once; protected names stay read-only, new ones are moved aside at the end
    Direct,
}

/// What becomes of staged changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CommitRule {
    /// Ask at the terminal; without one they are thrown away
    Ask,
    /// Commit all but those that need a yes of their own, such as protected names
    All,
    /// Show and throw away
    None,
}

/// What becomes of protected names that direct writes make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MadeArg {
    /// Move them aside at the end, then ask at the terminal whether to put them back
    Ask,
    /// Leave them as the program made them
    Keep,
    /// Move them aside at the end
    Aside,
}

/// See, answer and take back what asks for your approval
#[derive(Debug, ClapArgs)]
pub(crate) struct Approvals {
    #[command(subcommand)]
    pub(crate) command: ApprovalsCommand,
}

/// What to do with approvals.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ApprovalsCommand {
    /// Show each request as it comes, and answer it here
    Watch,
    /// Show what waits, what nobody could answer, and what is allowed or denied from now on
    List {
        /// Also answers that no longer hold
        #[arg(long)]
        all: bool,
    },
    /// Say yes to a request, once unless told otherwise
    Approve {
        /// The twelve digits of the request
        id: String,
        /// For this long, such as `8h` or `7d`
        #[arg(long, value_name = "TIME", conflicts_with = "always")]
        r#for: Option<String>,
        /// Whenever it is exactly this
        #[arg(long)]
        always: bool,
        /// With `--always`: whenever the command matches this, such as `cargo test -p *`
        #[arg(long, value_name = "COMMAND", requires = "always")]
        matching: Option<String>,
    },
    /// Say no to a request
    Deny {
        /// The twelve digits of the request
        id: String,
        /// Now and every time
        #[arg(long)]
        always: bool,
    },
    /// Take an answer back
    Revoke {
        /// The twelve digits of the answer
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Every yes; denials stay
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}
