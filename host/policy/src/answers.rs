//! What a person approved.

use crate::{PolicyError, ProtectedNames};
use ringfence_capability::{
    Capability, Grant, HostPattern, Kind, MethodClass, Name, Origin, ParseError, PathScope, Port,
    text,
};

/// The capabilities a person approved. An approval turns a prompt into an allow; it never lifts a
/// forbid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    approved: Vec<Grant>,
}

impl Answers {
    /// Returns the answers that approve these capabilities, each with where the approval was given.
    pub fn new(approved: Vec<Grant>) -> Self {
        // An index has 16 bits; what is beyond it counts as not approved.
        Self { approved: approved.into_iter().take(usize::from(u16::MAX)).collect() }
    }

    /// Returns the answers given by `--approve` flags, each the text of a capability such as
    /// `env:HOME`.
    ///
    /// # Errors
    /// [`PolicyError::BadCapability`] for a text that names no capability.
    pub fn from_flags<'t>(flags: impl IntoIterator<Item = &'t str>) -> Result<Self, PolicyError> {
        let approve = |flag: &str| {
            let origin =
                Origin::Flag(format!("--approve {}", flag.chars().take(200).collect::<String>()));
            Ok(Grant::new(Self::capability(flag)?, origin))
        };
        Ok(Self::new(flags.into_iter().map(approve).collect::<Result<_, PolicyError>>()?))
    }

    /// Returns the capability that `text`, in the form that capabilities are displayed, stands for.
    ///
    /// # Errors
    /// [`PolicyError::BadCapability`] when it stands for none. `*` is no name: what is approved is
    /// named.
    pub fn capability(text: &str) -> Result<Capability, PolicyError> {
        read(text)
            .map_err(|source| PolicyError::BadCapability { text: text::brief(text, 80), source })
    }

    /// Returns the approvals in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.approved.iter()
    }

    pub(crate) fn get(&self, index: u16) -> Option<&Grant> {
        self.approved.get(usize::from(index))
    }

    pub(crate) fn covering(&self, capability: &Capability) -> Option<u16> {
        let mut approved = self.approved.iter().zip(0_u16..);
        approved.find(|(grant, _)| covers(&grant.capability, capability)).map(|(_, index)| index)
    }
}

/// Tells whether the approval of `approved` is one of `wanted`. Writing a directory is not writing
/// the protected names in it: those are approved by name.
fn covers(approved: &Capability, wanted: &Capability) -> bool {
    let named = match (approved, wanted) {
        (Capability::FsWrite(approved), Capability::FsWrite(wanted)) => {
            let (all, above) = (wanted.path(), approved.path());
            // `.` is no beginning of `.git`.
            let below = if above == "." { all } else { all.strip_prefix(above).unwrap_or(all) };
            above == all || ProtectedNames::built_in().first_in(below).is_none()
        }
        _ => true,
    };
    named && approved.contains(wanted)
}

fn read(text: &str) -> Result<Capability, ParseError> {
    let why = "it is a capability name, `:` and what it reaches";
    let (kind, rest) =
        text.split_once(':').ok_or_else(|| ParseError::new("capability", text, why))?;
    let name = || rest.parse::<Name>();
    Ok(match kind.parse::<Kind>()? {
        Kind::FsRead => Capability::FsRead(path(rest)?),
        Kind::FsWrite => Capability::FsWrite(path(rest)?),
        Kind::HttpRead => http(rest, MethodClass::Read)?,
        Kind::HttpWrite => http(rest, MethodClass::Write)?,
        Kind::Socket => {
            let (host, port) = HostPattern::with_port(rest)?;
            let port = port.ok_or_else(|| ParseError::new("socket", rest, "it is `host:port`"))?;
            Capability::Socket { host, port }
        }
        Kind::Env => Capability::Env(name()?),
        Kind::Config => Capability::Config(name()?),
        Kind::Secret => {
            let why = "it is `name@host`, the secret and where it may be sent";
            let (name, host) =
                rest.split_once('@').ok_or_else(|| ParseError::new("secret", rest, why))?;
            Capability::Secret { name: name.parse()?, host: host.parse()? }
        }
        Kind::Kv => Capability::Kv { namespace: name()?, size_bytes: u64::MAX },
        Kind::Clock => Capability::Clock(rest.parse()?),
        Kind::Random => Capability::Random(rest.parse()?),
        Kind::Model => Capability::Model(name()?),
        Kind::Tool => Capability::Tool(name()?),
        Kind::Agent => Capability::Agent(name()?),
        Kind::Mcp => Capability::Mcp(rest.parse()?),
        Kind::Exec => Capability::Exec(rest.parse()?),
    })
}

fn http(text: &str, methods: MethodClass) -> Result<Capability, ParseError> {
    let (host, port) = HostPattern::with_port(text)?;
    Ok(Capability::Http { host, port: port.map_or(Port::Default, Port::Number), methods })
}

fn path(text: &str) -> Result<PathScope, ParseError> {
    // Where the guest sees a directory plays no part in what an approval covers.
    match text.strip_prefix("workspace") {
        Some("") => PathScope::workspace(".", "/"),
        Some(rest) if rest.starts_with('/') => PathScope::workspace(&rest[1..], "/"),
        _ if text.starts_with('/') => PathScope::elsewhere(text, "/"),
        _ => Err(ParseError::new(
            "path",
            text,
            "it is `workspace`, `workspace/…` or an absolute path",
        )),
    }
}
