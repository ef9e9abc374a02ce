//! The arguments of the commands about outside servers.

use std::ffi::OsString;

use clap::{Args as ClapArgs, Subcommand};

use crate::args::{ApproverKind, CommitRule, Reach};

const ADD_EXAMPLES: &str = "\
The server runs in the OS sandbox, as exactly what you approve: its program, its script, its arguments
and what it may reach. Each tool is pinned to its definition. There is no network unless a host is named,
and it is there only while a call is under way.

Examples:
  ringfence mcp add time -- mcp-server-time
  ringfence mcp add files --dir ~/srv:ro -- node ~/srv/files/dist/index.js .
  ringfence mcp add notes -p workspace-write --write direct -- ./notes-server
  ringfence mcp add docs -p net-read-only --http docs.example.com -- ./docs-server
  ringfence mcp add time --plan -- mcp-server-time         what it could reach; runs nothing
  ringfence mcp add time --approve sha256:… -- mcp-server-time   without a terminal, approved ahead";

const CALL_EXAMPLES: &str = "\
Examples:
  ringfence mcp call time get_current_time --input '{\"timezone\":\"UTC\"}'
  ringfence mcp call files read_text_file --input @question.json --json
  ringfence mcp call notes add --input '{\"text\":\"x\"}' --commit all";

const TOOLS_EXAMPLES: &str = "\
Examples:
  ringfence mcp tools time           each tool, and whether it is the one you accepted
  ringfence mcp tools time --json    with the whole definitions";

const PIN_EXAMPLES: &str = "\
Examples:
  ringfence mcp pin time                     what differs from what you accepted; exit code 3 when anything does
  ringfence mcp pin time get_current_time";

const ACCEPT_EXAMPLES: &str = "\
Examples:
  ringfence mcp accept time get_current_time       shows what differs, and asks
  ringfence mcp accept time --all --yes            takes every tool as it is now
  ringfence mcp accept time get_current_time --digest sha256:…   exactly this definition, without a terminal
  ringfence mcp accept time --program              the program was updated: asks about the new one";

/// What to do with outside servers.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum OutsideCommand {
    /// Add an outside server: pin it, approve it, and accept its tools
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<Add>),
    /// List the outside servers
    #[command(after_help = "Examples:\n  ringfence mcp list\n  ringfence mcp list --json")]
    List,
    /// List the tools of an outside server as it defines them now
    #[command(after_help = TOOLS_EXAMPLES)]
    Tools {
        /// The server
        name: String,
    },
    /// Call one tool of an outside server
    #[command(after_help = CALL_EXAMPLES)]
    Call(CallTool),
    /// Show what differs between the tools you accepted and the tools there are
    #[command(after_help = PIN_EXAMPLES)]
    Pin(Which),
    /// Accept tools as they are defined now, or the program as it is now
    #[command(after_help = ACCEPT_EXAMPLES)]
    Accept(Change),
    /// Forget an outside server and take its approval back
    #[command(after_help = "Examples:\n  ringfence mcp remove time")]
    Remove {
        /// The server
        name: String,
    },
}

/// Add an outside server: pin it, approve it, and accept its tools
#[derive(Debug, ClapArgs)]
pub(crate) struct Add {
    /// The name it goes by: lower case, digits and `-`
    pub(crate) name: String,
    /// The most it can get: read-only, net-read-only, workspace-write, trusted
    #[arg(
        short,
        long,
        default_value = "read-only",
        value_name = "PROFILE",
        help_heading = "Policy"
    )]
    pub(crate) profile: String,
    /// Say yes ahead: to exactly this server by its digest, or to a capability such as `env:HOME`
    #[arg(long, value_name = "DIGEST|CAPABILITY", help_heading = "Policy")]
    pub(crate) approve: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Who is asked
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
    /// Set a limit: memory, cpu-time, open-files, processes, file-size, scratch, connections,
    /// request-bytes, response-bytes; the last three hold for one call
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Policy")]
    pub(crate) limit: Vec<String>,
    /// Pass an environment variable, with a value that is kept, or from here at each start
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Capabilities")]
    pub(crate) env: Vec<String>,
    /// Take the place of a server of this name
    #[arg(long)]
    pub(crate) replace: bool,
    /// Print what it could reach and what this system holds, and run nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    pub(crate) argv: Vec<OsString>,
}

/// Call one tool of an outside server
#[derive(Debug, ClapArgs)]
pub(crate) struct CallTool {
    /// The server
    pub(crate) name: String,
    /// The tool, by the server's own name
    pub(crate) tool: String,
    /// JSON input: the text itself, `@FILE`, or `-` for standard input
    #[arg(short, long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Give it up after this time, such as `90s` or `10m`
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub(crate) timeout: String,
    /// What becomes of what it wrote beside the workspace
    #[arg(long, value_enum, default_value_t = CommitRule::Ask)]
    pub(crate) commit: CommitRule,
}

/// Show what differs between the tools you accepted and the tools there are
#[derive(Debug, ClapArgs)]
pub(crate) struct Which {
    /// The server
    pub(crate) name: String,
    /// The tools; all of them when none is named
    pub(crate) tools: Vec<String>,
}

/// Accept tools as they are defined now, or the program as it is now
#[derive(Debug, ClapArgs)]
pub(crate) struct Change {
    /// The server
    pub(crate) name: String,
    /// The tools
    #[arg(required_unless_present_any = ["all", "program"], conflicts_with = "all")]
    pub(crate) tools: Vec<String>,
    /// Every tool there is, and forget those that are gone
    #[arg(long)]
    pub(crate) all: bool,
    /// The program and its script as they are now
    #[arg(long, conflicts_with_all = ["all", "tools"])]
    pub(crate) program: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// With one tool: take exactly the definition with this digest, without asking
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["all", "program"])]
    pub(crate) digest: Option<String>,
    /// With `--program`: say yes ahead to exactly this server by its digest
    #[arg(long, value_name = "DIGEST", requires = "program")]
    pub(crate) approve: Vec<String>,
    /// With `--program`: who is asked
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto)]
    pub(crate) approver: ApproverKind,
}
