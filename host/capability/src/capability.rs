//! One atomic capability: a kind and what it reaches.

use crate::{
    ArgvPattern, Fidelity, HostPattern, Kind, MethodClass, Name, OutsideScope, PathScope, Port,
};
use std::fmt;

/// One thing a plugin can be allowed to do. A manifest request is split into these, so that each
/// host, directory and name gets a decision of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "policy and linking must handle every capability")]
pub enum Capability {
    /// Reading files below a directory.
    FsRead(PathScope),
    /// Writing (and reading) files below a directory.
    FsWrite(PathScope),
    /// HTTP requests to hosts.
    Http {
        /// The hosts.
        host: HostPattern,
        /// The port.
        port: Port,
        /// The methods.
        methods: MethodClass,
    },
    /// A raw socket to hosts.
    Socket {
        /// The hosts.
        host: HostPattern,
        /// The port.
        port: u16,
    },
    /// An environment variable.
    Env(Name),
    /// A configuration value.
    Config(Name),
    /// A secret that the host adds to requests to one host.
    Secret {
        /// The name under which the operator supplies it.
        name: Name,
        /// The host it may be sent to.
        host: HostPattern,
    },
    /// A namespace of the key-value store.
    Kv {
        /// The namespace.
        namespace: Name,
        /// The most it may hold.
        size_bytes: u64,
    },
    /// Clocks.
    Clock(Fidelity),
    /// Random numbers.
    Random(Fidelity),
    /// A language model, by logical name.
    Model(Name),
    /// Another plugin's tool, by name.
    Tool(Name),
    /// Another agent, by name.
    Agent(Name),
    /// Tools of an outside MCP server, or the server itself.
    Mcp(OutsideScope),
    /// Running native programs, by command.
    Exec(ArgvPattern),
}

impl Capability {
    /// Returns its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::FsRead(_) => Kind::FsRead,
            Self::FsWrite(_) => Kind::FsWrite,
            Self::Http { methods: MethodClass::Read, .. } => Kind::HttpRead,
            Self::Http { methods: MethodClass::Write, .. } => Kind::HttpWrite,
            Self::Socket { .. } => Kind::Socket,
            Self::Env(_) => Kind::Env,
            Self::Config(_) => Kind::Config,
            Self::Secret { .. } => Kind::Secret,
            Self::Kv { .. } => Kind::Kv,
            Self::Clock(_) => Kind::Clock,
            Self::Random(_) => Kind::Random,
            Self::Model(_) => Kind::Model,
            Self::Tool(_) => Kind::Tool,
            Self::Agent(_) => Kind::Agent,
            Self::Mcp(_) => Kind::Mcp,
            Self::Exec(_) => Kind::Exec,
        }
    }

    /// Tells whether whoever holds this capability may do everything `other` stands for.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FsRead(mine) | Self::FsWrite(mine), Self::FsRead(theirs))
            | (Self::FsWrite(mine), Self::FsWrite(theirs)) => mine.contains(theirs),
            (
                Self::Http { host, port, methods },
                Self::Http { host: their_host, port: their_port, methods: their_methods },
            ) => host.contains(their_host) && port == their_port && methods >= their_methods,
            (Self::Socket { host, port }, Self::Socket { host: their_host, port: their_port }) => {
                host.contains(their_host) && port == their_port
            }
            (Self::Secret { name, host }, Self::Secret { name: their_name, host: their_host }) => {
                name == their_name && host.contains(their_host)
            }
            (
                Self::Kv { namespace, size_bytes },
                Self::Kv { namespace: their_namespace, size_bytes: their_size },
            ) => namespace == their_namespace && size_bytes >= their_size,
            (Self::Exec(mine), Self::Exec(theirs)) => mine.contains(theirs),
            (Self::Mcp(mine), Self::Mcp(theirs)) => mine.contains(theirs),
            _ => self == other,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind())?;
        match self {
            Self::FsRead(scope) | Self::FsWrite(scope) => write!(f, "{scope}"),
            Self::Http { host, port: Port::Default, .. } => write!(f, "{host}"),
            Self::Http { host, port: Port::Number(port), .. } | Self::Socket { host, port } => {
                // An IPv6 address stands in brackets, so that its end and the port stay apart.
                let host = host.to_string();
                if host.contains(':') {
                    write!(f, "[{host}]:{port}")
                } else {
                    write!(f, "{host}:{port}")
                }
            }
            Self::Secret { name, host } => write!(f, "{name}@{host}"),
            Self::Kv { namespace, .. } => write!(f, "{namespace}"),
            Self::Clock(fidelity) | Self::Random(fidelity) => f.write_str(fidelity.name()),
            Self::Env(name)
            | Self::Config(name)
            | Self::Model(name)
            | Self::Tool(name)
            | Self::Agent(name) => write!(f, "{name}"),
            Self::Mcp(scope) => write!(f, "{scope}"),
            Self::Exec(pattern) => write!(f, "{pattern}"),
        }
    }
}
