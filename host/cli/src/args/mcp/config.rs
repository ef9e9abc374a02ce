//! The arguments of `ringfence mcp config`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

pub(super) const EXAMPLES: &str = "\
Examples:
  ringfence mcp config --client codex -- plugins/tools/text-search -p read-only
    prints what to add, and where
  ringfence mcp config --client gemini --write -- plugins/tools/text-search --workspace .
    shows what changes in the client's file and changes it";

/// Print or write what makes a client start `mcp serve`
#[derive(Debug, ClapArgs)]
pub(crate) struct McpConfig {
    /// The client
    #[arg(long, value_enum)]
    pub(crate) client: ClientKind,
    /// What the client calls the server
    #[arg(long, value_name = "NAME", default_value = "ringfence")]
    pub(crate) name: String,
    /// The client's file [default: where the client looks for it]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Show the difference and write the file
    #[arg(long)]
    pub(crate) write: bool,
    /// What comes after `ringfence mcp serve`
    #[arg(last = true, required = true)]
    pub(crate) serve: Vec<String>,
}

/// A client whose configuration is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientKind {
    /// Codex: `config.toml` in `CODEX_HOME` or `~/.codex`.
    Codex,
    /// Claude Code: `.mcp.json` in the workspace.
    Claude,
    /// gemini-cli: `~/.gemini/settings.json`.
    Gemini,
    /// Visual Studio Code: `.vscode/mcp.json` in the workspace.
    Vscode,
    /// opencode: `opencode.json` in the workspace.
    Opencode,
}
