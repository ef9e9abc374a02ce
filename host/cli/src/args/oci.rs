//! Arguments of `push` and `pull`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

pub(crate) const PUSH_EXAMPLES: &str = "\
Examples:
  ringfence push word-count.rfz registry.example.com/tools/word-count:0.1.0
  ringfence push word-count.rfz localhost:5000/word-count:0.1.0
  echo \"$TOKEN\" | ringfence push word-count.rfz registry.example.com/a:1 --username ci --password-stdin";

pub(crate) const PULL_EXAMPLES: &str = "\
Examples:
  ringfence pull registry.example.com/tools/word-count:0.1.0
  ringfence pull registry.example.com/tools/word-count@sha256:… -o word-count.rfz
  ringfence pull registry.example.com/other/tool:1.2 --component -o tool.wasm";

/// How a registry is spoken to, and as whom.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Registry {
    /// Log in as NAME instead of with what `docker login` stored
    #[arg(long, value_name = "NAME", requires = "password_stdin", help_heading = "Registry")]
    pub(crate) username: Option<String>,
    /// Read the password or token from standard input
    #[arg(long, requires = "username", help_heading = "Registry")]
    pub(crate) password_stdin: bool,
    /// Speak to the registry without TLS, password included; on this machine that is the default
    #[arg(long, conflicts_with = "ca_file", help_heading = "Registry")]
    pub(crate) plain_http: bool,
    /// Believe these certificate authorities too; a file in PEM form
    #[arg(long, value_name = "FILE", help_heading = "Registry")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Let the credentials be sent to this host when the registry says that its tokens are there
    #[arg(long, value_name = "HOST", help_heading = "Registry")]
    pub(crate) token_host: Vec<String>,
    /// The most the whole transfer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Registry")]
    pub(crate) timeout: u64,
}

/// Send a bundle to a registry
#[derive(Debug, ClapArgs)]
pub(crate) struct Push {
    /// A bundle (.rfz), or its files as a directory with SHA256SUMS
    pub(crate) file: PathBuf,
    /// Where to: HOST[:PORT]/PATH:TAG
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// Fetch a bundle from a registry, and say who signed it
#[derive(Debug, ClapArgs)]
pub(crate) struct Pull {
    /// Where from: HOST[:PORT]/PATH:TAG, HOST[:PORT]/PATH@sha256:…, or with both
    pub(crate) reference: String,
    /// The file to write [default: NAME-VERSION.rfz here]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Fetch the component alone, as other WebAssembly tools do: no manifest, no signature
    #[arg(long, requires = "output")]
    pub(crate) component: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}
