//! What a rule reaches, and how that compares with a capability and with another rule.
//!
//! Two questions are asked. An `allow` must *contain* a request to grant it; a `prompt` or a
//! `forbid` already applies when it *overlaps* the request. Where a file system may see two
//! spellings as one (upper and lower case), overlapping errs on the side of a match.

use crate::protected::{ProtectedNames, same_component};
use ringfence_capability::{
    ArgvPattern, Capability, Fidelity, HostPattern, Kind, Name, NamePattern, OutsidePart,
    OutsideScope, ParseError, PathScope, Place, Port,
};
use std::borrow::Cow;
use std::fmt;

/// What a rule reaches. A scope always belongs to a rule of the fitting kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    Path(PathScope),
    Elsewhere,
    Protected(Cow<'static, str>),
    Host {
        host: HostPattern,
        port: Option<u16>,
    },
    Name(Names),
    /// Outside servers and their tools: `server` is the server and all of it.
    Outside(Names),
    Secret {
        name: Names,
        host: HostPattern,
    },
    Fidelity(Fidelity),
    Argv(ArgvPattern),
}

/// How much of what is asked for must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Some,
}

/// A name pattern that remembers how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pattern: NamePattern,
    text: String,
}

impl Scope {
    /// Returns the scope written as `text` in a rule about `kind`.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, ParseError> {
        match kind {
            Kind::FsRead | Kind::FsWrite => parse_path(text),
            Kind::HttpRead | Kind::HttpWrite | Kind::Socket => {
                let (host, port) = HostPattern::with_port(text)?;
                Ok(Self::Host { host, port })
            }
            Kind::Secret => {
                let (name, host) = text.split_once('@').unwrap_or((text, "*"));
                Ok(Self::Secret { name: Names::parse(name)?, host: host.parse()? })
            }
            Kind::Clock | Kind::Random => Ok(Self::Fidelity(text.parse()?)),
            Kind::Exec => Ok(Self::Argv(text.parse()?)),
            Kind::Env | Kind::Config | Kind::Kv | Kind::Model | Kind::Tool | Kind::Agent => {
                Ok(Self::Name(Names::parse(text)?))
            }
            Kind::Mcp => Ok(Self::Outside(Names::parse(text)?)),
        }
    }

    /// Returns the name that a rule of the layer of protected names is about.
    pub(crate) fn protected_name(&self) -> Option<&str> {
        match self {
            Self::Protected(name) => Some(name),
            _ => None,
        }
    }

    /// Tells whether everything `capability` reaches is in this scope.
    pub(crate) fn contains(&self, capability: &Capability) -> bool {
        match (self, capability) {
            (Self::Everything, _) => true,
            (Self::Path(mine), Capability::FsRead(path) | Capability::FsWrite(path)) => {
                mine.contains(path)
            }
            (Self::Elsewhere, Capability::FsRead(path) | Capability::FsWrite(path)) => {
                path.place() == Place::Elsewhere
            }
            (Self::Protected(name), Capability::FsRead(path) | Capability::FsWrite(path)) => {
                ProtectedNames::path_has(path.path(), name)
            }
            (Self::Host { host, port }, _) => {
                reached(capability).is_some_and(|(theirs, wanted)| {
                    host.contains(theirs) && port.is_none_or(|port| wanted == Port::Number(port))
                })
            }
            (Self::Secret { name, host }, Capability::Secret { name: theirs, host: to }) => {
                name.pattern.matches(theirs) && host.contains(to)
            }
            (Self::Fidelity(mine), Capability::Clock(theirs) | Capability::Random(theirs)) => {
                mine == theirs
            }
            (Self::Argv(mine), Capability::Exec(theirs)) => mine.contains(theirs),
            (Self::Outside(mine), Capability::Mcp(theirs)) => mine.reaches(theirs, Part::All),
            (Self::Name(mine), _) => {
                named(capability).is_some_and(|name| mine.pattern.matches(name))
            }
            _ => false,
        }
    }

    /// Tells whether some of what `capability` reaches is in this scope.
    pub(crate) fn overlaps(&self, capability: &Capability) -> bool {
        match (self, capability) {
            (Self::Path(mine), Capability::FsRead(path) | Capability::FsWrite(path)) => {
                paths_overlap(mine, path)
            }
            (Self::Host { host, port }, _) => {
                reached(capability).is_some_and(|(theirs, wanted)| {
                    host.overlaps(theirs)
                        && port.is_none_or(|port| {
                            wanted.covers(port, true) || wanted.covers(port, false)
                        })
                })
            }
            (Self::Secret { name, host }, Capability::Secret { name: theirs, host: to }) => {
                name.pattern.matches(theirs) && host.overlaps(to)
            }
            (Self::Argv(mine), Capability::Exec(theirs)) => mine.touches(theirs),
            (Self::Outside(mine), Capability::Mcp(theirs)) => mine.reaches(theirs, Part::Some),
            // For these a request is a single thing, so that overlapping and containing are the
            // same.
            (
                Self::Everything
                | Self::Path(_)
                | Self::Elsewhere
                | Self::Protected(_)
                | Self::Name(_)
                | Self::Outside(_)
                | Self::Secret { .. }
                | Self::Fidelity(_)
                | Self::Argv(_),
                _,
            ) => self.contains(capability),
        }
    }

    /// Tells whether this scope reaches everything `other` reaches.
    pub(crate) fn contains_scope(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Path(mine), Self::Path(theirs)) => mine.contains(theirs),
            (Self::Elsewhere, Self::Path(theirs)) => theirs.place() == Place::Elsewhere,
            (Self::Host { host, port }, Self::Host { host: theirs, port: their_port }) => {
                host.contains(theirs) && port.is_none_or(|port| Some(port) == *their_port)
            }
            (Self::Name(mine), Self::Name(theirs)) => mine.contains(theirs),
            (Self::Outside(mine), Self::Outside(theirs)) => mine.contains_outside(theirs),
            (Self::Argv(mine), Self::Argv(theirs)) => mine.contains(theirs),
            (Self::Secret { name, host }, Self::Secret { name: theirs, host: to }) => {
                name.contains(theirs) && host.contains(to)
            }
            _ => self == other,
        }
    }

    /// Tells whether some capability could be reached by both.
    pub(crate) fn overlaps_scope(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(mine), Self::Path(theirs)) => paths_overlap(mine, theirs),
            (Self::Host { host, port }, Self::Host { host: theirs, port: their_port }) => {
                host.overlaps(theirs)
                    && (port.is_none() || their_port.is_none() || port == their_port)
            }
            (Self::Secret { name, host }, Self::Secret { name: theirs, host: to }) => {
                (name.contains(theirs) || theirs.contains(name)) && host.overlaps(to)
            }
            (Self::Argv(mine), Self::Argv(theirs)) => mine.touches(theirs) || theirs.touches(mine),
            _ => self.contains_scope(other) || other.contains_scope(self),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Path(path) => write!(f, "{path}"),
            Self::Elsewhere => f.write_str("elsewhere"),
            Self::Protected(name) => write!(f, "**/{name}"),
            Self::Host { host, port: None } => write!(f, "{host}"),
            Self::Host { host, port: Some(port) } => {
                let host = host.to_string();
                if host.contains(':') {
                    write!(f, "[{host}]:{port}")
                } else {
                    write!(f, "{host}:{port}")
                }
            }
            Self::Name(names) | Self::Outside(names) => f.write_str(&names.text),
            Self::Secret { name, host } => write!(f, "{}@{host}", name.text),
            Self::Fidelity(fidelity) => f.write_str(fidelity.name()),
            Self::Argv(pattern) => write!(f, "{pattern}"),
        }
    }
}

