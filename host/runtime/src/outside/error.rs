//! What keeps an outside server from being started or called.

use std::path::PathBuf;
use std::time::Duration;

use ringfence_capability::{Class, Diagnostic, Profile, text};
use ringfence_mcp::client::ClientError;

/// Why an outside server was not started, or a tool of it not called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideError {
    /// A pinned file is another than it was.
    #[error("the {what} of server `{server}`, `{}`, is not the one it was pinned to", path.display())]
    Changed {
        /// The server.
        server: String,
        /// What it is: `program`, `interpreter` or `script`.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// The talk with it failed.
    #[error("server `{server}` cannot be used{}", said_last(said))]
    Talk {
        /// The server.
        server: String,
        /// What it wrote last on standard error.
        said: String,
        /// What went wrong.
        #[source]
        source: ClientError,
    },
    /// It ended too often, and is not started again at once.
    #[error("server `{server}` failed, and is started again in {} s at the earliest", wait.as_secs())]
    Down {
        /// The server.
        server: String,
        /// How long it is left alone.
        wait: Duration,
    },
    /// A tool is not what was accepted.
    #[error("tool `{tool}` of server `{server}` is quarantined: {why}")]
    Quarantined {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
        /// Why.
        why: &'static str,
    },
    /// There is no such tool.
    #[error("server `{server}` has no tool `{tool}`")]
    NoTool {
        /// The server.
        server: String,
        /// What was asked for.
        tool: String,
        /// What there is.
        known: Vec<String>,
    },
    /// There is no such server.
    #[error("there is no outside server `{server}`")]
    NoServer {
        /// What was asked for.
        server: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// It was added under a wider profile than that of whoever calls it.
    #[error(
        "server `{server}` was added under `{profile}`, and may not serve a run under `{ceiling}`"
    )]
    TooWide {
        /// The server.
        server: String,
        /// The profile it was added under.
        profile: Profile,
        /// The most that the run can get.
        ceiling: Profile,
    },
    /// What is kept about it cannot be used.
    #[error("what is kept about server `{server}` cannot be used: {why}")]
    Kept {
        /// The server.
        server: String,
        /// What is wrong.
        why: String,
    },
    /// Outside servers are not offered on this system.
    #[error("outside servers are not offered on this system")]
    NotHere,
}

fn said_last(said: &str) -> String {
    let mut last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).collect();
    last.truncate(2);
    last.reverse();
    if last.is_empty() {
        String::new()
    } else {
        format!("; it said: {}", text::brief(&last.join(" | "), 400))
    }
}

impl Diagnostic for OutsideError {
    fn code(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "mcp::program-changed",
            Self::Talk { source, .. } => source.code(),
            Self::Down { .. } => "mcp::server-down",
            Self::Quarantined { .. } => "mcp::quarantined",
            Self::NoTool { .. } => "mcp::unknown-tool",
            Self::NoServer { .. } => "mcp::unknown-server",
            Self::TooWide { .. } => "mcp::too-wide",
            Self::Kept { .. } => "mcp::kept",
            Self::NotHere => "mcp::not-here",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Changed { .. }
            | Self::Quarantined { .. }
            | Self::TooWide { .. }
            | Self::Kept { .. }
            | Self::NotHere => Class::Refused,
            Self::Talk { source, .. } => source.class(),
            Self::Down { .. } => Class::PluginFailed,
            Self::NoTool { .. } | Self::NoServer { .. } => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { server, .. } => Some(format!(
                "find out who changed it; if it was an update you want, \
                 `ringfence mcp accept {server} --program` asks about the new one"
            )),
            Self::Talk { source, .. } => source.hint(),
            Self::Down { server, .. } => {
                Some(format!("`ringfence mcp tools {server}` shows what it says"))
            }
            Self::Quarantined { server, tool, .. } => Some(format!(
                "see what differs with `ringfence mcp pin {server} {tool}`, and take it with \
                 `ringfence mcp accept {server} {tool}`"
            )),
            Self::NoTool { known, tool, .. } => {
                match ringfence_bundle::nearest(tool, known.iter().map(String::as_str)) {
                    Some(near) => Some(format!("did you mean `{near}`?")),
                    None => Some(format!("it has `{}`", known.join("`, `"))),
                }
            }
            Self::NoServer { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::NoServer { server, near: None } => Some(format!(
                "add it with `ringfence mcp add {server} -- PROGRAM`; `ringfence mcp list` shows what \
                 there is"
            )),
            Self::TooWide { server, profile, ceiling } => Some(format!(
                "add the server under `{ceiling}` (`ringfence mcp add {server} --replace -p {ceiling}`), \
                 or run under `-p {profile}`; an unsigned plugin needs `--trust-digest` for more than \
                 `read-only`"
            )),
            Self::Kept { server, .. } => {
                Some(format!("remove it with `ringfence mcp remove {server}` and add it again"))
            }
            Self::NotHere => Some("outside servers are held on Linux and macOS".to_owned()),
        }
    }
}
