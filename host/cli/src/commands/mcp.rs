//! `mcp`: one module per subcommand.

mod config;
mod follow;
mod listen;
mod outside;
mod serve;

use crate::args::{Global, McpCommand};
use crate::error::CliError;
use crate::print::Printer;

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