impl Names {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self { pattern: text.parse()?, text: text.to_owned() })
    }

    fn contains(&self, other: &Self) -> bool {
        match self.text.strip_suffix('*') {
            Some(stem) => other.text.strip_suffix('*').unwrap_or(&other.text).starts_with(stem),
            None => self.text == other.text,
        }
    }

    /// As [`Names::contains`], where the name of a server alone is the server and all of it.
    fn contains_outside(&self, other: &Self) -> bool {
        let below = other.text.strip_prefix(&self.text);
        self.contains(other) || below.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Tells whether these names, of servers or `server/tool`, reach what is asked for. No text is made:
    /// a decision allocates nothing.
    fn reaches(&self, asked: &OutsideScope, wanted: Part) -> bool {
        let (stem, open) =
            self.text.strip_suffix('*').map_or((self.text.as_str(), false), |stem| (stem, true));
        let server = asked.server().as_str();
        let Some((mine, tool)) = stem.split_once('/') else {
            return if open { server.starts_with(stem) } else { server == stem };
        };
        mine == server
            && match asked.part() {
                OutsidePart::Itself => false,
                // Of every tool there is, a rule about some is about a part.
                OutsidePart::Every => wanted == Part::Some || (open && tool.is_empty()),
                OutsidePart::Tool(name) if open => name.as_str().starts_with(tool),
                OutsidePart::Tool(name) => name.as_str() == tool,
            }
    }
}

fn parse_path(text: &str) -> Result<Scope, ParseError> {
    const GUEST: &str = "/";
    if text == "elsewhere" {
        return Ok(Scope::Elsewhere);
    }
    if text == "workspace" {
        return Ok(Scope::Path(PathScope::workspace(".", GUEST)?));
    }
    if let Some(below) = text.strip_prefix("workspace/") {
        return Ok(Scope::Path(PathScope::workspace(below, GUEST)?));
    }
    if text.starts_with('/') {
        return Ok(Scope::Path(PathScope::elsewhere(text, GUEST)?));
    }
    let why = "it is `workspace`, `workspace/…`, `elsewhere` or an absolute path";
    Err(ParseError::new("file scope", text, why))
}

fn reached(capability: &Capability) -> Option<(&HostPattern, Port)> {
    match capability {
        Capability::Http { host, port, .. } => Some((host, *port)),
        Capability::Socket { host, port } => Some((host, Port::Number(*port))),
        _ => None,
    }
}

fn named(capability: &Capability) -> Option<&Name> {
    match capability {
        Capability::Env(name)
        | Capability::Config(name)
        | Capability::Kv { namespace: name, .. }
        | Capability::Model(name)
        | Capability::Tool(name)
        | Capability::Agent(name) => Some(name),
        _ => None,
    }
}

/// Tells whether one path lies at or below the other on a file system that ignores case.
fn paths_overlap(a: &PathScope, b: &PathScope) -> bool {
    let root = |path: &str| path == "." || path == "/";
    if a.place() != b.place() {
        return false;
    }
    if root(a.path()) || root(b.path()) {
        return true;
    }
    let mut both = a.path().split('/').zip(b.path().split('/'));
    both.all(|(one, other)| same_component(one, other))
}
