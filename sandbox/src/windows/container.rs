//! The `AppContainer` of a run: its name, and the few capabilities it gets.
//!
//! The name is made for one run; the identifier Windows derives from it stands in no access list
//! but those of this run's entries. No profile is registered for it, so nothing of it is left in
//! the registry or below the user's directory. Plain computation, tested on every system.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ringfence_capability::Profile;
use sha2::{Digest as _, Sha256};

/// Begins the name of every container; 64 characters are the most Windows takes.
const PREFIX: &str = "ringfence.";

/// How many bytes of a hash stand in a name.
const NAME_BYTES: usize = 16;

/// Which of the two kinds of container a run gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Also without what Windows grants all containers (LPAC).
    LessPrivileged,
    /// With what Windows grants all containers; the tools of a build need it.
    Ordinary,
}

/// What a container of less privilege gets back, each with its reason. Never `internetClient`,
/// `privateNetworkClientServer` or another capability that opens the network.
const LESS_PRIVILEGED: [(&str, &str); 1] =
    [("registryRead", "the C runtime and most libraries read settings from the registry")];

/// Returns the kind a profile gets.
pub(super) fn kind(profile: Profile) -> Kind {
    match profile {
        Profile::Offline | Profile::ReadOnly | Profile::NetReadOnly => Kind::LessPrivileged,
        Profile::WorkspaceWrite | Profile::Trusted => Kind::Ordinary,
    }
}

/// Returns the names of the capabilities a kind gets.
pub(super) fn capabilities(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::LessPrivileged => LESS_PRIVILEGED.iter().map(|(name, _)| *name).collect(),
        Kind::Ordinary => Vec::new(),
    }
}

/// Returns the name of a container from what makes its run unlike every other.
pub(super) fn name(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts read the same.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    let mut name = PREFIX.to_owned();
    for byte in &hash.finalize()[..NAME_BYTES] {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Returns a path of a local drive without the prefix that switches off its interpretation.
///
/// `cmd.exe` and the access lists of the baseline know only the plain form.
pub(super) fn plain_path(path: &Path) -> PathBuf {
    let text = path.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    let drive = |text: &&str| {
        let bytes = text.as_bytes();
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == br":\"
    };
    text.filter(drive).map_or_else(|| path.to_path_buf(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_plain_and_unlike_that_of_any_other_run() {
        let found = name(&[b"one", b"two"]);
        assert_eq!(found.len(), PREFIX.len() + 32);
        assert!(found.len() <= 64, "the limit of Windows");
        assert!(found.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'));
        for other in [&[&b"onetwo"[..]][..], &[b"on", b"etwo"], &[b"two", b"one"], &[b"one"]] {
            assert_ne!(name(other), found);
        }
        assert_eq!(name(&[b"one", b"two"]), found);
    }

    #[test]
    fn no_profile_gets_a_capability_that_opens_the_network() {
        for profile in Profile::ALL {
            for capability in capabilities(kind(profile)) {
                let lower = capability.to_lowercase();
                assert!(!lower.contains("internet") && !lower.contains("network"), "{capability}");
            }
        }
        for (capability, reason) in LESS_PRIVILEGED {
            assert!(!reason.is_empty(), "{capability}");
        }
    }

    #[test]
    fn only_the_profiles_that_build_get_the_ordinary_container() {
        let ordinary = |profile: &Profile| kind(*profile) == Kind::Ordinary;
        let found: Vec<_> = Profile::ALL.into_iter().filter(ordinary).collect();
        assert_eq!(found, [Profile::WorkspaceWrite, Profile::Trusted]);
    }

    #[test]
    fn the_prefix_falls_off_local_drives_only() {
        for (path, expected) in [
            (r"\\?\C:\tools\a.exe", r"C:\tools\a.exe"),
            (r"C:\tools\a.exe", r"C:\tools\a.exe"),
            (r"\\?\UNC\server\share\a.exe", r"\\?\UNC\server\share\a.exe"),
            (r"\\?\GLOBALROOT\Device\x", r"\\?\GLOBALROOT\Device\x"),
            (r"\\?\C:", r"\\?\C:"),
        ] {
            assert_eq!(plain_path(Path::new(path)), Path::new(expected));
        }
    }
}
