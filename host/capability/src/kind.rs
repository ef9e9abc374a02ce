//! The names of the capabilities, as manifests, policies and the log write them.

use crate::ParseError;
use std::fmt;
use std::str::FromStr;

/// What a capability is about. `http` is split by method class because policy treats them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "policy and linking must handle every kind")]
pub enum Kind {
    /// Reading files.
    FsRead,
    /// Writing files; includes reading what may be written.
    FsWrite,
    /// HTTP requests that only read: GET, HEAD, OPTIONS without a body.
    HttpRead,
    /// HTTP requests of any method.
    HttpWrite,
    /// Raw TCP and UDP sockets.
    Socket,
    /// Environment variables, by name.
    Env,
    /// Configuration values, by name.
    Config,
    /// Secrets the host attaches to requests.
    Secret,
    /// The key-value store.
    Kv,
    /// Clocks.
    Clock,
    /// Random numbers.
    Random,
    /// Language models.
    Model,
    /// Tools of other plugins.
    Tool,
    /// Other agents.
    Agent,
    /// Tools of outside MCP servers.
    Mcp,
    /// Native commands.
    Exec,
}

impl Kind {
    /// Every kind, in the order of DESIGN's table.
    pub const ALL: [Self; 16] = [
        Self::FsRead,
        Self::FsWrite,
        Self::HttpRead,
        Self::HttpWrite,
        Self::Socket,
        Self::Env,
        Self::Config,
        Self::Secret,
        Self::Kv,
        Self::Clock,
        Self::Random,
        Self::Model,
        Self::Tool,
        Self::Agent,
        Self::Mcp,
        Self::Exec,
    ];

    /// Returns the name used in policies and in the log, such as `fs.read`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FsRead => "fs.read",
            Self::FsWrite => "fs.write",
            Self::HttpRead => "http.read",
            Self::HttpWrite => "http.write",
            Self::Socket => "socket",
            Self::Env => "env",
            Self::Config => "config",
            Self::Secret => "secret",
            Self::Kv => "kv",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Agent => "agent",
            Self::Mcp => "mcp",
            Self::Exec => "exec",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| ParseError::new("capability name", text, "there is no such capability"))
    }
}

/// Which HTTP methods are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the request check must handle both")]
pub enum MethodClass {
    /// GET, HEAD and OPTIONS, without a body.
    Read,
    /// Every method; includes `Read`.
    Write,
}

impl FromStr for MethodClass {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(ParseError::new("method class", text, "it is `read` or `write`")),
        }
    }
}
