//! The arguments of `ringfence mcp serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::args::Grants;

pub(super) const EXAMPLES: &str = "\
Examples:
  ringfence mcp serve plugins/tools/text-search plugins/tools/json-query -p read-only
    started by a client, which talks to it over standard input and output
  ringfence mcp serve plugins/tools/text-search --listen
    over HTTP at a free port of this machine; prints the address and a token
  ringfence mcp serve plugins/tools/text-search --listen=127.0.0.1:8765 --token-file token
  ringfence mcp serve --installed
    every installed plugin; clients are told when one is installed, updated or removed";

/// Serve the functions of plugins as tools, over standard input and output or HTTP
#[derive(Debug, ClapArgs)]
pub(crate) struct McpServe {
    /// Directories with a plugin.toml, .wasm or .rfz files, or names of installed plugins
    #[arg(required_unless_present_any = ["server", "installed"])]
    pub(crate) plugins: Vec<PathBuf>,
    /// Offer every installed plugin, also those that are installed while this runs
    #[arg(long)]
    pub(crate) installed: bool,
    /// Offer the accepted tools of this outside server too
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Vec<String>,
    /// Serve over HTTP at this address, such as `--listen=127.0.0.1:8765` [default: a free port]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true,
        default_missing_value = "127.0.0.1:0", help_heading = "HTTP")]
    pub(crate) listen: Option<SocketAddr>,
    /// Take the token that every request has to bear from this file [default: a new one]
    #[arg(long, value_name = "FILE", requires = "listen", help_heading = "HTTP")]
    pub(crate) token_file: Option<PathBuf>,
    /// Listen where other machines can connect; needs `--token-file`, and nothing is encrypted
    #[arg(long, requires = "listen", requires = "token_file", help_heading = "HTTP")]
    pub(crate) allow_remote: bool,
    /// A name under which clients reach this server, beside those of loopback
    #[arg(long, value_name = "NAME", requires = "listen", help_heading = "HTTP")]
    pub(crate) host_name: Vec<String>,
    /// Calls that run at once; more wait
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: u32,
    /// Let tools ask this of the client [default: person]
    #[arg(long, value_enum, value_name = "WHOM")]
    pub(crate) let_ask: Vec<Whom>,
    /// Who is asked about each native program a plugin wants to run
    #[arg(long, value_enum, default_value_t = ServeApprover::Auto, help_heading = "Policy")]
    pub(crate) approver: ServeApprover,
    #[command(flatten)]
    pub(crate) grants: Grants,
}

/// Who is asked about native programs of plugins that are offered to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServeApprover {
    /// The person at the client where it can show a form, else the socket
    Auto,
    /// The person at the client, else nobody
    Client,
    /// You, at the terminal
    Terminal,
    /// Whoever runs `ringfence approvals watch`
    Socket,
    /// Nobody: only what was approved ahead runs
    None,
}

/// Whom tools may ask through the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whom {
    /// Nobody.
    Nobody,
    /// The person at the client.
    Person,
    /// The model of the client.
    Model,
    /// The client, which directories it works in.
    Roots,
}
