//! What an operation was about, masked by type.

use ringfence_capability::{Capability, Digest, PathScope, Place, Port, text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest text in a record, in characters. Plugins choose some of them.
pub(crate) const MAX_TEXT: usize = 512;

/// What an operation was about. Masked by type: there is no variant for an arbitrary host path, so
/// that home directories and user names have no way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Target {
    /// A path as the guest sees it.
    GuestPath {
        /// The path.
        path: String,
    },
    /// A path inside the workspace, relative to its root.
    WorkspacePath {
        /// The path.
        path: String,
    },
    /// A host pattern and a port.
    Host {
        /// The host.
        host: String,
        /// The port; none means the usual one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        port: Option<u16>,
    },
    /// The name of a variable, key, tool, model, agent or program; never its value.
    Name {
        /// The name.
        name: String,
    },
    /// A secret and where it may be sent.
    Secret {
        /// Its name; never its value.
        name: String,
        /// The host.
        host: String,
    },
    /// A program that is started outside the WebAssembly engine. Its arguments are only there as
    /// a digest, its path not at all.
    Program {
        /// The name of its file, without directories.
        name: String,
        /// The digest of the file that was opened and is executed.
        executable: Digest,
        /// The digest of its arguments, the program's name included.
        argv: Digest,
        /// The digest of the sandbox plan it runs under.
        plan: Digest,
    },
    /// A request through the proxy.
    Request {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What kind of method; never a path, a header or a body.
        method: Method,
    },
    /// Some bytes, by digest.
    Digest {
        /// The digest.
        digest: Digest,
    },
}

/// What kind of request went through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Method {
    /// GET, HEAD or OPTIONS.
    Read,
    /// Any other.
    Write,
    /// A tunnel, the inside of which the host does not see.
    Connect,
}

impl Method {
    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Connect => "connect",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuestPath { path } => f.write_str(path),
            Self::WorkspacePath { path } => write!(f, "workspace:{path}"),
            Self::Host { host, port: None } => f.write_str(host),
            Self::Host { host, port: Some(port) } => write!(f, "{host}:{port}"),
            Self::Name { name } | Self::Program { name, .. } => f.write_str(name),
            Self::Secret { name, host } => write!(f, "{name}@{host}"),
            Self::Request { host, port, method } => write!(f, "{} {host}:{port}", method.name()),
            Self::Digest { digest } => write!(f, "{digest}"),
        }
    }
}

impl Target {
    /// Returns what `capability` reaches. A directory outside the workspace is written as the guest
    /// sees it.
    pub fn of(capability: &Capability) -> Self {
        match capability {
            Capability::FsRead(scope) | Capability::FsWrite(scope) => Self::of_path(scope),
            Capability::Http { host, port: Port::Default, .. } => {
                Self::host(&host.to_string(), None)
            }
            Capability::Http { host, port: Port::Number(port), .. }
            | Capability::Socket { host, port } => Self::host(&host.to_string(), Some(*port)),
            Capability::Secret { name, host } => {
                Self::Secret { name: neutral(name.as_str()), host: neutral(&host.to_string()) }
            }
            Capability::Kv { namespace: name, .. }
            | Capability::Env(name)
            | Capability::Config(name)
            | Capability::Model(name)
            | Capability::Tool(name)
            | Capability::Agent(name) => Self::name(name.as_str()),
            Capability::Mcp(scope) => Self::name(&scope.to_string()),
            // Of a command the program alone: a pattern may hold paths and names.
            Capability::Exec(pattern) => Self::name(pattern.program_name()),
            Capability::Clock(fidelity) | Capability::Random(fidelity) => {
                Self::name(fidelity.name())
            }
        }
    }

    /// Returns the path as the guest sees it.
    pub fn guest_path(path: &str) -> Self {
        Self::GuestPath { path: neutral(path) }
    }

    /// Returns the host and port; no port means the usual one.
    pub fn host(host: &str, port: Option<u16>) -> Self {
        Self::Host { host: neutral(host), port }
    }

    /// Returns the name.
    pub fn name(name: &str) -> Self {
        Self::Name { name: neutral(name) }
    }

    /// Returns the program: of its path only the last part is kept, of its arguments the digest.
    pub fn program(path: &str, executable: Digest, argv: Digest, plan: Digest) -> Self {
        Self::Program { name: neutral(file_name(path)), executable, argv, plan }
    }

    /// Returns the request through the proxy.
    pub fn request(host: &str, port: u16, method: Method) -> Self {
        Self::Request { host: neutral(host), port, method }
    }

    fn of_path(scope: &PathScope) -> Self {
        match scope.place() {
            Place::Workspace => Self::WorkspacePath { path: neutral(scope.path()) },
            Place::Elsewhere => Self::guest_path(scope.guest()),
        }
    }

    pub(crate) fn neutralised(&self) -> Self {
        match self {
            Self::GuestPath { path } => Self::guest_path(path),
            // Whoever builds one by hand with an absolute path would let the home directory in.
            Self::WorkspacePath { path } => {
                Self::WorkspacePath { path: neutral(path.trim_start_matches('/')) }
            }
            Self::Host { host, port } => Self::host(host, *port),
            Self::Name { name } => Self::name(name),
            Self::Secret { name, host } => {
                Self::Secret { name: neutral(name), host: neutral(host) }
            }
            // As above, for a program given by its path.
            Self::Program { name, executable, argv, plan } => {
                Self::program(name, *executable, *argv, *plan)
            }
            Self::Request { host, port, method } => Self::request(host, *port, *method),
            Self::Digest { digest } => Self::Digest { digest: *digest },
        }
    }
}

/// Returns `text` in one line, with what could steer a terminal or hide text replaced, and not too
/// long.
pub(crate) fn neutral(text: &str) -> String {
    text::brief(text, MAX_TEXT)
}

pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const ONE: Digest = Digest::from_bytes([1; 32]);

    #[test]
    fn a_program_keeps_neither_its_path_nor_its_arguments() {
        let made = Target::program("/home/alice/bin/cargo", ONE, ONE, ONE);
        let by_hand = Target::Program {
            name: "/home/alice/bin/cargo".to_owned(),
            executable: ONE,
            argv: ONE,
            plan: ONE,
        };
        assert_eq!(by_hand.neutralised(), made);
        let json = serde_json::to_string(&made).unwrap();
        assert!(json.starts_with(r#"{"type":"program","name":"cargo","executable":"sha256:01"#));
        assert_eq!(made.to_string(), "cargo");
    }

    #[test]
    fn a_request_is_its_host_and_kind_of_method() {
        let json = serde_json::to_string(&Target::request("a.example", 443, Method::Connect));
        let expected = r#"{"type":"request","host":"a.example","port":443,"method":"connect"}"#;
        assert_eq!(json.unwrap(), expected);
    }

    #[test]
    fn texts_cannot_steer_a_terminal_and_are_bounded() {
        assert_eq!(neutral("a\x1b[2J\nb\u{202e}c"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
        assert_eq!(neutral(&"é".repeat(9999)).chars().count(), MAX_TEXT + 1);
        assert_eq!(neutral(&"é".repeat(MAX_TEXT)), "é".repeat(MAX_TEXT));
    }
}
