//! What of an outside server is meant: the server itself, all its tools, or one of them.

use crate::{Name, ParseError};
use std::fmt;
use std::str::FromStr;

/// Tools of an outside MCP server, written `server/tool` or `server/*`; the server itself, which only
/// its own start is about, is shown as `server`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutsideScope {
    server: Name,
    part: OutsidePart,
}

/// What of a server is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "policy must handle each")]
pub enum OutsidePart {
    /// Starting it. Covers no tool.
    Itself,
    /// Every tool that was accepted. Covers not the start.
    Every,
    /// One tool, by the server's own name for it.
    Tool(Name),
}

impl OutsideScope {
    /// Returns the server itself.
    pub fn itself(server: Name) -> Self {
        Self { server, part: OutsidePart::Itself }
    }

    /// Returns one tool of a server.
    ///
    /// # Errors
    /// When one of the two is no name.
    pub fn tool(server: &str, tool: &str) -> Result<Self, ParseError> {
        Ok(Self { server: server_name(server)?, part: OutsidePart::Tool(tool.parse()?) })
    }

    /// Returns the name of the server.
    pub fn server(&self) -> &Name {
        &self.server
    }

    /// Returns what of it is meant.
    pub fn part(&self) -> &OutsidePart {
        &self.part
    }

    /// Tells whether `other` is a part of this.
    pub fn contains(&self, other: &Self) -> bool {
        self.server == other.server
            && match (&self.part, &other.part) {
                (OutsidePart::Every, OutsidePart::Every | OutsidePart::Tool(_)) => true,
                (mine, theirs) => mine == theirs,
            }
    }
}

/// Returns the name of a server: one without `/`, which ends it.
fn server_name(text: &str) -> Result<Name, ParseError> {
    if text.contains('/') {
        return Err(ParseError::new("server", text, "its name has no `/`"));
    }
    text.parse()
}

impl FromStr for OutsideScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let why = "it is `server/tool`, or `server/*` for every tool of a server";
        let (server, tool) =
            text.split_once('/').ok_or_else(|| ParseError::new("outside tool", text, why))?;
        match tool {
            "*" => Ok(Self { server: server_name(server)?, part: OutsidePart::Every }),
            _ => Self::tool(server, tool),
        }
    }
}

impl fmt::Display for OutsideScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            OutsidePart::Itself => write!(f, "{}", self.server),
            OutsidePart::Every => write!(f, "{}/*", self.server),
            OutsidePart::Tool(tool) => write!(f, "{}/{tool}", self.server),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_grant_of_tools_covers_those_tools_and_nothing_else() {
        let scope = |text: &str| text.parse::<OutsideScope>().unwrap();
        let itself = OutsideScope::itself("time".parse().unwrap());
        for (mine, theirs, covered) in [
            ("time/now", "time/now", true),
            ("time/now", "time/later", false),
            ("time/now", "time/*", false),
            ("time/*", "time/now", true),
            ("time/*", "time/a/b", true),
            ("time/*", "time/*", true),
            ("time/*", "times/now", false),
            ("time/*", "tim/e", false),
        ] {
            assert_eq!(scope(mine).contains(&scope(theirs)), covered, "{mine} {theirs}");
        }
        assert!(!scope("time/*").contains(&itself) && !itself.contains(&scope("time/now")));
        assert!(itself.contains(&itself));
    }

    #[test]
    fn only_a_server_and_a_tool_are_written() {
        for text in ["time/now", "fs/*", "a/b/c"] {
            assert_eq!(text.parse::<OutsideScope>().unwrap().to_string(), text);
        }
        for bad in ["time", "*", "*/*", "*/now", "/now", "time/", "time/n*", "time/a b", ""] {
            assert!(bad.parse::<OutsideScope>().is_err(), "{bad:?}");
        }
        assert!(OutsideScope::tool("a/b", "c").is_err(), "it would be read as another tool");
    }
}
