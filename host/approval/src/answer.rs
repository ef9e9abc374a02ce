//! What a person can answer, and the run an answer can be for.

use crate::RequestError;
use jiff::Timestamp;
use ringfence_capability::ArgvPattern;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "every answer must be acted on")]
pub enum Answer {
    /// Yes, this once.
    Once,
    /// Yes, for exactly this action, until the run ends (and at most a day).
    ForThisRun,
    /// Yes, for exactly this action, until then.
    Until {
        /// The last moment.
        time: Timestamp,
    },
    /// Yes, for exactly this plugin, program and plan, whenever it comes.
    Always {
        /// The arguments; without a pattern, exactly these.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<ArgvPattern>,
    },
    /// No, this time.
    Deny,
    /// No, now and whenever this plugin asks to do this.
    DenyAlways,
}

impl Answer {
    /// Tells whether it is a yes.
    pub fn allows(&self) -> bool {
        match self {
            Self::Once | Self::ForThisRun | Self::Until { .. } | Self::Always { .. } => true,
            Self::Deny | Self::DenyAlways => false,
        }
    }

    /// Returns its name, as the audit log writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::ForThisRun => "for-this-run",
            Self::Until { .. } => "until",
            Self::Always { .. } => "always",
            Self::Deny => "deny",
            Self::DenyAlways => "deny-always",
        }
    }
}

/// The name of one run of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId(String);

impl RunId {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            let why = "it has 1 to 64 letters, digits, `-`, `_`, `.` or `:`";
            return Err(RequestError::Invalid { what: "run", why });
        }
        Ok(Self(text.to_owned()))
    }
}
