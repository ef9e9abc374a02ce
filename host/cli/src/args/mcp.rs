//! The arguments of `ringfence mcp`.

mod config;
mod outside;
mod serve;

use clap::{Args as ClapArgs, Subcommand};

pub(crate) use config::{ClientKind, McpConfig};
pub(crate) use outside::{Add, CallTool, Change, OutsideCommand, Which};
pub(crate) use serve::{McpServe, ServeApprover, Whom};

/// Offer plugins to clients of the Model Context Protocol, and hold outside servers
#[derive(Debug, ClapArgs)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    pub(crate) command: McpCommand,
}

/// What to do with the protocol.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum McpCommand {
    /// Serve the functions of plugins as tools, over standard input and output or HTTP
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<McpServe>),
    /// Print or write what makes a client start `mcp serve`
    #[command(after_help = config::EXAMPLES)]
    Config(McpConfig),
    #[command(flatten)]
    Outside(OutsideCommand),
}
