//! The arguments of `ringfence mcp serve`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::args::{ApproverKind, Grants};

pub(super) const EXAMPLES: &str = "\
Examples:
  ringfence mcp serve plugins/tools/text-search plugins/tools/json-query -p read-only
    started by a client, which talks to it over standard input and output";

/// Serve the functions of plugins as tools, over standard input and output
#[derive(Debug, ClapArgs)]
pub(crate) struct McpServe {
    /// Directories with a plugin.toml, or .wasm files
    #[arg(required_unless_present = "server")]
    pub(crate) plugins: Vec<PathBuf>,
    /// Offer the accepted tools of this outside server too
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Vec<String>,
    /// Calls that run at once; more wait
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: u32,
    /// Let tools ask this of the client [default: person]
    #[arg(long, value_enum, value_name = "WHOM")]
    pub(crate) let_ask: Vec<Whom>,
    /// Who is asked about each native program a plugin wants to run; `auto` is the socket
    #[arg(long, value_enum, default_value_t = ApproverKind::Auto, help_heading = "Policy")]
    pub(crate) approver: ApproverKind,
    #[command(flatten)]
    pub(crate) grants: Grants,
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
