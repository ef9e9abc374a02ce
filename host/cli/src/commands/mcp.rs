//! `mcp`: one module per subcommand.

mod config;
mod follow;
mod listen;
mod outside;
mod serve;

use ringfence::OutsideServers;

use crate::args::{Global, McpCommand};
use crate::error::CliError;
use crate::print::Printer;

/// Returns the outside servers that plugins and agents can be granted tools of. None is started.
pub(super) fn held(global: &Global) -> OutsideServers {
    outside::held(global)
}

/// `ringfence mcp`.
pub(crate) fn mcp(
    command: &McpCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    match command {
        McpCommand::Config(args) => config::config(args, global, printer),
        McpCommand::Serve(args) => serve::serve(args, global, printer),
        McpCommand::Outside(command) => outside::run(command, global, printer),
    }
}
