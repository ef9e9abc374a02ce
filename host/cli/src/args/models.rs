//! The arguments of `ringfence models`.

use clap::{Args as ClapArgs, Subcommand};

const MODELS_EXAMPLES: &str = "\
Models are named in `models.toml` of your configuration directory (`~/.config/ringfence`), or of
`/etc/ringfence`; yours count where both name one. A key is named, never written there:

  [model.fast]
  base-url = \"http://127.0.0.1:11434/v1\"     Ollama, llama.cpp, vLLM, or a hosted service
  model = \"qwen3:4b\"

  [model.deep]
  api = \"anthropic\"
  base-url = \"https://api.anthropic.com\"
  model = \"claude-sonnet-5\"
  key = \"env:ANTHROPIC_API_KEY\"              or \"file:/path\"

Examples:
  ringfence models list
  ringfence models test fast         asks it for one word, and says how long that took";

/// Show the language models that agents can be granted, and try them
#[derive(Debug, ClapArgs)]
#[command(after_help = MODELS_EXAMPLES)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) command: ModelsCommand,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ModelsCommand {
    /// List the models, where they are, and whether they can be asked
    #[command(after_help = "Examples:\n  ringfence models list\n  ringfence models list --json")]
    List,
    /// Ask a model for one word
    #[command(after_help = "Examples:\n  ringfence models test fast")]
    Test {
        /// The logical name of the model
        name: String,
    },
}
