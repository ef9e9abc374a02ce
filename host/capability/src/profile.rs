//! The five security profiles, a total order from least to most.

use crate::ParseError;
use std::fmt;
use std::str::FromStr;

/// A security profile: the ceiling of what a plugin can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the profiles are a closed, total order")]
pub enum Profile {
    /// No network, no writes; the workspace may be read. The default.
    #[default]
    Offline,
    /// As `Offline`; reading elsewhere can be approved.
    ReadOnly,
    /// As `ReadOnly`, and HTTP reads from requested hosts.
    NetReadOnly,
    /// As `NetReadOnly`, and writes inside the workspace.
    WorkspaceWrite,
    /// As `WorkspaceWrite`; most of the rest can be approved.
    Trusted,
}

impl Profile {
    /// Every profile, least authority first.
    pub const ALL: [Self; 5] =
        [Self::Offline, Self::ReadOnly, Self::NetReadOnly, Self::WorkspaceWrite, Self::Trusted];

    /// Returns the name used on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::ReadOnly => "read-only",
            Self::NetReadOnly => "net-read-only",
            Self::WorkspaceWrite => "workspace-write",
            Self::Trusted => "trusted",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = Self::ALL.into_iter().find(|profile| profile.name() == text);
        known.ok_or_else(|| {
            let why =
                "it is `offline`, `read-only`, `net-read-only`, `workspace-write` or `trusted`";
            ParseError::new("profile", text, why)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_default_profile_is_the_least() {
        assert_eq!(Profile::default(), Profile::Offline);
        assert_eq!(Profile::ALL.into_iter().min(), Some(Profile::Offline));
    }

    #[test]
    fn every_profile_is_read_back_from_its_name() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse::<Profile>().unwrap(), profile);
        }
        assert!("Offline".parse::<Profile>().is_err());
    }
}
